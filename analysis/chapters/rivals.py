"""What the report says of other codecs: the verdict beside the decision, and the part that shows what each needs."""

from analysis.chapters.pieces import named_table
from analysis.findings import Findings
from analysis.page import paragraph
from analysis.verdict import BARS


def verdict(findings: Findings) -> list[str]:
    """Say whether another codec beats restoring; nothing where none was compared."""
    table = findings.tables.get("rivals")
    return [paragraph(sentence) for sentence in table.below[: len(BARS)]] if table else []


def rivals(findings: Findings) -> list[str]:
    """Show what each codec needs to be as good as the reference, and every setting that was tried."""
    caption = (
        "A mean is reached where it is at least as good as the reference's; 4 metrics, whole image and centre crop."
    )
    return [
        part
        for name, above in (("rivals", caption), ("rivals_ladder", ""))
        if name in findings.tables
        for part in named_table(findings, name, findings.tables[name].title, above)
    ]
