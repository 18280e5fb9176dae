"""The first chapter: the answer, and the rule it follows."""

from collections.abc import Sequence

from analysis import strict
from analysis.findings import Findings
from analysis.page import paragraph
from analysis.pick import RULE


def decision(findings: Findings, notes: Sequence[str]) -> list[str]:
    """Say the answer by both rules, and what the rules are."""
    pick = findings.pick
    parts = [paragraph(pick.sentence(), "decision")]
    parts += [paragraph(pick.warning, "warning")] if pick.warning else []
    parts.append(paragraph(findings.strict.sentence(), "decision"))
    parts.append(paragraph(f"The first rule, by means: {RULE}. Here the reference is JPEG-{pick.reference_quality}."))
    parts.append(paragraph(f"The strict rule: {strict.RULE}."))
    if notes:
        parts.append(f"<p>What is missing or unusual in this run: <a href='#notes'>notes ({len(notes)})</a>.</p>\n")
    return parts
