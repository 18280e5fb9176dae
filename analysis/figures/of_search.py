"""The figures of a search, with their captions: learning curves, history, quality and cost."""

from analysis.figures import search
from analysis.figures.style import COLOURS, Drawn, counted, margin_axis, take_picture
from analysis.findings import Findings
from analysis.records import fidelity_sentence, label


def learning(findings: Findings) -> Drawn:
    """Draw how trials learned."""
    trials = findings.run.trials
    table = search.learning_curves(trials)
    if table.empty:
        return "no trial has one"
    axis, drawn = margin_axis(trials), set(table["trial_id"])
    shown = [record for record in trials if record.trial_id in drawn][: len(COLOURS)]
    caption = (
        "Loss and monitored margin by epoch, a column for each loss function, whose values do not compare; the best "
        f"{len(shown)} trials have a colour and a number. {fidelity_sentence(trials)}"
    )
    caption += "" if table["validation_loss"].notna().any() else " No trial was asked for a validation loss."
    caption += counted("Epochs whose loss is no finite number, not drawn", int(table["loss"].isna().sum()))
    caption += counted("Trials without a curve, not drawn", len(trials) - len(drawn))
    figure = search.draw_learning_curves(table, {record.trial_id: label(record) for record in shown}, axis)
    return [take_picture("learning_curves", "Learning curves", caption.strip() + axis.below(table["margin"]), figure)]


def history(findings: Findings) -> Drawn:
    """Draw trials in the order in which they ended."""
    records, ranking = [r for r in findings.run.records if not r.spec.is_baseline], findings.run.ranking
    if not records:
        return "no trial has ended"
    table, axis = search.search_history(records, ranking), margin_axis(records, ranking)
    caption = (
        f"The monitored {ranking.measure} of every trial in the order in which they ended, and the epochs that it took."
    )
    stopped_at = ", ".join(map(str, search.rungs(table)))
    caption += f" Trials were stopped at epoch {stopped_at}, where dotted lines are." if stopped_at else ""
    caption += counted(
        f"Trials without a margin, marked on the {'upper' if ranking.by_parity else 'lower'} edge",
        int(table["value"].isna().sum()),
    )
    figure = search.draw_search_history(table, axis)
    return [take_picture("search_history", "Search history", caption + axis.below(table["value"]), figure)]


def cost(findings: Findings) -> Drawn:
    """Draw quality against what restoring costs, with the Pareto front."""
    trials, ranking = findings.run.trials, findings.run.ranking
    table, axis = search.quality_and_cost(trials, ranking), margin_axis(trials, ranking)
    known = table.dropna(subset=["macs_per_pixel", "parameters"])
    if known.empty:
        return "no trial with a margin tells what its network costs"
    shown = [record for record in trials if record.trial_id in set(known["trial_id"])]
    caption = (
        f"The monitored {ranking.measure} by what a network costs. The line is "
        f"the Pareto front: no trial is both better and cheaper than one on it. {fidelity_sentence(shown)}"
    ).strip()
    others = "Trials that diverged, died, failed or have no margin or cost, not drawn"
    caption += counted(others, len(trials) - len(known)) + axis.below(known["value"])
    figure = search.draw_quality_and_cost(known, axis)
    return [take_picture("quality_and_cost", "Quality and cost", caption, figure)]
