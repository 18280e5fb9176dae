"""What a table is: a frame of numbers, columns that say how these are shown, and a layout of cells made of both."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import groupby
from types import MappingProxyType
from typing import Any

import pandas as pd

from analysis.decide import METRIC_TITLES
from analysis.tables.formats import is_missing, write_value

Row = Mapping[Any, Any]  # of a frame: column -> value
WIDE = "wide"  # of a column: it holds sentences


@dataclass(frozen=True)
class Cell:
    """What stands in one place. number: for a machine, None where there is none; is_best: to be set in bold;
    reaches: at least as good as the reference; marks: behind the text, explained below the table."""

    text: str
    number: Any = None
    is_best: bool = False
    reaches: bool = False
    marks: str = ""


@dataclass(frozen=True)
class Column:
    """A column: what stands above it, the column of the frame that it shows, and how a value of that is written.

    format: of Python, or one of FORMATS; show: takes the whole row and the source instead; is_wide: may wrap.
    """

    title: str
    source: str = ""
    format: str = ""
    show: Callable[[Row, str], Cell] | None = None
    is_wide: bool = False

    def cell(self, row: Row) -> Cell:
        """Show the column's part of a row."""
        if self.show:
            return self.show(row, self.source)
        value = row[self.source]
        return Cell(write_value(value, self.format), None if is_missing(value) else value)


@dataclass(frozen=True)
class Layout:
    """What the entry of a table in the catalogue does not tell of how its frame is shown, or tells otherwise.

    shows: how columns are shown that FORMATS does not know; rows: columns in place of the entry's. head: names what
    lies across, cell shows a place of it, blank one that is not in the frame. part_title: names a part. below: lines
    to read with the table. is_open: unfolded on the page.
    """

    shows: Mapping[str, Callable[[Row, str], Cell]] = field(default_factory=dict)
    rows: tuple[Column, ...] = ()
    head: Callable[[Row], str] | None = None
    cell: Callable[[Row], Cell] = lambda row: Cell("")
    blank: str = ""
    part_title: Callable[[Row], str] = lambda row: ""
    below: Callable[[pd.DataFrame], Sequence[str]] = lambda frame: ()
    is_open: bool = False


PLAIN = Layout()


@cache
def read_catalogue() -> dict[str, Any]:
    """Read the catalogue of tables."""
    return tomllib.loads((files("analysis.tables") / "catalogue.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Part:
    """A grid: heads of the side, heads of what lies across (each a tuple of levels), and lines of cells of both."""

    title: str
    side: tuple[Column, ...]
    heads: tuple[tuple[str, ...], ...]
    lines: tuple[tuple[Cell, ...], ...]

    @property
    def titles(self) -> list[str]:
        """The heads of all columns, the levels of each on lines of their own."""
        return [*(column.title for column in self.side), *("\n".join(filter(None, head)) for head in self.heads)]

    @property
    def levels(self) -> list[list[tuple[str, int]]]:
        """The levels of the heads: texts, and how many columns these span; one, empty, where nothing lies across."""
        *above, last = list(zip(*self.heads, strict=True)) or [()]
        spans = [[(text, len(list(same))) for text, same in groupby(level)] for level in above]
        return [*spans, [(text, 1) for text in last]]


@dataclass(frozen=True)
class Table:
    """A laid-out table. frame: its numbers; parts: what is shown of them; group: what it is folded with others of."""

    name: str
    section: str
    title: str
    caption: str
    below: tuple[str, ...]
    frame: pd.DataFrame
    parts: tuple[Part, ...]
    is_crossed: bool
    is_open: bool = False
    group: str = ""

    @property
    def n_rows(self) -> int:
        return sum(len(part.lines) for part in self.parts)


def lay_out(
    entry: str, frame: pd.DataFrame, layout: Layout = PLAIN, words: Mapping[str, Any] = MappingProxyType({})
) -> Table | None:
    """Lay a frame out as an entry of catalogue.toml says; None where it is empty.

    words: what stands in the braces of the entry's texts, name of the table included.
    """
    if frame.empty:
        return None
    told = read_catalogue()[entry]
    texts = {part: told.get(part, "").format(**words) for part in ("section", "title", "caption", "group")}
    across = tuple(column.format(**words) for column in told.get("across", ()))
    columns = layout.rows or tuple(_column(column, layout, words) for column in told["columns"])
    groups = [own for _, own in frame.groupby(told["per"], sort=False, dropna=False)] if "per" in told else [frame]
    return Table(
        name=told.get("name", entry).format(**words),
        below=(*filter(None, (line.format(**words) for line in told.get("below", ()))), *layout.below(frame)),
        frame=frame,
        parts=tuple(_part(layout, columns, across, own) for own in groups),
        is_crossed=bool(across),
        is_open=layout.is_open or told.get("open", False),
        **texts,
    )


def by_name(*tables: Table | None) -> dict[str, Table]:
    """Return the tables that there is anything for, by the names of their files."""
    return {table.name: table for table in tables if table}


def _column(told: Sequence[str], layout: Layout, words: Mapping[str, Any]) -> Column:
    head, source, way = [*told, ""][:3]
    form = "" if way in layout.shows or way == WIDE else way
    return Column(head.format(**words), source, form, layout.shows.get(way), is_wide=way == WIDE)


def _part(layout: Layout, columns: tuple[Column, ...], across: tuple[str, ...], frame: pd.DataFrame) -> Part:
    rows = frame.to_dict("records")
    title = layout.part_title(rows[0])
    if not across:
        return Part(title, columns, (), tuple(tuple(column.cell(row) for column in columns) for row in rows))
    heads: dict[tuple[Any, ...], tuple[str, ...]] = {}
    sides: dict[tuple[Any, ...], tuple[Cell, ...]] = {}
    cells: dict[tuple[Any, ...], dict[tuple[Any, ...], Cell]] = {}
    for row in rows:
        place, side = (tuple(row[name] for name in names) for names in (across, [c.source for c in columns]))
        names = tuple(METRIC_TITLES[part] if across == ("metric",) else str(part) for part in place)
        heads.setdefault(place, (layout.head(row),) if layout.head else names)
        sides.setdefault(side, tuple(column.cell(row) for column in columns))
        cells.setdefault(side, {})[place] = layout.cell(row)
    blank = Cell(layout.blank)
    lines = tuple((*sides[side], *(own.get(place, blank) for place in heads)) for side, own in cells.items())
    return Part(title, columns, tuple(heads.values()), lines)
