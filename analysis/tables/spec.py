"""What a table is: a frame of numbers, columns that say how these are shown, and a layout of cells made of both."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.decide import METRIC_TITLES

Row = Mapping[Any, Any]  # of a frame: column -> value
UNKNOWN, NOT_RUN, NOT_SCORED, TOO_FEW, NOT_TRIED = "unknown", "not run", "not scored", "too few", "\u2013"
MEAN, ALL_IDENTICAL = "mean", "all identical"  # what a cell holds
REGION_WORDS = {"full": "whole images", "crop": "centre crops"}
METRIC_DIGITS = {"mae": ".5f", "mse": ".2e", "psnr_db": ".2f", "ssim": ".4f"}
SPREAD_DIGITS = METRIC_DIGITS | {"mse": ".0e"}
GAIN_DIGITS = {"mae": "+.5f", "mse": "+.1e", "psnr_db": "+.2f", "ssim": "+.4f"}


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

    show: takes the whole row of the frame instead; is_wide: holds sentences, which may wrap.
    """

    title: str
    source: str = ""
    format: str | Callable[[Any], str] = ""
    show: Callable[[Row], Cell] | None = None
    is_wide: bool = False

    def cell(self, row: Row) -> Cell:
        """Show the column's part of a row."""
        return self.show(row) if self.show else value_cell(row[self.source], self.format)


@dataclass(frozen=True)
class TableSpec:
    """A table of the catalogue.

    frame: makes the numbers of whatever it is of; rows: what stands at the side, or all columns where nothing lies
    across; across: columns of the frame whose values lie across, a head of as many levels; cell: shows a place of
    those, blank one that is not in the frame. per: columns of the frame, a part of the table for each combination.
    below: lines to read with it. is_open: unfolded on the page. Columns at the side of what lies across have a source.
    """

    name: str
    section: str
    title: str | Callable[[Any], str]
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
    title = spec.title if isinstance(spec.title, str) else spec.title(owner)
    groups = [own for _, own in frame.groupby(list(spec.per), sort=False, dropna=False)] if spec.per else [frame]
    parts, below = tuple(_part(spec, own) for own in groups), tuple(spec.below(owner, frame))
    return Table(spec.name, spec.section, title, spec.caption, below, frame, parts, bool(spec.across), spec.is_open)


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
            heads[place] = spec.head(row) if spec.head else tuple(map(str, place))
        if side not in sides:
            sides[side], cells[side] = tuple(column.cell(row) for column in spec.rows), {}
        cells[side][place] = spec.cell(row)
    blank = Cell(spec.blank)
    lines = tuple((*sides[side], *(own.get(place, blank) for place in heads)) for side, own in cells.items())
    return Part(title, spec.rows, tuple(heads.values()), lines)


def is_missing(value: Any) -> bool:
    """Say whether a value of a frame is none: None, NaN or NA."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def value_cell(value: Any, form: str | Callable[[Any], str] = "") -> Cell:
    """Show a value of a frame."""
    return Cell(write_value(value, form), None if is_missing(value) else value)


def write_value(value: Any, form: str | Callable[[Any], str] = "") -> str:
    """Write a value of a frame; unknown where there is none."""
    if is_missing(value) or (isinstance(value, float) and math.isinf(value)):
        return UNKNOWN
    return form(value) if callable(form) else format(value, form) if form else str(value)


def write_spread(metric: str, mean: float, sd: float, high: float, n: int) -> str:
    """Write a mean, half of its interval and the standard deviation: "40.20 ±0.56 (0.35)".

    No half where there are too few fields for an interval, "one image" where there is no deviation.
    """
    if is_missing(mean):
        return UNKNOWN
    digits = SPREAD_DIGITS[metric]
    half = "" if is_missing(high) else f" ±{high - mean:{digits}}"
    return f"{mean:{METRIC_DIGITS[metric]}}{half}" + (" (one image)" if n == 1 else f" ({sd:{digits}})")


def write_mean(metric: str, mean: float | None) -> str:
    """Write a mean with the digits that its metric deserves."""
    return write_value(mean, METRIC_DIGITS[metric])


def write_bounds(low: float, high: float, form: str) -> str:
    """Write the bounds of an interval: "+0.10 to +0.30", or that there are too few fields."""
    return TOO_FEW if is_missing(low) else f"{low:{form}} to {high:{form}}"


def write_percent(value: Any) -> str:
    """Write a number of percent."""
    return f"{value:.1f} %"


# Columns that several tables have.
METRIC = Column("metric", "metric", lambda metric: METRIC_TITLES[metric])
SYSTEM = Column("system", "system", lambda system: system or "all")
QUALITY, TRIAL = Column("quality", "input_quality"), Column("trial", "trial_id", is_wide=True)
IMAGES = Column("images", "n_images", ",.0f")
SIGNED = "+.3f"
