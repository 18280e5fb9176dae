"""What several chapters show alike: tables of the findings by their names, and a drawn figure."""

from collections.abc import Mapping

from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.page import fold, paragraph, picture, titled_table

# A page of more tables of a kind, or more rows of one of them, is slow to open.
N_FOLDED, N_ROWS = 150, 300


def named_table(findings: Findings, name: str, title: str, caption: str) -> list[str]:
    """Write a table of the findings under its title; nothing where the run has none of that name."""
    if name not in findings.tables:
        return []
    table = findings.tables[name]
    return [titled_table(title, caption, table.shown, table.below)]


def folded_tables(findings: Findings, title: str, prefix: str) -> list[str]:
    """Write the tables whose names begin with prefix, folded away under a title with their number.

    Of more than N_FOLDED those of all camera systems and of whole images come first, the others are left to the files.
    """
    names = [name for name in findings.tables if name.startswith(prefix)]
    if not names:
        return []
    shown = sorted(names, key=_is_detail)[:N_FOLDED]
    parts = [_first_rows(findings, name) for name in shown]
    if len(names) == len(shown):
        return [fold(f"{title} ({len(names)})", parts)]
    others = paragraph(f"{len(names) - len(shown)} more are in the folder tables, as {prefix}*.")
    return [fold(f"{title} ({len(shown)} of {len(names)})", [others, *parts])]


def _first_rows(findings: Findings, name: str) -> str:
    table = findings.tables[name]
    n_rows = len(table.shown)
    more = (f"The first {N_ROWS} of {n_rows} rows; tables/{name}.csv has all.",) if n_rows > N_ROWS else ()
    return titled_table(table.title, "", table.shown.head(N_ROWS), (*more, *table.below))


def _is_detail(name: str) -> tuple[bool, bool]:
    return name.endswith("_by_system"), "_crop" in name


def figures(drawn: Mapping[str, Picture], *names: str) -> list[str]:
    """Write those of the named figures that were drawn."""
    return [figure(drawn[name]) for name in names if name in drawn]


def figure(item: Picture) -> str:
    """Write a drawn figure and what stands under it."""
    return picture(item.png, item.caption)
