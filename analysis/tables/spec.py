"""What a table is: a frame of numbers, columns that say how these are shown, and a layout of cells made of both."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from analysis.decide import METRIC_TITLES
from analysis.tables.formats import is_missing, write_value

Row = Mapping[Any, Any]  # of a frame: column -> value


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
class TableSpec:
    """A table of the catalogue.

    frame: makes the numbers of whatever it is of; rows: what stands at the side, or all columns where nothing lies
    across; across: columns of the frame whose values lie across, a head of as many levels; cell: shows a place of
    those, blank one that is not in the frame. per: columns of the frame, a part of the table for each combination.
    below: lines to read with it. is_open: unfolded on the page.
    """

    name: str
    section: str
    title: str
    frame: Callable[[Any], pd.DataFrame]
    rows: tuple[Column, ...]
    across: tuple[str, ...] = ()
    cell: Callable[[Row], Cell] = lambda row: Cell("")
    head: Callable[[Row], tuple[str, ...]] | None = None
    blank: str = ""
    per: tuple[str, ...] = ()
    part_title: Callable[[Row], str] = lambda row: ""
    caption: str = ""
    below: Callable[[Any, pd.DataFrame], Sequence[str]] = lambda owner, frame: ()
    is_open: bool = False


def spec_of(
    entry: str,
    frame: Callable[[Any], pd.DataFrame],
    shows: Mapping[str, Callable[[Row, str], Cell]] | None = None,
    words: Mapping[str, Any] | None = None,
    **more: Any,
) -> TableSpec:
    """Return the table of an entry of catalogue.toml. shows: how its columns are shown that FORMATS does not know.

    words: what stands in the braces of its texts; more: fields of TableSpec that the entry does not tell, or others.
    """
    listed, shows, words = read_catalogue()[entry], shows or {}, words or {}
    title, caption = (listed.get(name, "").format(**words) for name in ("title", "caption"))
    columns = []
    for head, source, *formats in listed["columns"]:
        way = formats[0] if formats else ""
        column = Column(head.format(**words), source, "" if way in shows else way, shows.get(way))
        columns.append(replace(column, format="", is_wide=True) if way == "wide" else column)
    layout = {name: tuple(listed[name]) for name in ("across", "per") if name in listed}
    lines, more_lines = listed.get("below", []), more.pop("below", lambda owner, frame: ())
    fields = {"name": entry, "rows": tuple(columns), "caption": caption, "is_open": listed.get("open", False), **layout}
    fields |= {"section": listed["section"], "title": title, "frame": frame}
    return TableSpec(**{**fields, "below": lambda owner, frame: (*lines, *more_lines(owner, frame)), **more})


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


@dataclass(frozen=True)
class Table:
    """A laid-out table. frame: its numbers; parts: what is shown of them."""

    name: str
    section: str
    title: str
    caption: str
    below: tuple[str, ...]
    frame: pd.DataFrame
    parts: tuple[Part, ...]
    is_crossed: bool
    is_open: bool = False

    @property
    def n_rows(self) -> int:
        return sum(len(part.lines) for part in self.parts)


def lay_out(spec: TableSpec, owner: Any) -> Table | None:
    """Lay a table out; None where its owner has nothing for it."""
    frame = spec.frame(owner)
    if frame.empty:
        return None
    groups = [own for _, own in frame.groupby(list(spec.per), sort=False, dropna=False)] if spec.per else [frame]
    parts, below = tuple(_part(spec, own) for own in groups), tuple(spec.below(owner, frame))
    is_crossed = bool(spec.across)
    return Table(spec.name, spec.section, spec.title, spec.caption, below, frame, parts, is_crossed, spec.is_open)


def lay_out_all(specs: Sequence[TableSpec], owner: Any) -> dict[str, Table]:
    """Lay out every table that its owner has anything for, by the names of their files."""
    return {table.name: table for spec in specs if (table := lay_out(spec, owner))}


def _part(spec: TableSpec, frame: pd.DataFrame) -> Part:
    rows = frame.to_dict("records")
    title = spec.part_title(rows[0]) if spec.per else ""
    if not spec.across:
        return Part(title, spec.rows, (), tuple(tuple(column.cell(row) for column in spec.rows) for row in rows))
    heads: dict[tuple[Any, ...], tuple[str, ...]] = {}
    sides: dict[tuple[Any, ...], tuple[Cell, ...]] = {}
    cells: dict[tuple[Any, ...], dict[tuple[Any, ...], Cell]] = {}
    for row in rows:
        place, side = (tuple(row[name] for name in names) for names in (spec.across, [c.source for c in spec.rows]))
        if place not in heads:
            heads[place] = spec.head(row) if spec.head else _head(spec.across, place)
        if side not in sides:
            sides[side], cells[side] = tuple(column.cell(row) for column in spec.rows), {}
        cells[side][place] = spec.cell(row)
    blank = Cell(spec.blank)
    lines = tuple((*sides[side], *(own.get(place, blank) for place in heads)) for side, own in cells.items())
    return Part(title, spec.rows, tuple(heads.values()), lines)


def _head(across: tuple[str, ...], place: tuple[Any, ...]) -> tuple[str, ...]:
    return (METRIC_TITLES[place[0]],) if across == ("metric",) else tuple(map(str, place))
