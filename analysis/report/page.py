"""The page: its templates filled in, everything inline and escaped, tables in blocks that fit it."""

import base64
from dataclasses import replace
from itertools import pairwise
from typing import Any

import jinja2

from analysis.tables.spec import Part, Table

# More rows of a table than this are slow to open, more letters beside each other are wider than the page.
N_ROWS, N_LETTERS = 300, 150
WIDE_LETTERS = 26  # of a column whose sentences wrap


def render(template: str, **values: Any) -> str:
    """Fill in a template of this folder, every text of a page escaped. sections of a page: anchor -> title."""
    loader, autoescape = jinja2.PackageLoader("analysis", "report"), jinja2.select_autoescape(["html"])
    environment = jinja2.Environment(loader=loader, autoescape=autoescape)
    environment.filters |= {"shortened": shortened, "blocks": list_blocks}
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    return environment.get_template(template).render(**values)


def shortened(table: Table) -> Table:
    """Return a table with no more rows than a page shows, and a line that says so."""
    if table.n_rows <= N_ROWS:
        return table
    parts: list[Part] = []
    for part in table.parts:
        left = N_ROWS - sum(len(kept.lines) for kept in parts)
        parts += [replace(part, lines=part.lines[:left])] if left > 0 else []
    note = f"The first {N_ROWS} of {table.n_rows} rows; tables/{table.name}.csv has all."
    return replace(table, parts=tuple(parts), below=(note, *table.below))


def list_blocks(part: Part) -> list[Part]:
    """Split a part into parts of as many columns as fit beside each other; the side stands before each of them."""
    n_side, starts, width = len(part.side), [0], 0
    widths = [_width(part, place) for place in range(n_side + len(part.heads))]
    for place, own in enumerate(widths[n_side:]):
        if place > starts[-1] and sum(widths[:n_side]) + width + own > N_LETTERS:
            starts, width = [*starts, place], 0
        width += own
    blocks = []
    for start, stop in pairwise([*starts, len(part.heads)]):
        lines = tuple((*line[:n_side], *line[n_side + start : n_side + stop]) for line in part.lines)
        blocks.append(replace(part, heads=part.heads[start:stop], lines=lines))
    return blocks


def _width(part: Part, place: int) -> int:
    """Return about how many letters wide a column is."""
    n_side = len(part.side)
    if place < n_side and part.side[place].is_wide:
        return WIDE_LETTERS
    head = part.side[place].title if place < n_side else part.heads[place - n_side][-1]
    cells = (f"{line[place].text} {line[place].marks}" for line in part.lines)
    return 3 + max(len(line) for text in (*cells, head) for line in text.split("\n"))
