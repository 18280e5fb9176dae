"""The table of epochs run: how long the trial of each cell was trained, and how that ended."""

import pandas as pd

from analysis.cell import NOT_RUN, Row
from analysis.study import AXES, ORDER, Study
from analysis.tables.chosen import RULE, chosen_trials
from analysis.tables.table import Table
from search.spec import TrialStatus

DOWN = [axis for axis in AXES if axis != "training_quality"]


def epoch_tables(study: Study) -> dict[str, Table]:
    """Return the table of epochs: a row for each combination of the other axes, training qualities across."""
    chosen = chosen_trials(study)
    ranks = [chosen[axis].map({value: rank for rank, value in enumerate(ORDER[axis])}) for axis in AXES]
    chosen = chosen.iloc[pd.MultiIndex.from_arrays(ranks).argsort()].reset_index(drop=True)
    qualities = study.values("training_quality")
    rows = []
    for values, own in chosen.groupby(DOWN, sort=False):
        told = {axis: str(value) for axis, value in zip(DOWN, values, strict=True)}
        side = {"network": told["architecture"], "activation": told["output_activation"], "loss": told["loss"]}
        side["predicts"] = "what to add" if told["global_residual"] == "True" else "the image itself"
        cells = {row["training_quality"]: _show(row) for row in own.to_dict("records")}
        across = {f"trained at {quality}": cells.get(quality, NOT_RUN) for quality in qualities}
        rows.append(side | {"split": told["split"]} | across)
    several = (RULE, "In brackets: of how many trials.") if (chosen["n_trials"] > 1).any() else ()
    below = ("Epochs run, of those allowed where they were limited, and how the trial ended if not so.", *several)
    return {"epochs": Table(chosen, pd.DataFrame(rows), below, "Epochs run")}


def _show(row: Row) -> str:
    if pd.isna(row["epochs_run"]):  # a source that does not say
        return "unknown"
    allowed = "" if pd.isna(row["epochs_allowed"]) else f"/{row['epochs_allowed']:.0f}"
    status = "" if row["status"] == TrialStatus.COMPLETED else f", {row['status']}"
    odd = f", {row['unfit']}" if row["unfit"] and row["unfit"] != row["status"] else ""
    others = f" (1 of {row['n_trials']})" if row["n_trials"] > 1 else ""
    return f"{row['epochs_run']:.0f}{allowed}{status}{odd}{others}"
