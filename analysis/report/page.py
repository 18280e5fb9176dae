"""The page: its templates filled in, everything inline and escaped, tables in blocks that fit it."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import jinja2

from analysis.tables.spec import Cell, Column, Part, Table

# More rows of a table than this are slow to open, more letters beside each other are wider than the page.
N_ROWS, N_LETTERS = 300, 150
WIDE_LETTERS = 26  # of a column whose sentences wrap


@dataclass(frozen=True)
class Block:
    """So many columns of a part as fit beside each other. levels: of each level of heads, (text, columns it spans)."""

    side: Sequence[Column]
    levels: Sequence[Sequence[tuple[str, int]]]
    lines: Sequence[Sequence[Cell]]
    depth: int = 1


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


def list_blocks(part: Part) -> list[Block]:
    """Split a part into blocks of columns that fit the page; the side stands before each of them."""
    return list(_blocks(part)) if part.heads else [Block(part.side, [[]], part.lines)]


def _blocks(part: Part) -> Iterator[Block]:
    n_side, depth = len(part.side), len(part.heads[0])
    widths = [_width(part, place) for place in range(n_side + len(part.heads))]
    start = 0
    while start < len(part.heads):
        stop, width = start, sum(widths[:n_side])
        while stop < len(part.heads) and (stop == start or width + widths[n_side + stop] <= N_LETTERS):
            width += widths[n_side + stop]
            stop += 1
        by_level = list(zip(*part.heads[start:stop], strict=True))
        levels = [[(text, len(list(same))) for text, same in groupby(level)] for level in by_level[:-1]]
        levels.append([(text, 1) for text in by_level[-1]])
        lines = [(*line[:n_side], *line[n_side + start : n_side + stop]) for line in part.lines]
        yield Block(part.side, levels, lines, depth)
        start = stop


def _width(part: Part, place: int) -> int:
    """Return about how many letters wide a column is."""
    n_side = len(part.side)
    if place < n_side and part.side[place].is_wide:
        return WIDE_LETTERS
    head = part.side[place].title if place < n_side else part.heads[place - n_side][-1]
    cells = (f"{line[place].text} {line[place].marks}" for line in part.lines)
    return 3 + max(len(line) for text in (*cells, head) for line in text.split("\n"))
