"""The first chapter: the answer, and the rule it follows."""

from collections.abc import Sequence

from analysis.findings import Findings
from analysis.page import paragraph
from analysis.pick import RULE


def decision(findings: Findings, notes: Sequence[str]) -> list[str]:
    """Say the answer and the rule it follows."""
    pick = findings.pick
    parts = [paragraph(pick.sentence(), "decision")]
    parts += [paragraph(pick.warning, "warning")] if pick.warning else []
    parts.append(paragraph(f"The rule: {RULE}. Here the reference is JPEG-{pick.reference_quality}."))
    if notes:
        parts.append(f"<p>What is missing or unusual in this run: <a href='#notes'>notes ({len(notes)})</a>.</p>\n")
    return parts
