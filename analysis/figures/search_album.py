"""The figures of a search: how trials learned, in which order they ended, what was tried, and what quality costs."""

from collections.abc import Callable

from analysis.figures.canvas import COLOURS
from analysis.figures.cost import COSTS, draw_quality_and_cost, quality_and_cost
from analysis.figures.history import draw_search_history, rungs, search_history
from analysis.figures.learning import draw_learning_curves, learning_curves
from analysis.figures.margin import margin_axis
from analysis.figures.parallel import draw_parallel_coordinates, parallel_coordinates
from analysis.figures.picture import Picture, take_picture
from analysis.findings import Findings
from analysis.labels import fidelity_sentence, label
from analysis.run import RunError


def learning(findings: Findings) -> list[Picture]:
    trials = findings.run.trials
    table = learning_curves(trials)
    if table.empty:
        raise RunError("No learning curves: no trial has one.")
    axis = margin_axis(trials)
    drawn = set(table["trial_id"])
    named = {record.trial_id: label(record) for record in trials if record.trial_id in drawn}
    named = dict(list(named.items())[: len(COLOURS)])
    without = len(trials) - len(drawn)
    n_lost = int(table["loss"].isna().sum())
    caption = (
        "Loss and monitored margin by epoch, a column for each loss function, whose values do not compare; the best "
        f"{len(named)} trials by margin have a colour and a number. {fidelity_sentence(trials)}"
    )
    caption += "" if table["validation_loss"].notna().any() else " No trial was asked for a validation loss."
    caption += f" Epochs whose loss is no finite number, not drawn: {n_lost}." if n_lost else ""
    caption += f" Trials without a curve, not drawn: {without}." if without else ""
    caption = f"{caption.strip()}{axis.below(table['margin'])}"
    return [take_picture("learning_curves", caption, draw_learning_curves(table, named, axis))]


def history(findings: Findings) -> list[Picture]:
    records = [record for record in findings.run.records if not record.spec.is_baseline]
    if not records:
        raise RunError("No search history: no trial has ended.")
    table, axis = search_history(records), margin_axis(records)
    caption = "The monitored margin of every trial in the order in which they ended, and the epochs that it took."
    stopped_at = rungs(table)
    if stopped_at:
        caption += f" Trials were stopped at epoch {', '.join(map(str, stopped_at))}, where dotted lines are."
    without = int(table["margin"].isna().sum())
    caption += f" Trials without a margin, marked on the lower edge: {without}." if without else ""
    return [take_picture("search_history", caption + axis.below(table["margin"]), draw_search_history(table, axis))]


def tried(findings: Findings) -> list[Picture]:
    trials = findings.run.trials
    axis = margin_axis(trials)
    table = parallel_coordinates(trials, axis)
    if len(table.trial_ids) < 2 or len(table.coordinates) < 2:
        raise RunError("No parallel coordinates: they take two trials with margins that differ in something.")
    without = len(trials) - len(table.trial_ids)
    caption = (
        "What was searched, a line a trial from its network to the margin it reached. Lines through one choice are "
        f"spread by their margins, the best on top. {fidelity_sentence(trials)}"
    ).strip()
    caption += f" Trials without a margin, not drawn: {without}." if without else ""
    caption += axis.below(table.margins)
    return [take_picture("parallel_coordinates", caption, draw_parallel_coordinates(table))]


def cost(findings: Findings) -> list[Picture]:
    trials = findings.run.trials
    table, axis = quality_and_cost(trials), margin_axis(trials)
    known = table.dropna(subset=list(COSTS))
    if known.empty:
        raise RunError("No figure of quality and cost: no trial with a margin tells what its network costs.")
    shown = [record for record in trials if record.trial_id in set(known["trial_id"])]
    caption = (
        "The monitored margin by what a network costs: multiply-accumulates for each pixel that is restored, and "
        f"parameters. No trial below the line is both better and cheaper than one on it. {fidelity_sentence(shown)}"
    ).strip()
    others = len(trials) - len(known)
    caption += f" Trials that diverged, died, failed or have no margin or cost, not drawn: {others}." if others else ""
    return [take_picture("quality_and_cost", caption + axis.below(known["margin"]), draw_quality_and_cost(known, axis))]


SEARCH_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (learning, history, tried, cost)
