"""Every table of a run, in the order of the page."""

from analysis.findings import Findings
from analysis.tables.appendix import study_tables
from analysis.tables.conclusions import conclusions_table
from analysis.tables.data import data_tables, trials_tables
from analysis.tables.decision import decision_tables, suspects_table
from analysis.tables.encoders import encoders_tables
from analysis.tables.models import model_tables
from analysis.tables.safety import safety_table
from analysis.tables.spec import Table, by_name

SECTIONS = {"decision": "Decision", "comparison": "Comparison", "safety": "Safety", "trials": "Trials", "data": "Data"}


def tables_of(findings: Findings) -> dict[str, Table]:
    """Lay out every table that a run has anything for, by the names of their files."""
    study = findings.study
    return by_name(
        *(*decision_tables(findings), *model_tables(findings), conclusions_table(study), safety_table(findings)),
        *(*study_tables(study), *trials_tables(findings), *encoders_tables(findings)),
        *(suspects_table(findings.oddities, len(study.trials)), *data_tables(findings)),
    )
