"""Parallel coordinates: every trial as a line through what was searched, to the margin it reached."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.canvas import new_figure
from analysis.figures.margin import MarginAxis
from analysis.study import AXES, ORDER
from search.records import TrialRecord
from search.spec import TrialSpec, TrialStatus

COLOUR_MAP = "cividis_r"  # of one order in brightness too: Nunez and others, PLOS ONE 13 (2018)
LOGARITHMIC = ("learning_rate",)
# A number with more different values is an axis of numbers, not of choices.
N_CHOICES = 8
SPREAD = 0.05  # of an axis of choices, so that lines through one choice do not hide each other
N_LINES = 60


@dataclass(frozen=True)
class Coordinate:
    """One axis. places: of each trial, 0 at its lower end and 1 at its upper; ticks: place -> what stands there."""

    name: str
    places: NDArray[np.float64]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class ParallelCoordinates:
    """Trials with a margin, worst first. A field that is the same in all of them is no coordinate."""

    trial_ids: tuple[str, ...]
    statuses: tuple[str, ...]
    margins: NDArray[np.float64]
    coordinates: tuple[Coordinate, ...]


def parallel_coordinates(records: Sequence[TrialRecord], axis: MarginAxis) -> ParallelCoordinates:
    """Lay out the fields of the specs that differ between trials with a margin, what is compared first, margin last."""
    ranked = sorted((record for record in records if record.margin is not None), key=lambda r: r.margin or 0.0)
    margins = np.array([record.margin for record in ranked], np.float64)
    specs = [asdict(record.spec) for record in ranked]
    names = dict.fromkeys([*AXES, *(field.name for field in fields(TrialSpec) if field.name != "parent")])
    rank = np.linspace(-SPREAD, SPREAD, len(ranked)) if len(ranked) > 1 else np.zeros(len(ranked))
    values = {name: [spec[name] for spec in specs] for name in names}
    coordinates = [_coordinate(name, own, rank) for name, own in values.items() if len(set(map(str, own))) > 1]
    return ParallelCoordinates(
        tuple(record.trial_id for record in ranked),
        tuple(record.status.value for record in ranked),
        margins,
        (*coordinates, _numbers("monitored margin", axis.clip(margins).tolist(), logarithmic=False)),
    )


def draw_parallel_coordinates(table: ParallelCoordinates) -> Figure:
    """Draw `parallel_coordinates`: darker is better; trials that did not complete are dashed."""
    figure = new_figure(max(6.0, 1.1 * len(table.coordinates) + 0.8), 5.2)
    panel = figure.subplots()
    heights = np.stack([coordinate.places for coordinate in table.coordinates], axis=1)
    across = np.arange(len(table.coordinates))
    worth = heights[:, -1]
    colours = ScalarMappable(Normalize(-0.15, 1), COLOUR_MAP).to_rgba(worth)  # the palest is too pale for a line
    completed = np.array([status == TrialStatus.COMPLETED.value for status in table.statuses])
    for kept, style, width in ((~completed, "dashed", 1.0), (completed, "solid", 1.6)):
        lines = [np.column_stack([across, row]) for row in heights[kept]]
        drawn = LineCollection(lines, colors=colours[kept], linestyles=style, linewidths=width)
        drawn.set_rasterized(len(worth) > N_LINES)
        panel.add_collection(drawn)
    for place, coordinate in enumerate(table.coordinates):
        _draw_axis(panel, place, coordinate)
    panel.set(xlim=(-0.35, len(across) - 0.45), ylim=(-0.1, 1.1), yticks=[])
    panel.set_xticks(across, [_shown(coordinate.name) for coordinate in table.coordinates], fontsize=9)
    panel.tick_params(axis="x", length=0)
    panel.spines[:].set_visible(False)
    figure.suptitle(f"{len(worth)} trials; solid: completed, dashed: ended before; darker: better", fontsize=11)
    return figure


def _draw_axis(panel: Axes, place: int, coordinate: Coordinate) -> None:
    panel.axvline(place, 0.06, 0.94, color="#000000", linewidth=0.9, zorder=3)
    for height, text in coordinate.ticks:
        box = {"facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
        panel.annotate(
            text, (place, height), (4, 0), textcoords="offset points", fontsize=8, va="center", bbox=box, zorder=4
        )


def _coordinate(name: str, values: list[Any], rank: NDArray[np.float64]) -> Coordinate:
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numeric and (len(set(values)) > N_CHOICES or name in LOGARITHMIC):
        return _numbers(name, [float(value) for value in values], logarithmic=name in LOGARITHMIC)
    usual = {str(value): place for place, value in enumerate(ORDER.get(name, ()))}
    choices = sorted(set(values), key=lambda value: (usual.get(str(value), -1), *_by_size(value)))
    heights = {str(choice): place for choice, place in zip(choices, np.linspace(0, 1, len(choices)), strict=True)}
    places = np.array([heights[str(value)] for value in values]) + rank * min(1.0, 4 / len(choices))
    return Coordinate(name, places, tuple((height, _written(choice)) for choice, height in heights.items()))


def _numbers(name: str, values: list[float], logarithmic: bool) -> Coordinate:
    low, high = min(values, default=0.0), max(values, default=0.0)
    scale = math.log if logarithmic else float
    width = scale(high) - scale(low)
    places = np.array([(scale(value) - scale(low)) / width if width else 0.5 for value in values])
    middle = math.sqrt(low * high) if logarithmic else (low + high) / 2
    ticks = ((0.0, low), (0.5, middle), (1.0, high)) if width else ((0.5, low),)
    return Coordinate(name, places, tuple((place, f"{value:.3g}") for place, value in ticks))


def _by_size(value: Any) -> tuple[bool, float, str]:
    """Sort None first, then numbers by size, then words."""
    is_number = isinstance(value, int | float)
    return (isinstance(value, str), float(value) if is_number else -math.inf, str(value))


def _shown(name: str) -> str:
    return {"architecture": "network"}.get(name, name.replace("_", "\n"))


def _written(choice: str) -> str:
    return {"None": "none", "True": "yes", "False": "no"}.get(choice, choice)
