"""Quality against cost: margin by multiply-accumulates and by parameters, and the trials that none beats in both."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from analysis.figures.canvas import COLOURS, GRID_COLOUR, MARKERS, new_figure
from analysis.figures.front import on_front
from analysis.figures.lineup import ALIVE
from analysis.figures.margin import MarginAxis
from models.names import ARCHITECTURES
from search.records import TrialRecord
from search.spec import TrialStatus

COSTS = {"macs_per_pixel": "multiply-accumulates a pixel", "parameters": "parameters"}
FRONT_COLOUR = "#444444"


def quality_and_cost(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Tabulate trials that completed or were stopped and have a margin: trial_id, architecture, status, margin, COSTS.

    A column more for each cost, front_...: no other trial costs at most as much and has at least the margin, one of
    them better. A cost of 0 is unknown: it is NaN, and on no front.
    """
    rows = [
        {
            "trial_id": record.trial_id,
            "architecture": record.spec.architecture,
            "status": record.status.value,
            "margin": record.margin,
            **{cost: getattr(record, cost) or np.nan for cost in COSTS},
        }
        for record in records
        if record.status in ALIVE and record.margin is not None
    ]
    table = pd.DataFrame(rows, columns=["trial_id", "architecture", "status", "margin", *COSTS])
    for cost in COSTS:
        table[f"front_{cost}"] = on_front(table[cost], table["margin"])
    return table


def draw_quality_and_cost(table: pd.DataFrame, axis: MarginAxis) -> Figure:
    """Draw `quality_and_cost`, a panel a cost, with the front as a line; stopped trials are hollow."""
    figure = new_figure(8.6, 5.2)
    panels = figure.subplots(1, len(COSTS), sharey=True)
    names = [name for name in ARCHITECTURES if name in set(table["architecture"])]
    names += sorted(set(table["architecture"]) - set(names))
    for panel, (cost, title) in zip(panels, COSTS.items(), strict=True):
        axis.draw(panel)
        _draw_front(panel, table[table[f"front_{cost}"]], cost, axis)
        for place, name in enumerate(names):
            _draw_points(panel, table[table["architecture"] == name], cost, place, axis)
        panel.set(xscale="log", xlabel=title)
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(EngFormatter(sep=" "))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.grid(color=GRID_COLOUR, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.label_outer()
    handles = [_handle(name, place) for place, name in enumerate(names)]
    handles.append(Line2D([], [], color=FRONT_COLOUR, linewidth=1.2, label="best at its cost"))
    if (table["status"] == TrialStatus.STOPPED.value).any():
        hollow = Line2D([], [], marker="o", markerfacecolor="none", color="#000000", linestyle="none")
        hollow.set_label("hollow: stopped")
        handles.append(hollow)
    handles += [line for line in panels[0].get_lines() if not str(line.get_label()).startswith("_")]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"Quality and cost of {len(table)} trials", fontsize=11)
    return figure


def _draw_front(panel: Axes, front: pd.DataFrame, cost: str, axis: MarginAxis) -> None:
    front = front.sort_values([cost, "margin"])
    panel.step(front[cost], axis.clip(front["margin"]), where="post", color=FRONT_COLOUR, linewidth=1.2, label="_front")


def _draw_points(panel: Axes, rows: pd.DataFrame, cost: str, place: int, axis: MarginAxis) -> None:
    for status in ALIVE:
        own = rows[rows["status"] == status.value]
        look = _look(place)
        if status is TrialStatus.STOPPED:
            look["markerfacecolor"] = "none"
        panel.plot(own[cost], axis.clip(own["margin"]), linestyle="none", label="_points", **look)


def _look(place: int) -> dict[str, Any]:
    """Return marker and colour of the network in a place, no two alike in both among six times six."""
    marker = MARKERS[(place + place // len(COLOURS)) % len(MARKERS)]
    return {"marker": marker, "color": COLOURS[place % len(COLOURS)], "markersize": 6}


def _handle(name: str, place: int) -> Line2D:
    return Line2D([], [], linestyle="none", label=name, **_look(place))
