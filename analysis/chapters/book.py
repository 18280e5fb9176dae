"""All chapters in reading order."""

from collections.abc import Sequence

from analysis.chapters.comparison import comparison
from analysis.chapters.data import data
from analysis.chapters.decision import decision
from analysis.chapters.evidence import evidence
from analysis.chapters.method import method
from analysis.chapters.rivals import rivals, verdict
from analysis.chapters.trials import trials
from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.page import Section


def write_chapters(findings: Findings, pictures: Sequence[Picture], notes: Sequence[str]) -> list[Section]:
    """Write every section of the report. notes: all of them, those of the figures too."""
    drawn = {item.name: item for item in pictures}
    return [
        Section("decision", "Decision", [*decision(findings, notes), *verdict(findings)]),
        Section("evidence", "Evidence", evidence(findings, drawn)),
        Section("comparison", "Comparison", [*comparison(findings, drawn), *rivals(findings)]),
        Section("trials", "Trials", trials(findings, drawn)),
        Section("data", "Data", data(findings, drawn)),
        Section("method", "Method and notes", method(findings, notes)),
    ]
