"""What several chapters show alike: tables of the findings by their names, and a drawn figure."""

from collections.abc import Mapping
from html import escape

from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.page import picture, titled_table


def named_table(findings: Findings, name: str, title: str, caption: str) -> list[str]:
    """Write a table of the findings under its title; nothing where the run has none of that name."""
    if name not in findings.tables:
        return []
    table = findings.tables[name]
    return [titled_table(title, caption, table.shown, table.below)]


def folded_tables(findings: Findings, title: str, prefix: str) -> list[str]:
    """Write the tables whose names begin with prefix, folded away under a title with their number."""
    tables = {name: table for name, table in findings.tables.items() if name.startswith(prefix)}
    if not tables:
        return []
    inside = "".join(titled_table(table.title, "", table.shown, table.below) for table in tables.values())
    return [f"<details><summary>{escape(title)} ({len(tables)})</summary>\n{inside}</details>\n"]


def figures(drawn: Mapping[str, Picture], *names: str) -> list[str]:
    """Write those of the named figures that were drawn."""
    return [figure(drawn[name]) for name in names if name in drawn]


def figure(item: Picture) -> str:
    """Write a drawn figure and what stands under it."""
    return picture(item.png, item.caption)
