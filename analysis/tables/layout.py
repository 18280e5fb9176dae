"""The layout of the thesis' appendix: input quality and metric down, one axis across, a part for each other setting.

With the loss across these are its Tables 8 to 17, with the training quality across its Tables 18 and 19.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from analysis.cells import ALL
from analysis.study import AXES, CHOICE, Study
from analysis.tables.spec import NOT_RUN, NOT_SCORED, Cell, Row, is_missing, write_spread
from models.names import METRIC_DIRECTIONS, METRICS
from search.space.spec import TrialStatus

MEAN, ALL_IDENTICAL = "mean", "all identical"  # what a cell holds
BEST_OF_ALL, SUSPECT, UNDER_LINEAR = "★", "¶", "↓"
MARKS = {TrialStatus.STOPPED: "†", TrialStatus.DIVERGED: "‡", TrialStatus.DEAD: "§"}
LEGEND = {
    "†": "† stopped early.",
    "‡": "‡ diverged, never the best.",
    "§": "§ dead: it returns its input, never the best.",
    SUSPECT: f"{SUSPECT} suspect, see the suspects, never the best.",
    UNDER_LINEAR: f"{UNDER_LINEAR} under the linear filter, whose monitored margin it does not exceed.",
}
MISLABELLED = (
    "The labels of its rows MAE and MSE are exchanged, see the suspects: the numbers stand as printed, and those of "
    f"these rows have no part in {BEST_OF_ALL}."
)
SPREAD = (
    "A cell: the mean ± half of its 95 % interval over fields (standard deviation over images); of fewer than 20 "
    "fields "
    "no interval is given."
)
LEFT_OUT = "(-1): one image is left out, which is identical to its original and so has an infinite PSNR."
REGION_WORDS = {"full": "whole images", "crop": "centre crops"}
MEASURED = ["mean", "sd", "low", "high", "n_images", "n_left_out"]
DOWN = ["system", "input_quality", "metric"]


def layout_frame(study: Study, across: str, split: str, region: str, by_system: bool) -> pd.DataFrame:
    """Tabulate every cell of every part of a layout. across: the axis that lies across; split, region: which scores.

    Returns a row for each combination of AXES that is planned within a part, and of DOWN: trial_id, status, epochs_run,
    epochs_allowed, unfit, n_trials, MEASURED, printed and mislabelled (where a source printed digits), holds (MEAN, or
    why there is none), is_best (in its row of the part) and is_best_of_all (of all parts whose trials saw the same
    split; what is mislabelled has no part in it). A part with too few means to tell anything is not there.
    """
    if study.trials.empty:
        return pd.DataFrame()
    chosen = study.chosen
    cells, printed = study.cells, [name for name in ("printed", "mislabelled") if name in study.cells]
    is_ours = (cells["split"] == split) & (cells["region"] == region) & ((cells["system"] != ALL) == by_system)
    cells = cells.loc[is_ours & cells["trial_id"].isin(chosen["trial_id"]), ["trial_id", *DOWN, *MEASURED, *printed]]
    columns = _columns(study, chosen, across)
    table = columns.merge(_sides(cells, chosen), on="split").merge(cells, on=["trial_id", *DOWN], how="left")
    table[["n_images", "n_left_out"]] = table[["n_images", "n_left_out"]].fillna(0).astype(int)
    counts = zip(table["status"], table["n_images"], table["n_left_out"], strict=True)
    table["holds"] = [holds(*count) for count in counts]
    table = table.sort_values(["place", "row", "column"], ignore_index=True).drop(columns=["row", "column"])
    counted = table["holds"] == MEAN if (across, split) != ("loss", "validation") else table["status"] != NOT_RUN
    n_columns = table[counted].groupby("place")[across].nunique()
    least = 1 if (across, split) == ("loss", "validation") else 2
    kept = table[table["place"].isin(n_columns.index[n_columns >= least])]
    return _with_best(kept).astype({"status": object, "unfit": object, "holds": object, "trial_id": object})


def _columns(study: Study, chosen: pd.DataFrame, across: str) -> pd.DataFrame:
    """Return every column of every part, tried or not."""
    fixed = [axis for axis in AXES if axis != across]
    parts = chosen[fixed].drop_duplicates(ignore_index=True)
    parts["place"] = range(len(parts))
    values = study.values(across)
    frame = pd.DataFrame({across: pd.Series(values, dtype=object), "column": range(len(values))})
    kept = [*AXES, "trial_id", "status", "epochs_run", "epochs_allowed", "unfit", "n_trials"]
    columns = parts.merge(frame, how="cross").astype({axis: object for axis in AXES})
    columns = columns.merge(chosen[kept].astype({axis: object for axis in AXES}), on=list(AXES), how="left")
    columns["status"] = columns["status"].fillna(NOT_RUN)
    columns["unfit"] = columns["unfit"].fillna("")
    return columns.assign(n_trials=columns["n_trials"].fillna(0).astype(int))


def _sides(cells: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return what lies down the parts of each split: highest quality first."""
    trained_on = cells["trial_id"].map(chosen.set_index("trial_id")["split"])
    rows = cells.assign(split=trained_on)[["split", *DOWN[:-1]]].drop_duplicates()
    rows = rows.sort_values(DOWN[:-1], ascending=[True, False])
    rows = rows.merge(pd.DataFrame({"metric": METRICS}), how="cross")
    return rows.assign(row=range(len(rows))).astype({"split": object})


def _with_best(table: pd.DataFrame) -> pd.DataFrame:
    fit = (table["holds"] == MEAN) & (table["unfit"] == "")
    value = (table["mean"].astype(float) * table["metric"].map(METRIC_DIRECTIONS).astype(float)).where(fit)
    by_row = value.groupby([table[name] for name in ("place", *DOWN)], sort=False)
    row = by_row.transform("max").where(by_row.transform("count") > 1)  # one alone is no best
    is_best = fit & (value == row)
    if "mislabelled" in table:
        table = table.assign(mislabelled=table["mislabelled"].eq(True))
        value = value.where(~table["mislabelled"])
    of_all = value.groupby([table[name] for name in ("split", *DOWN)], sort=False).transform("max")
    return table.assign(is_best=is_best, is_best_of_all=fit & (value == of_all))


def holds(status: str, n_images: int, n_left_out: int) -> str:
    """Say what a cell holds: a mean over images, or why there is none."""
    if n_images:
        return MEAN
    if n_left_out:
        return ALL_IDENTICAL
    return status if status in (TrialStatus.DIVERGED, TrialStatus.FAILED, NOT_RUN) else NOT_SCORED


def spread_cell(row: Row) -> Cell:
    """Show a mean with its spread, or why there is none."""
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]))
    left_out = f" (-{row['n_left_out']})" if row["n_left_out"] else ""
    return Cell(
        write_spread(row["metric"], row["mean"], row["sd"], row["high"], row["n_images"]) + left_out, row["mean"]
    )


def layout_cell(row: Row) -> Cell:
    """Show a cell of a layout: as printed where a source printed it, the best of its row in bold."""
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]))
    text = str(row["printed"]) if "printed" in row else spread_cell(row).text
    marks = " ".join(filter(None, (mark_of(row), BEST_OF_ALL if row["is_best_of_all"] else "")))
    return Cell(text, row["mean"], is_best=bool(row["is_best"]), marks=marks)


def mark_of(row: Row) -> str:
    """Return the mark of a trial that was stopped, diverged, is dead or suspect."""
    if row["status"] in MARKS:
        return str(MARKS[row["status"]])
    return str(MARKS.get(row["unfit"], SUSPECT)) if row["unfit"] else ""


def layout_head(across: str) -> Callable[[Row], tuple[str, ...]]:
    """Return how a column is headed: the value, how long its trial trained, how that ended, of how many it is one."""

    def head(row: Row) -> tuple[str, ...]:
        if row["status"] == NOT_RUN:
            return (f"{row[across]}\n{NOT_RUN}",)
        allowed = "" if is_missing(row["epochs_allowed"]) else f"/{row['epochs_allowed']:.0f}"
        epochs = "" if is_missing(row["epochs_run"]) else f"{row['epochs_run']:.0f}{allowed} epochs"
        others = f"1 of {row['n_trials']} trials" if row["n_trials"] > 1 else ""
        status = "" if row["status"] == TrialStatus.COMPLETED else row["status"]
        odd = row["unfit"] if row["unfit"] != status else ""
        return ("\n".join(filter(None, (str(row[across]), epochs, status, odd, others))),)

    return head


def part_title(across: str, split: str, region: str, by_system: bool) -> Callable[[Row], str]:
    """Return how a part is titled: its setting, and which scores."""

    def title(row: Row) -> str:
        words = [
            str(row["architecture"]),
            "" if row["global_residual"] else "predicting the image itself",
            f"loss {row['loss']}" if across != "loss" else "",
            f"activation {row['output_activation']}",
            f"trained at {row['training_quality']}" if across != "training_quality" else "",
        ]
        where = f"{split} split of {row['split']}, {REGION_WORDS[region]}{', by camera system' if by_system else ''}"
        return f"{', '.join(filter(None, words))}: {where}"

    return title


def layout_below(owner: Any, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what a cell holds, over how many images, and what its marks mean."""
    means = frame[frame["holds"] == MEAN]
    least, most = (means["n_images"].min(), means["n_images"].max()) if len(means) else (0, 0)
    over = f"{least}" if least == most else f"{least} to {most}"
    start = "A cell: the mean as printed." if "printed" in frame else SPREAD
    lines = [f"{start} Over {over} images. Bold: the best of its row; {BEST_OF_ALL} the best of all parts."]
    marks = {mark_of(row) for row in means[["status", "unfit"]].drop_duplicates().to_dict("records")}
    lines += [LEGEND[mark] for mark in LEGEND if mark in marks]
    lines += [MISLABELLED] if "mislabelled" in frame and frame["mislabelled"].any() else []
    lines += [LEFT_OUT] if (frame["n_left_out"] > 0).any() else []
    lines += [CHOICE] if (frame["n_trials"] > 1).any() else []
    return tuple(lines)
