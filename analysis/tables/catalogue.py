"""Every table of a run, in the order of the page."""

from analysis.findings import Findings
from analysis.tables.of_comparison import comparison_tables
from analysis.tables.of_decision import decision_tables
from analysis.tables.of_run import data_tables, trials_tables
from analysis.tables.of_safety import safety_table
from analysis.tables.of_study import study_tables, suspects_table
from analysis.tables.spec import Table, lay_out_all

SECTIONS = ("decision", "comparison", "safety", "trials", "data")


def tables_of(findings: Findings) -> dict[str, Table]:
    """Lay out every table that a run has anything for, by the names of their files."""
    specs = [*decision_tables(findings), *comparison_tables(findings), *study_tables(), *trials_tables(findings)]
    return lay_out_all([*specs, suspects_table(), safety_table(), *data_tables(findings)], findings)
