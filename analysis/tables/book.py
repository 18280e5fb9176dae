"""Every table that needs no more than a study: of a run, or of what a source printed."""

from analysis.study import Study
from analysis.tables.conclusions import conclusions_tables
from analysis.tables.layout import layout_tables
from analysis.tables.table import Table


def study_tables(study: Study) -> dict[str, Table]:
    """Return the tables of a study by the names of their files; none of a study without trials."""
    if study.trials.empty:
        return {}
    return {**conclusions_tables(study), **layout_tables(study)}
