"""What several chapters show alike: a table of the findings by its name, and a drawn figure."""

from analysis.figures.album import Picture
from analysis.findings import Findings
from analysis.page import picture, titled_table


def named_table(findings: Findings, name: str, title: str, caption: str) -> list[str]:
    """Write a table of the findings under its title; nothing where the run has none of that name."""
    if name not in findings.tables:
        return []
    table = findings.tables[name]
    return [titled_table(title, caption, table.shown, table.below)]


def figure(item: Picture) -> str:
    """Write a drawn figure and what stands under it."""
    return picture(item.png, item.caption)
