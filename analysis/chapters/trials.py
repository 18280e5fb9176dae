"""The fourth chapter: every trial."""

from collections.abc import Mapping

from analysis.chapters.pieces import figures, named_table
from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.labels import fidelity_sentence
from analysis.page import bullets, paragraph


def trials(findings: Findings, drawn: Mapping[str, Picture]) -> list[str]:
    """Show the search and list every trial, and the errors of those that failed."""
    caption = (
        "Best monitored margin first. A trial is of use only where its margin is above its input's. "
        f"{fidelity_sentence(findings.run.trials)} The whole of every spec is in tables/trials.csv."
    )
    costs = [part for name in ("epochs", "configuration", "networks") for part in _titled(findings, name)]
    failed = [f"{record.trial_id}: {record.error}" for record in findings.run.trials if record.error]
    parts = figures(drawn, "search_history", "parallel_coordinates", "learning_curves", "quality_and_cost")
    parts += named_table(findings, "trials", "All trials", caption) + costs
    odd = "Dead, diverged, duplicated or otherwise suspicious trials, and fields on both sides of a split."
    parts += named_table(findings, "forensics", "What the means give away", odd)
    return [*parts, paragraph("Errors of trials that failed:"), bullets(failed)] if failed else parts


def _titled(findings: Findings, name: str) -> list[str]:
    table = findings.tables.get(name)
    return named_table(findings, name, table.title, "") if table else []
