"""The page: what stands where on it, and the template that it is written with."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup, escape

from analysis.figures.samples import BeforeAfter
from analysis.figures.style import Picture
from analysis.tables.spec import Cell, Column, Part, Table

# More rows of a table than this are slow to open, more columns beside each other are wider than the page.
N_ROWS, N_LETTERS = 300, 150
FOLDER = "analysis.report"


@dataclass(frozen=True)
class Card:
    """The answer in one look. number: the one number; facts: (what, text); warnings: why to doubt it."""

    number: str
    headline: str
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Item:
    """Pictures or tables under one title; folded unless it is open. is_group: holds several tables of a kind."""

    title: str
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    is_open: bool = False
    is_group: bool = False

    @property
    def count(self) -> str:
        n_rows = sum(table.n_rows for table in self.tables)
        if self.is_group:
            return f"{len(self.tables)} tables"
        return f"{n_rows} {'row' if n_rows == 1 else 'rows'}" if self.tables else ""


@dataclass(frozen=True)
class Section:
    """A part of the page. name: the anchor; lines: sentences; beside: pictures side by side; errors: small print."""

    name: str
    title: str
    items: Sequence[Item] = ()
    lines: Sequence[str] = ()
    beside: Sequence[Picture] = ()
    errors: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """Everything on a page."""

    title: str
    card: Card
    sections: Sequence[Section]
    notes: Sequence[str] = ()
    slider: BeforeAfter | None = None


@dataclass(frozen=True)
class Block:
    """So many columns of a part as fit beside each other. levels: of each level of heads, (text, columns it spans)."""

    side: Sequence[Column]
    levels: Sequence[Sequence[tuple[str, int]]]
    lines: Sequence[Sequence[Cell]]
    depth: int = field(default=1)

    def kind(self, place: int, cell: Cell) -> Markup:
        """Return the class of a cell: "reaches", "wide"."""
        is_wide = place < len(self.side) and self.side[place].is_wide
        words = " ".join(word for word, holds in (("reaches", cell.reaches), ("wide", is_wide)) if holds)
        return Markup(f' class="{words}"') if words else Markup("")


def build_page(page: Page) -> str:
    """Write a page, every text escaped, everything inline."""
    folder = files(FOLDER)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False)
    environment.filters |= {"base64": _base64, "lines": _lines, "blocks": lambda part: list(blocks(part))}
    template = environment.from_string((folder / "template.html").read_text(encoding="utf-8"))
    assets = {name: (folder / name).read_text(encoding="utf-8") for name in ("style.css", "script.js")}
    return template.render(page=page, style=assets["style.css"], script=assets["script.js"]) + "\n"


def shortened(table: Table) -> Table:
    """Return a table with no more rows than a page shows, and a line that says so."""
    if table.n_rows <= N_ROWS:
        return table
    parts: list[Part] = []
    for part in table.parts:
        left = N_ROWS - sum(len(kept.lines) for kept in parts)
        if left > 0:
            parts.append(Part(part.title, part.side, part.heads, part.lines[:left]))
    note = f"The first {N_ROWS} of {table.n_rows} rows; tables/{table.name}.csv has all."
    return Table(**{**vars(table), "parts": tuple(parts), "below": (note, *table.below)})


def blocks(part: Part) -> Iterator[Block]:
    """Split a part into blocks of columns that fit the page; the side stands before each of them."""
    n_side = len(part.side)
    if not part.heads:
        yield Block(part.side, [[]], part.lines)
        return
    widths = [_width(part, place) for place in range(n_side + len(part.heads))]
    start, depth = 0, len(part.heads[0])
    while start < len(part.heads):
        stop, width = start, sum(widths[:n_side])
        while stop < len(part.heads) and (stop == start or width + widths[n_side + stop] <= N_LETTERS):
            width += widths[n_side + stop]
            stop += 1
        heads = part.heads[start:stop]
        levels = [
            [(text, len(list(same))) for text, same in groupby(head[level] for head in heads)]
            if level < depth - 1
            else [(head[level], 1) for head in heads]
            for level in range(depth)
        ]
        lines = [(*line[:n_side], *line[n_side + start : n_side + stop]) for line in part.lines]
        yield Block(part.side, levels, lines, depth)
        start = stop


def _width(part: Part, place: int) -> int:
    """Return about how many letters wide a column is."""
    cells = (f"{line[place].text} {line[place].marks}" for line in part.lines)
    n_side = len(part.side)
    heads = [part.side[place].title] if place < n_side else part.heads[place - n_side][-1:]
    if place < n_side and part.side[place].is_wide:
        return 26
    return 3 + max(len(line) for text in (*cells, *heads) for line in text.split("\n"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _lines(text: str) -> Markup:
    return Markup("<br>").join(escape(line) for line in text.split("\n"))


def listed(tables: Mapping[str, Table], names: Sequence[str]) -> list[Item]:
    """Return an item for each of the named tables that is there."""
    return [
        Item(tables[name].title, tables=[shortened(tables[name])], is_open=tables[name].is_open)
        for name in names
        if name in tables
    ]


def grouped(tables: Mapping[str, Any], names: Sequence[str], title: str) -> list[Item]:
    """Return one folded item of the named tables that are there; a single one stands for itself."""
    own = [shortened(tables[name]) for name in names if name in tables]
    return [Item(title, tables=own, is_group=True)] if len(own) > 1 else listed(tables, names)
