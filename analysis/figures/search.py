"""Figures of a search: how trials learned, in which order they ended, and what quality costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from analysis.figures.picture import Drawn, counted, take_picture
from analysis.figures.style import COLOURS, LEVEL, finish, label_plainly, look, new_figure
from analysis.findings import Findings
from analysis.ranking import Ranking
from analysis.records import fidelity_sentence, label
from analysis.run import ALIVE
from analysis.statistics import on_pareto_front
from search.records import TrialRecord
from search.space.spec import TrialStatus

MARGINS = Ranking()
GREY = "#b8b8b8"
CURVE = ("epoch", "loss", "validation_loss", "margin")
COSTS = {
    "macs_per_pixel": "multiply-accumulates a pixel",
    "parameters": "parameters",
    "restore_ms": "measured ms an image",
}
# How a trial ended: completed, stopped, ... in every figure of the search.
STATUS_MARKERS = {
    TrialStatus.COMPLETED: "o",
    TrialStatus.STOPPED: "s",
    TrialStatus.PAUSED: "D",
    TrialStatus.DIVERGED: "x",
    TrialStatus.DEAD: "v",
    TrialStatus.FAILED: "P",
    TrialStatus.UNKNOWN: "d",
}


@dataclass(frozen=True)
class MarginAxis:
    """The axis of what trials are ranked by.

    input_margin: of JPEG as it is, None where no record tells it. floor: margins under it are drawn on it, so that a
    trial that diverged does not flatten the others. by_parity: bytes at parity, of which JPEG as it is has 1, instead.
    """

    input_margin: float | None = None
    floor: float = -np.inf
    by_parity: bool = False

    def clip(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return values as they are drawn; what is none stays NaN."""
        return np.maximum(np.asarray(values, np.float64), self.floor)

    def edge(self, drawn: ArrayLike) -> float:
        """Return where trials without a value are marked: beyond the worst of what is drawn."""
        known = [float(value) for value in np.ravel(drawn) if np.isfinite(value)]
        return max([1.0, *known]) + 0.1 if self.by_parity else min([0.0, self.input_margin or 0.0, *known]) - 0.25

    def below(self, values: ArrayLike) -> str:
        """Say how many margins are drawn on the floor, empty where none is."""
        n_below = int(np.sum(np.asarray(values, np.float64) < self.floor))
        return counted(f"Margins under {self.floor:.2f} are drawn at that level", n_below)

    def draw(self, panel: Axes) -> None:
        """Draw the levels of JPEG as it is and of the reference, and name the axis."""
        dashed = LEVEL | {"linestyle": "--"}
        if self.by_parity:
            panel.axhline(1, label="100 %: JPEG as it is", **dashed)
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        else:
            panel.axhline(0, label="0: as good as the reference", **LEVEL)
            if self.input_margin is not None:
                panel.axhline(self.input_margin, label=f"{self.input_margin:.2f}: JPEG as it is", **dashed)
        panel.set_ylabel("monitored bytes at parity: fewer is better" if self.by_parity else "monitored margin")


def margin_axis(records: Sequence[TrialRecord], ranking: Ranking = MARGINS) -> MarginAxis:
    """Choose the axis for the margins of trials: as far under JPEG as it is as the best is above it, at least 1."""
    margins = [record.margin for record in records if record.margin is not None]
    inputs = [record.input_margin for record in records if record.input_margin is not None]
    if ranking.by_parity or not inputs:
        return MarginAxis(by_parity=ranking.by_parity)
    floor = min(inputs) - max(1.0, max(margins) - min(inputs)) if margins else -np.inf
    return MarginAxis(min(inputs), floor)


def learning(findings: Findings) -> Drawn:
    """Draw how trials learned."""
    trials = findings.run.trials
    table = learning_curves(trials)
    if table.empty:
        return "no trial has one"
    axis, drawn = margin_axis(trials), set(table["trial_id"])
    shown = {record.trial_id: label(record) for record in trials if record.trial_id in drawn}
    shown = dict(list(shown.items())[: len(COLOURS)])
    words = {"n_shown": len(shown), "unequal": fidelity_sentence(trials)}
    more = "" if table["validation_loss"].notna().any() else " No trial was asked for a validation loss."
    more += counted("Epochs whose loss is no finite number, not drawn", int(table["loss"].isna().sum()))
    more += counted("Trials without a curve, not drawn", len(trials) - len(drawn)) + axis.below(table["margin"])
    return [take_picture("learning_curves", draw_learning_curves(table, shown, axis), words, more)]


def learning_curves(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Tabulate the curves of trials, a row per epoch, in the records' order.

    Returns trial_id, trained_on (the loss function), status and CURVE; NaN where an epoch has none. A trial without a
    curve has no row.
    """
    rows = [
        [record.trial_id, record.spec.loss, record.status.value, *(row.get(name) for name in CURVE)]
        for record in records
        for row in record.curve
        if row.get("epoch") is not None
    ]
    table = pd.DataFrame(rows, columns=["trial_id", "trained_on", "status", *CURVE])
    return table.astype(dict.fromkeys(CURVE, float))


def draw_learning_curves(table: pd.DataFrame, named: dict[str, str], axis: MarginAxis) -> Figure:
    """Draw `learning_curves`. named: trial_id -> label of those that get a colour; the others are grey.

    Every curve ends in the mark of how its trial ended. Losses of different functions have axes of their own.
    """
    losses, places = sorted(set(table["trained_on"])), {trial: place for place, trial in enumerate(named)}
    figure = new_figure(max(8.6, 3.1 * len(losses)), 6.4 + 0.19 * len(named))
    grid = figure.subplots(2, len(losses), sharex=True, squeeze=False)
    for (above, below), loss in zip(grid.T, losses, strict=True):
        own = table[table["trained_on"] == loss]
        axis.draw(below)
        below.sharey(grid[1, 0])
        for trial, curve in own.groupby("trial_id"):
            place = places.get(str(trial))
            colour = {"color": GREY if place is None else COLOURS[place], "zorder": 2 if place is None else 3}
            line = {"linewidth": 0.7 if place is None else 1.4, "rasterized": place is None, **colour}
            end = {"marker": STATUS_MARKERS[TrialStatus(curve["status"].iloc[0])], "markersize": 5, **colour}
            for panel, values in ((above, curve["loss"].where(curve["loss"] > 0)), (below, curve["margin"])):
                panel.plot(curve["epoch"], axis.clip(values) if panel is below else values, **line)
                last = values.last_valid_index()
                if last is not None:
                    panel.plot(curve["epoch"][last], axis.clip(values[last]) if panel is below else values[last], **end)
            if place is not None:
                above.plot(curve["epoch"], curve["validation_loss"], linestyle="--", **line)
        above.set(title=f"trained on {loss}", yscale="log" if (own["loss"].dropna() > 0).all() else "linear")
        below.set_xlabel("epoch")
        below.label_outer()
    grid[0, 0].set_ylabel("loss")
    lines = [Line2D([], [], color=COLOURS[place], label=text) for place, text in enumerate(named.values())]
    if table["trial_id"].nunique() > len(named):
        lines.append(Line2D([], [], color=GREY, label="other trials, training loss alone"))
    if table.loc[table["trial_id"].isin(list(named)), "validation_loss"].notna().any():
        lines.append(Line2D([], [], color="#000000", linestyle="--", label="validation loss"))
    ends = [status for status in STATUS_MARKERS if (table["status"] == status.value).any()]
    lines += [*(_mark(STATUS_MARKERS[s], s.value) for s in ends), *grid[1, 0].get_legend_handles_labels()[0]]
    finish(figure, f"Learning curves of {table['trial_id'].nunique()} trials", *lines)
    return figure


def history(findings: Findings) -> Drawn:
    """Draw trials in the order in which they ended."""
    records, ranking = [r for r in findings.run.records if not r.spec.is_baseline], findings.run.ranking
    if not records:
        return "no trial has ended"
    table, axis = search_history(records, ranking), margin_axis(records, ranking)
    stopped_at = ", ".join(map(str, rungs(table)))
    more = f" Trials were stopped at epoch {stopped_at}, where dotted lines are." if stopped_at else ""
    edge = "upper" if ranking.by_parity else "lower"
    more += counted(f"Trials without a margin, marked on the {edge} edge", int(table["value"].isna().sum()))
    more += axis.below(table["value"])
    return [take_picture("search_history", draw_search_history(table, axis), {"measure": ranking.measure}, more)]


def search_history(records: Sequence[TrialRecord], ranking: Ranking = MARGINS) -> pd.DataFrame:
    """Tabulate trials in the order in which they ended.

    Returns place (1, 2, ...), status, value (margin or bytes at parity, as they are ranked; NaN where there is none),
    best (that of the best so far of trials that completed or were stopped), epochs_run, epochs_allowed.
    """
    rows = [(str(r.status), ranking.value(r), r.epochs_run, r.spec.epochs) for r in records]
    table = pd.DataFrame(rows, columns=["status", "value", "epochs_run", "epochs_allowed"]).astype({"value": float})
    merits = (ranking.sign * table["value"]).where(table["status"].isin([status.value for status in ALIVE]))
    return table.assign(place=range(1, len(table) + 1), best=ranking.sign * merits.cummax().ffill())


def rungs(table: pd.DataFrame) -> list[int]:
    """List the epochs at which trials of a `search_history` were stopped."""
    return sorted({int(epochs) for epochs in table.loc[table["status"] == TrialStatus.STOPPED.value, "epochs_run"]})


def draw_search_history(table: pd.DataFrame, axis: MarginAxis) -> Figure:
    """Draw a `search_history`: values with the best so far above, epochs below; trials without a value lie beyond."""
    figure = new_figure(8.6, 6.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    axis.draw(above)
    above.step(table["place"], axis.clip(table["best"]), where="post", color=COLOURS[1], label="best so far")
    table = table.assign(drawn=axis.clip(table["value"]))
    edge = axis.edge(table["drawn"])
    for place, (status, marker) in enumerate(STATUS_MARKERS.items()):
        rows = table[table["status"] == status.value]
        if rows.empty:
            continue
        colour, n_without = (*COLOURS, "#555555")[place], int(rows["value"].isna().sum())
        text = f"{status.value}: {len(rows)}" + (f" ({n_without} without a margin)" if n_without else "")
        shown = {"linestyle": "none", "marker": marker, "markersize": 5, "color": colour, "label": text}
        above.plot(rows["place"], rows["drawn"].fillna(edge), **shown)
        below.vlines(rows["place"], 0, rows["epochs_run"], color=colour, linewidth=2 if len(rows) < 80 else 1)
    for epochs in rungs(table):
        below.axhline(epochs, **LEVEL)
    below.set_ylim(bottom=0)
    below.set(xlabel="trial, in order of ending", ylabel="epochs")
    below.xaxis.get_major_locator().set_params(integer=True)
    spent, allowed = int(table["epochs_run"].sum()), int(table["epochs_allowed"].sum())
    title = f"{len(table)} trials, {spent} epochs of the {allowed} that all would take to the end"
    finish(figure, title, lines="y")
    return figure


def cost(findings: Findings) -> Drawn:
    """Draw quality against what restoring costs, with the Pareto front."""
    trials, ranking = findings.run.trials, findings.run.ranking
    table, axis = quality_and_cost(trials, ranking), margin_axis(trials, ranking)
    known = table.dropna(subset=["macs_per_pixel", "parameters"])
    if known.empty:
        return "no trial with a margin tells what its network costs"
    shown = [record for record in trials if record.trial_id in set(known["trial_id"])]
    words = {"measure": ranking.measure, "unequal": fidelity_sentence(shown)}
    others = "Trials that diverged, died, failed or have no margin or cost, not drawn"
    more = counted(others, len(trials) - len(known)) + axis.below(known["value"])
    return [take_picture("quality_and_cost", draw_quality_and_cost(known, axis), words, more)]


def quality_and_cost(records: Sequence[TrialRecord], ranking: Ranking = MARGINS) -> pd.DataFrame:
    """Tabulate the trials that are alive and have a margin: trial_id, architecture, status, value, COSTS (NaN where
    unknown), and whether they are on the front of each of COSTS."""
    able = [record for record in records if record.status in ALIVE and record.margin is not None]
    told = [(r.trial_id, r.spec.architecture, str(r.status), ranking.value(r)) for r in able]
    rows = [(*own, *(getattr(r, name) or None for name in COSTS)) for own, r in zip(told, able, strict=True)]
    table = pd.DataFrame(rows, columns=["trial_id", "architecture", "status", "value", *COSTS])
    table = table.astype(dict.fromkeys(["value", *COSTS], float))
    fronts = {f"front_{name}": on_pareto_front(table[name], ranking.sign * table["value"]) for name in COSTS}
    return table.assign(**fronts)


def draw_quality_and_cost(table: pd.DataFrame, axis: MarginAxis) -> Figure:
    """Draw `quality_and_cost`, a panel a cost, with the front as a line; stopped trials are hollow."""
    costs = {cost: title for cost, title in COSTS.items() if table[cost].notna().any()}
    figure = new_figure(max(8.6, 3.9 * len(costs)), 5.2)
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    looks: dict[str, dict[str, Any]] = {
        name: look(place) | {"linestyle": "none"} for place, name in enumerate(sorted(set(table["architecture"])), 1)
    }
    is_stopped = table["status"] == TrialStatus.STOPPED.value
    for panel, (cost, title) in zip(panels, costs.items(), strict=True):
        axis.draw(panel)
        front = table[table[f"front_{cost}"]].sort_values([cost, "value"])
        panel.step(front[cost], axis.clip(front["value"]), where="post", color="#444444", label="best at its cost")
        for name, style in looks.items():
            for fill, of_status in ((style["color"], ~is_stopped), ("none", is_stopped)):
                own = table[(table["architecture"] == name) & of_status]
                panel.plot(own[cost], axis.clip(own["value"]), markerfacecolor=fill, label="_points", **style)
        panel.set(xscale="log", xlabel=title)
        label_plainly(panel.xaxis, EngFormatter(sep=" "))
        panel.label_outer()
    names = [Line2D([], [], label=name, **style) for name, style in looks.items()]
    hollow = [_mark("o", "hollow: stopped", markerfacecolor="none")] if is_stopped.any() else []
    finish(figure, f"Quality and cost of {len(table)} trials", *names, *hollow)
    return figure


def _mark(marker: str, text: str, **more: Any) -> Line2D:
    return Line2D([], [], color="#000000", linestyle="none", marker=marker, label=text, **more)
