"""Which tables there are: those of a study, be it of a run or of what a source printed, and those of a run alone."""

from analysis.run import Run
from analysis.study import Study
from analysis.tables.conclusions import conclusions_tables
from analysis.tables.configuration import configuration_tables
from analysis.tables.epochs import epoch_tables
from analysis.tables.layout import layout_tables
from analysis.tables.networks import network_tables
from analysis.tables.splits import split_tables
from analysis.tables.table import Table


def study_tables(study: Study) -> dict[str, Table]:
    """Return the tables of a study by the names of their files; none of a study without trials."""
    if study.trials.empty:
        return {}
    return {**conclusions_tables(study), **epoch_tables(study), **layout_tables(study)}


def run_tables(run: Run) -> dict[str, Table]:
    """Return the tables of what a run was made of by the names of their files."""
    return {**split_tables(run), **network_tables(run), **configuration_tables(run)}
