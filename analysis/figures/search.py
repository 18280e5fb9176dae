"""Figures of a search: how trials learned, in which order they ended, and what quality costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from analysis.figures.style import COLOURS, MARGINS, MARKERS, STATUS_MARKERS, MarginAxis, new_figure, tidy
from analysis.ranking import Ranking
from analysis.run import ALIVE
from analysis.statistics import on_front
from search.records import TrialRecord
from search.space.spec import TrialStatus

OTHER_COLOUR = "#b8b8b8"
MEASURED = ("loss", "validation_loss", "margin")
# More curves than this make a drawing of lines larger than one of points.
N_LINES = 60


def learning_curves(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Tabulate the curves of trials, a row per epoch, in the records' order.

    Returns trial_id, trained_on (the loss function), status, epoch, loss, validation_loss, margin; NaN where an epoch
    has none. A trial without a curve has no row.
    """
    rows = [
        [record.trial_id, record.spec.loss, record.status.value, *(row.get(name) for name in ("epoch", *MEASURED))]
        for record in records
        for row in record.curve
        if row.get("epoch") is not None
    ]
    table = pd.DataFrame(rows, columns=["trial_id", "trained_on", "status", "epoch", *MEASURED])
    return table.astype({"epoch": int, **dict.fromkeys(MEASURED, float)})


def draw_learning_curves(table: pd.DataFrame, named: Mapping[str, str], axis: MarginAxis) -> Figure:
    """Draw `learning_curves`. named: trial_id -> label of those that get a colour and a number; the others are grey.

    Every curve ends in the mark of how its trial ended, and in its number if it is named. Losses of different functions
    do not compare, so each has an axis of its own.
    """
    losses = sorted(set(table["trained_on"]))
    figure = new_figure(max(8.6, 3.1 * len(losses)), 6.4 + 0.19 * len(named))
    grid = figure.subplots(2, len(losses), sharex=True, squeeze=False)
    for (above, below), loss in zip(grid.T, losses, strict=True):
        own = table[table["trained_on"] == loss]
        axis.draw(below)
        below.sharey(grid[1, 0])
        places = {trial_id: place for place, trial_id in enumerate(named)}
        for trial_id in sorted(own["trial_id"].unique(), key=places.__contains__):
            _draw_trial(above, below, own[own["trial_id"] == trial_id], places.get(trial_id), axis)
        above.set(title=f"trained on {loss}")
        if (own[own["loss"].notna()]["loss"] > 0).all():  # a relative loss is negative
            above.set_yscale("log")
        below.set_xlabel("epoch")
        below.margins(x=0.08)
        for panel in (above, below):
            tidy(panel)
            _rasterize(panel)
        below.label_outer()
    grid[0, 0].set_ylabel("loss")
    figure.legend(handles=_handles(table, named, axis), loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.suptitle(f"Learning curves of {table['trial_id'].nunique()} trials", fontsize=11)
    return figure


def _draw_trial(above: Axes, below: Axes, curve: pd.DataFrame, place: int | None, axis: MarginAxis) -> None:
    colour = OTHER_COLOUR if place is None else COLOURS[place]
    look: dict[str, Any] = {
        "color": colour,
        "linewidth": 0.7 if place is None else 1.4,
        "zorder": 2 if place is None else 3,
    }
    margins = axis.clip(curve["margin"])
    above.plot(curve["epoch"], curve["loss"].where(curve["loss"] > 0), **look)
    if place is not None:
        above.plot(curve["epoch"], curve["validation_loss"].where(curve["validation_loss"] > 0), linestyle="--", **look)
    below.plot(curve["epoch"], margins, **look)
    marker = STATUS_MARKERS[TrialStatus(curve["status"].iloc[0])]
    for panel, values in ((above, curve["loss"].to_numpy()), (below, margins)):
        known = np.flatnonzero(np.isfinite(values))
        if known.size:
            at = known[-1]
            size = 4.5 if place is None else 6.5
            end = curve["epoch"].iloc[at], values[at]
            panel.plot(*end, marker=marker, markersize=size, color=colour, zorder=4)
            if place is not None and panel is below:
                aside = 5 + 7 * len(panel.texts), 0  # curves may end in one place
                panel.annotate(str(place + 1), end, aside, textcoords="offset points", fontsize=8, va="center")


def _rasterize(panel: Axes) -> None:
    lines = panel.get_lines()
    if len(lines) > N_LINES:
        for line in lines:
            line.set_rasterized(True)


def _handles(table: pd.DataFrame, named: Mapping[str, str], axis: MarginAxis) -> list[Line2D]:
    handles = [
        Line2D([], [], color=COLOURS[place], linewidth=1.4, label=f"{place + 1}: {label}")
        for place, label in enumerate(named.values())
    ]
    if table["trial_id"].nunique() > len(named):
        handles.append(Line2D([], [], color=OTHER_COLOUR, linewidth=0.7, label="other trials, training loss alone"))
    if table.loc[table["trial_id"].isin(list(named)), "validation_loss"].notna().any():
        handles.append(Line2D([], [], color="#000000", linestyle="--", label="validation loss"))
    for status, marker in STATUS_MARKERS.items():
        if (table["status"] == status.value).any():
            handles.append(Line2D([], [], color="#000000", linestyle="none", marker=marker, label=status.value))
    handles.append(Line2D([], [], color="#000000", linestyle=":", label="0: as good as the reference"))
    if axis.input_margin is not None:
        text = f"{axis.input_margin:.2f}: JPEG as it is"
        handles.append(Line2D([], [], color="#666666", linestyle="--", linewidth=0.9, label=text))
    return handles


BEST_COLOUR = "#D55E00"
STATUS_COLOURS = dict(zip(STATUS_MARKERS, (COLOURS[0], "#555555", COLOURS[3], COLOURS[2], COLOURS[5]), strict=False))


def search_history(records: Sequence[TrialRecord], ranking: Ranking = MARGINS) -> pd.DataFrame:
    """Tabulate trials in the order in which they ended.

    Returns place (1, 2, ...), trial_id, status, value (margin or bytes at parity, as they are ranked; NaN where there
    is none), best (that of the best so far of trials that completed or were stopped), epochs_run, epochs_allowed,
    epochs_spent (of all so far).
    """
    table = pd.DataFrame(
        {
            "place": range(1, len(records) + 1),
            "trial_id": [record.trial_id for record in records],
            "status": [record.status.value for record in records],
            "value": np.array([ranking.value(record) for record in records], np.float64),
            "epochs_run": [record.epochs_run for record in records],
            "epochs_allowed": [record.spec.epochs for record in records],
        }
    )
    merits = (ranking.sign * table["value"]).where(table["status"].isin([status.value for status in ALIVE]))
    table["best"] = ranking.sign * merits.cummax().ffill()
    table["epochs_spent"] = table["epochs_run"].cumsum()
    return table


def rungs(table: pd.DataFrame) -> list[int]:
    """List the epochs at which trials of a `search_history` were stopped."""
    return sorted({int(epochs) for epochs in table.loc[table["status"] == TrialStatus.STOPPED.value, "epochs_run"]})


def draw_search_history(table: pd.DataFrame, axis: MarginAxis) -> Figure:
    """Draw a `search_history`: values with the best so far above, epochs below; trials without a margin lie beyond
    the worst."""
    figure = new_figure(8.6, 6.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    axis.draw(above)
    above.step(
        table["place"], axis.clip(table["best"]), where="post", color=BEST_COLOUR, linewidth=1.4, label="best so far"
    )
    drawn = pd.Series(axis.clip(table["value"]), table.index)
    edge = axis.edge(drawn)
    for status in STATUS_MARKERS:
        rows = table[table["status"] == status.value]
        if len(rows):
            _draw_status(above, below, rows, drawn[rows.index].fillna(edge), status)
    for epochs in rungs(table):
        below.axhline(epochs, color="#888888", linewidth=0.7, linestyle=":")
    below.set_ylim(bottom=0)
    below.set(xlabel="trial, in order of ending", ylabel="epochs")
    for panel in (above, below):
        tidy(panel, "y")
    below.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = above.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    spent, allowed = int(table["epochs_run"].sum()), int(table["epochs_allowed"].sum())
    figure.suptitle(f"{len(table)} trials, {spent} epochs of the {allowed} that all would take to the end", fontsize=11)
    return figure


def _draw_status(
    above: Axes, below: Axes, rows: pd.DataFrame, margins: "pd.Series[float]", status: TrialStatus
) -> None:
    colour = STATUS_COLOURS.get(status, "#000000")
    n_without = int(rows["value"].isna().sum())
    without = f" ({n_without} without a margin)" if n_without else ""
    above.plot(
        rows["place"],
        margins,
        linestyle="none",
        marker=STATUS_MARKERS[status],
        markersize=7 if STATUS_MARKERS[status] == "|" else 5,
        color=colour,
        label=f"{status.value}: {len(rows)}{without}",
    )
    below.vlines(rows["place"], 0, rows["epochs_run"], color=colour, linewidth=2 if len(rows) < 80 else 1)


COSTS = {
    "macs_per_pixel": "multiply-accumulates a pixel",
    "parameters": "parameters",
    "restore_ms": "measured ms an image",
}
FRONT_COLOUR = "#444444"


def quality_and_cost(records: Sequence[TrialRecord], ranking: Ranking = MARGINS) -> pd.DataFrame:
    """Tabulate trials that completed or were stopped and have a margin: trial_id, architecture, status, value, COSTS.

    value: margin or bytes at parity, as they are ranked. A column more for each cost, front_...: no other trial costs
    at most as much and is at least as good, one of them better. A cost of 0 is unknown: it is NaN, and on no front.
    """
    rows = [
        {
            "trial_id": record.trial_id,
            "architecture": record.spec.architecture,
            "status": record.status.value,
            "value": ranking.value(record),
            **{cost: getattr(record, cost, None) or np.nan for cost in COSTS},
        }
        for record in records
        if record.status in ALIVE and record.margin is not None
    ]
    table = pd.DataFrame(rows, columns=["trial_id", "architecture", "status", "value", *COSTS])
    for cost in COSTS:
        table[f"front_{cost}"] = on_front(table[cost], ranking.sign * table["value"])
    return table


def draw_quality_and_cost(table: pd.DataFrame, axis: MarginAxis) -> Figure:
    """Draw `quality_and_cost`, a panel a cost, with the front as a line; stopped trials are hollow."""
    costs = {cost: title for cost, title in COSTS.items() if table[cost].notna().any()}
    figure = new_figure(max(8.6, 3.9 * len(costs)), 5.2)
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    names = sorted(set(table["architecture"]))
    for panel, (cost, title) in zip(panels, costs.items(), strict=True):
        axis.draw(panel)
        _draw_front(panel, table[table[f"front_{cost}"]], cost, axis)
        for place, name in enumerate(names):
            _draw_points(panel, table[table["architecture"] == name], cost, place, axis)
        panel.set(xscale="log", xlabel=title)
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(EngFormatter(sep=" "))
        panel.xaxis.set_minor_locator(NullLocator())
        tidy(panel)
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
    front = front.sort_values([cost, "value"])
    panel.step(front[cost], axis.clip(front["value"]), where="post", color=FRONT_COLOUR, linewidth=1.2, label="_front")


def _draw_points(panel: Axes, rows: pd.DataFrame, cost: str, place: int, axis: MarginAxis) -> None:
    for status in ALIVE:
        own = rows[rows["status"] == status.value]
        look = _look(place)
        if status is TrialStatus.STOPPED:
            look["markerfacecolor"] = "none"
        panel.plot(own[cost], axis.clip(own["value"]), linestyle="none", label="_points", **look)


def _look(place: int) -> dict[str, Any]:
    """Return marker and colour of the network in a place, no two alike in both among six times six."""
    marker = MARKERS[(place + place // len(COLOURS)) % len(MARKERS)]
    return {"marker": marker, "color": COLOURS[place % len(COLOURS)], "markersize": 6}


def _handle(name: str, place: int) -> Line2D:
    return Line2D([], [], linestyle="none", label=name, **_look(place))
