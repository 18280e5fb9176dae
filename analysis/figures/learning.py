"""Learning curves: losses and monitored margin by epoch, a column of panels for each loss function."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.canvas import COLOURS, GRID_COLOUR, new_figure
from analysis.figures.margin import STATUS_MARKERS, MarginAxis
from models.names import LOSSES
from search.records import TrialRecord
from search.spec import TrialStatus

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
    losses = [loss for loss in LOSSES if (table["trained_on"] == loss).any()]
    losses += sorted(set(table["trained_on"]) - set(losses))
    figure = new_figure(max(8.6, 3.1 * len(losses)), 6.4 + 0.19 * len(named))
    grid = figure.subplots(2, len(losses), sharex=True, squeeze=False)
    for (above, below), loss in zip(grid.T, losses, strict=True):
        own = table[table["trained_on"] == loss]
        axis.draw(below)
        below.sharey(grid[1, 0])
        places = {trial_id: place for place, trial_id in enumerate(named)}
        for trial_id in sorted(own["trial_id"].unique(), key=places.__contains__):
            _draw_trial(above, below, own[own["trial_id"] == trial_id], places.get(trial_id), axis)
        above.set(title=f"trained on {loss}", yscale="log")
        below.set_xlabel("epoch")
        below.margins(x=0.08)
        for panel in (above, below):
            panel.grid(color=GRID_COLOUR, linewidth=0.6)
            panel.spines[["top", "right"]].set_visible(False)
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
