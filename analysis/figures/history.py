"""Search history: margin and epochs of every trial in the order in which they ended, and the best so far."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.canvas import COLOURS, GRID_COLOUR, new_figure
from analysis.figures.lineup import ALIVE
from analysis.figures.margin import STATUS_MARKERS, MarginAxis
from search.records import TrialRecord
from search.spec import TrialStatus

BEST_COLOUR = "#D55E00"
STATUS_COLOURS = dict(zip(STATUS_MARKERS, (COLOURS[0], "#555555", COLOURS[3], COLOURS[2], COLOURS[5]), strict=False))


def search_history(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Tabulate trials in the order in which they ended.

    Returns place (1, 2, ...), trial_id, status, margin (NaN where there is none), best (the largest margin so far of
    trials that completed or were stopped), epochs_run, epochs_allowed, epochs_spent (of all so far).
    """
    table = pd.DataFrame(
        {
            "place": range(1, len(records) + 1),
            "trial_id": [record.trial_id for record in records],
            "status": [record.status.value for record in records],
            "margin": np.array([record.margin for record in records], np.float64),
            "epochs_run": [record.epochs_run for record in records],
            "epochs_allowed": [record.spec.epochs for record in records],
        }
    )
    table["best"] = table["margin"].where(table["status"].isin([status.value for status in ALIVE])).cummax().ffill()
    table["epochs_spent"] = table["epochs_run"].cumsum()
    return table


def rungs(table: pd.DataFrame) -> list[int]:
    """List the epochs at which trials of a `search_history` were stopped."""
    return sorted({int(epochs) for epochs in table.loc[table["status"] == TrialStatus.STOPPED.value, "epochs_run"]})


def draw_search_history(table: pd.DataFrame, axis: MarginAxis) -> Figure:
    """Draw a `search_history`: margins with the best so far above, epochs below; trials without a margin lie on the
    lower edge."""
    figure = new_figure(8.6, 6.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    axis.draw(above)
    above.step(
        table["place"], axis.clip(table["best"]), where="post", color=BEST_COLOUR, linewidth=1.4, label="best so far"
    )
    drawn = pd.Series(axis.clip(table["margin"]), table.index)
    lowest = min(drawn.min(), 0 if axis.input_margin is None else axis.input_margin)
    edge = lowest - 0.25 if np.isfinite(lowest) else -0.25
    for status in STATUS_MARKERS:
        rows = table[table["status"] == status.value]
        if len(rows):
            _draw_status(above, below, rows, drawn[rows.index].fillna(edge), status)
    for epochs in rungs(table):
        below.axhline(epochs, color="#888888", linewidth=0.7, linestyle=":")
    below.set_ylim(bottom=0)
    below.set(xlabel="trial, in order of ending", ylabel="epochs")
    for panel in (above, below):
        panel.grid(axis="y", color=GRID_COLOUR, linewidth=0.5)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
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
    n_without = int(rows["margin"].isna().sum())
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
