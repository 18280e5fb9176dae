"""What a table is: a frame of numbers, columns that say how these are shown, and a layout of cells made of both."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

Row = Mapping[Any, Any]  # of a frame: column -> value
UNKNOWN, NOT_RUN, NOT_SCORED, TOO_FEW = "unknown", "not run", "not scored", "too few"
METRIC_DIGITS = {"mae": ".5f", "mse": ".2e", "psnr_db": ".2f", "ssim": ".4f"}
SPREAD_DIGITS = METRIC_DIGITS | {"mse": ".0e"}


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
        if self.show:
            return self.show(row)
        value = row[self.source]
        return Cell(write_value(value, self.format), None if is_missing(value) else value)


@dataclass(frozen=True)
class TableSpec:
    """A table of the catalogue.

    frame: makes the numbers of whatever it is of; rows: what stands at the side, or all columns where nothing lies
    across; across: columns of the frame whose values lie across, a head of as many levels; cell: shows a place of
    those. per: columns of the frame, a part of the table for each combination. below: lines to read with it. when: why
    there is no such table, "" where there is. is_open: unfolded on the page.
    """

    name: str
    section: str
    title: str | Callable[[Any], str]
    frame: Callable[[Any], pd.DataFrame]
    rows: tuple[Column, ...]
    across: tuple[str, ...] = ()
    cell: Callable[[Row], Cell] | None = None
    per: tuple[str, ...] = ()
    part_title: Callable[[Row], str] = lambda row: ""
    head: Callable[[Row], tuple[str, ...]] | None = None
    caption: str | Callable[[Any], str] = ""
    below: Callable[[Any, pd.DataFrame], Sequence[str]] = lambda owner, frame: ()
    when: Callable[[Any], str] = lambda owner: ""
    is_open: bool = False


@dataclass(frozen=True)
class Part:
    """A grid: heads of the side, heads of what lies across (each a tuple of levels), and lines of cells of both."""

    title: str
    side: tuple[Column, ...]
    heads: tuple[tuple[str, ...], ...]
    lines: tuple[tuple[Cell, ...], ...]
    key: Mapping[str, Any] = field(default_factory=dict)


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
    if spec.when(owner):
        return None
    frame = spec.frame(owner)
    if frame.empty:
        return None
    title, caption = (text if isinstance(text, str) else text(owner) for text in (spec.title, spec.caption))
    parts = tuple(_part(spec, own, key) for key, own in _groups(frame, spec.per))
    below = tuple(spec.below(owner, frame))
    return Table(
        spec.name, spec.section, title, caption, below, frame, parts, is_crossed=bool(spec.across), is_open=spec.is_open
    )


def _groups(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    if not names:
        return [({}, frame)]
    grouped = frame.groupby(list(names), sort=False, dropna=False)
    return [(dict(zip(names, key, strict=True)), own) for key, own in grouped]


def _part(spec: TableSpec, frame: pd.DataFrame, key: dict[str, Any]) -> Part:
    rows = frame.to_dict("records")
    title = spec.part_title(rows[0]) if spec.per else ""
    if not spec.across:
        lines = tuple(tuple(column.cell(row) for column in spec.rows) for row in rows)
        return Part(title, spec.rows, (), lines, key)
    heads: dict[tuple[Any, ...], tuple[str, ...]] = {}
    lines_of: dict[tuple[str, ...], dict[tuple[Any, ...], Cell]] = {}
    sides: dict[tuple[str, ...], tuple[Cell, ...]] = {}
    for row in rows:
        place = tuple(row[name] for name in spec.across)
        heads.setdefault(place, spec.head(row) if spec.head else tuple(str(value) for value in place))
        side = tuple(column.cell(row) for column in spec.rows)
        line = tuple(cell.text for cell in side)
        sides.setdefault(line, side)
        if spec.cell is not None:
            lines_of.setdefault(line, {})[place] = spec.cell(row)
    lines = tuple((*sides[line], *(cells.get(place, Cell("")) for place in heads)) for line, cells in lines_of.items())
    return Part(title, spec.rows, tuple(heads.values()), lines, key)


def is_missing(value: Any) -> bool:
    """Say whether a value of a frame is none: None, NaN or NA."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def write_value(value: Any, form: str | Callable[[Any], str] = "") -> str:
    """Write a value of a frame; unknown where there is none."""
    if is_missing(value) or (isinstance(value, float) and math.isinf(value)):
        return UNKNOWN
    return form(value) if callable(form) else format(value, form) if form else str(value)


def write_spread(metric: str, mean: float, sd: float, high: float, n: int) -> str:
    """Write a mean, half of its interval and the standard deviation: "40.20 ±0.56 (0.35)".

    "too few" stands where there are too few fields for an interval, "one image" where there is no deviation.
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


def write_signed(value: Any) -> str:
    """Write a number with its sign, three digits after the point."""
    return f"{value:+.3f}"
