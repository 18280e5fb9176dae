"""The layout of the thesis' appendix: input quality and metric down, one axis across, a part for each other setting.

With the loss across these are its Tables 8 to 17, with the training quality across its Tables 18 and 19; the epochs
that each trial ran are its Table 7.
"""

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.study import AXES, CHOICE, Study
from analysis.tables.formats import ALL_IDENTICAL, MEAN, NOT_RUN, NOT_SCORED, UNKNOWN, is_missing, write_spread
from analysis.tables.spec import Cell, Layout, Row, Table, lay_out
from models.names import METRIC_DIRECTIONS, METRICS
from search.space.spec import TrialStatus

BEST_OF_ALL, SUSPECT, UNDER_LINEAR = "★", "¶", "↓"
MARKS = {TrialStatus.STOPPED: "†", TrialStatus.DIVERGED: "‡", TrialStatus.DEAD: "§"}
LEGEND = {
    "†": "† stopped early.",
    "‡": "‡ diverged, never the best.",
    "§": "§ dead: it returns its input, never the best.",
    SUSPECT: f"{SUSPECT} suspect, see the suspects, never the best.",
    UNDER_LINEAR: f"{UNDER_LINEAR} under the linear filter, than which it is ranked no better on the monitored images.",
}
MISLABELLED = (
    "The labels of its rows MAE and MSE are exchanged, see the suspects: the numbers stand as printed, and those of "
    f"these rows have no part in {BEST_OF_ALL}."
)
SPREAD = (
    "A cell: the mean ± half of its 95 % interval over fields (standard deviation over images); of fewer than 20 "
    "fields no interval is given."
)
LEFT_OUT = "(-1): one image is left out, which is identical to its original and so has an infinite PSNR."
MEASURED = ["mean", "sd", "low", "high", "n_images", "n_left_out"]
OPTIONAL = ("printed", "mislabelled")
DOWN = ["input_quality", "metric"]
SPLITS = ("validation", "test")
# By the axis that lies across: name and words of their entry in the catalogue.
LAYOUTS = {"loss": ("appendix", "Losses"), "training_quality": ("training_quality", "Training qualities")}
OF_TRIAL = ["trial_id", "status", "epochs_run", "epochs_allowed", "unfit", "n_trials"]


def study_tables(study: Study) -> list[Table | None]:
    """Return the tables in the thesis' layout, of a run's study or of a printed source's."""
    tables = []
    for across, split in product(LAYOUTS, SPLITS):
        layout = _layout(across, part_title=partial(_part_title, across=across, split=split))
        name, plural = LAYOUTS[across]
        words = {"across": across, "name": name, "words": plural, "split": split}
        tables.append(lay_out("layout", layout_frame(study, across, split), layout, words))
    epochs = Layout(
        head=lambda row: f"trained at {row['training_quality']}",
        cell=_epochs_cell,
        blank=NOT_RUN,
        below=lambda frame: (CHOICE, "In brackets: of how many trials.") if (frame["n_trials"] > 1).any() else (),
    )
    return [*tables, lay_out("epochs", chosen_frame(study, "training_quality"), epochs)]


def rebuilt_tables(study: Study) -> list[Table | None]:
    """Return a table under its number for each part of a layout all of whose trials are printed under that number."""
    numbers, tables = study.trials.set_index("trial_id")["table"].to_dict(), {}
    for across, split in product(LAYOUTS, SPLITS):
        frame = layout_frame(study, across, split)
        for _, own in frame.groupby("place", sort=False) if len(frame) else ():
            of_trials = {numbers[trial] for trial in own["trial_id"].dropna()}
            if len(of_trials) == 1:
                (number,) = of_trials
                words = {"number": number, "part": _part_title(own.iloc[0].to_dict(), across, split), "across": across}
                tables[number] = lay_out("rebuilt", own, _layout(across), words)
    return [tables[number] for number in sorted(tables)]


def _layout(across: str, **more: Any) -> Layout:
    return Layout(head=partial(_head, across=across), cell=_layout_cell, below=layout_below, **more)


def chosen_frame(study: Study, across: str) -> pd.DataFrame:
    """Lay the chosen trials out: a row per combination of the other AXES and value across, tried or not.

    Returns place (the number of the combination), AXES and OF_TRIAL.
    """
    if study.trials.empty:
        return pd.DataFrame()
    chosen = study.chosen[[*AXES, *OF_TRIAL]].astype(dict.fromkeys(AXES, object))
    parts = chosen[[axis for axis in AXES if axis != across]].drop_duplicates(ignore_index=True)
    values = pd.DataFrame({across: pd.Series(study.values(across), dtype=object)})
    table = parts.assign(place=range(len(parts))).merge(values, how="cross").merge(chosen, on=list(AXES), how="left")
    status, unfit = (table[name].astype(object) for name in ("status", "unfit"))
    n_trials = table["n_trials"].fillna(0).astype(int)
    return table.assign(status=status.fillna(NOT_RUN), unfit=unfit.fillna(""), n_trials=n_trials)


def layout_frame(study: Study, across: str, split: str) -> pd.DataFrame:
    """Tabulate every cell of every part of a layout, whole images. across: the axis that lies across; split: of scores.

    Returns `chosen_frame` by DOWN, with MEASURED, printed and mislabelled (where a source printed digits), holds (MEAN,
    or why there is none), is_best (in its row of the part) and is_best_of_all (of all parts whose trials saw the same
    split; what is mislabelled has no part in it). A part with too few means to tell anything is not there.
    """
    columns, cells = chosen_frame(study, across), study.cells
    if columns.empty:
        return columns
    kept = ["trial_id", *DOWN, *MEASURED, *(name for name in (*OPTIONAL, "gain") if name in cells)]
    is_ours = (cells["split"] == split) & (cells["region"] == "full") & (cells["system"] == ALL)
    cells = cells.loc[is_ours & cells["trial_id"].isin(columns["trial_id"]), kept]
    trained_on = cells["trial_id"].map(columns.set_index("trial_id")["split"].to_dict())
    rows = cells.assign(split=trained_on.astype(object))[["split", "input_quality"]].drop_duplicates()
    rows = rows.sort_values("input_quality", ascending=False).merge(pd.DataFrame({"metric": METRICS}), how="cross")
    columns, rows = columns.assign(column=range(len(columns))), rows.assign(row=range(len(rows)))
    table = rows.merge(columns, on="split").merge(cells, on=["trial_id", *DOWN], how="left")
    table = with_holds(table).sort_values(["place", "row", "column"], ignore_index=True)
    is_appendix = (across, split) == ("loss", "validation")
    counted = table[table["status"] != NOT_RUN if is_appendix else table["holds"] == MEAN]
    n_columns = counted.groupby("place")[across].nunique()
    kept_places = n_columns.index[n_columns >= (1 if is_appendix else 2)]
    return _with_best(table[table["place"].isin(kept_places)].drop(columns=["row", "column"]))


def with_holds(table: pd.DataFrame) -> pd.DataFrame:
    """Add to cells, by their status, what they hold: a mean over images, or why there is none; counts become whole."""
    counts = {name: table[name].fillna(0).astype(int) for name in ("n_images", "n_left_out") if name in table}
    status = table["status"].astype(object)
    reason = status.where(status.isin([TrialStatus.DIVERGED.value, TrialStatus.FAILED.value, NOT_RUN]), NOT_SCORED)
    reason = reason.mask(counts.get("n_left_out", counts["n_images"]) > 0, ALL_IDENTICAL)
    return table.assign(**counts, holds=reason.mask(counts["n_images"] > 0, MEAN))


def _with_best(table: pd.DataFrame) -> pd.DataFrame:
    fit = (table["holds"] == MEAN) & (table["unfit"] == "")
    # By gains over the reference where they are known: who was stopped is scored on fewer images than others.
    gain = table["gain"].astype(float) if "gain" in table else pd.Series(np.nan, table.index)
    signed = table["mean"].astype(float) * table["metric"].map(METRIC_DIRECTIONS).astype(float)
    value = (gain if gain.notna().any() else signed).where(fit)
    by_row = value.groupby([table[name] for name in ("place", *DOWN)], sort=False)
    is_best = fit & (value == by_row.transform("max").where(by_row.transform("count") > 1))  # one alone is no best
    if "mislabelled" in table:
        table = table.assign(mislabelled=table["mislabelled"].eq(True))
        value = value.where(~table["mislabelled"])
    same_files = value.groupby([table[name] for name in ("split", "encoder", *DOWN)], sort=False, dropna=False)
    of_all = same_files.transform("max")
    return table.assign(is_best=is_best, is_best_of_all=fit & (value == of_all))


def spread_cell(row: Row) -> Cell:
    """Show a mean with its spread, or why there is none."""
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]))
    left_out = f" (-{row['n_left_out']})" if row["n_left_out"] else ""
    text = write_spread(row["metric"], row["mean"], row["sd"], row["high"], row["n_images"])
    return Cell(text + left_out, row["mean"], reaches=bool(row.get("reaches")))


def spread_below(frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what a cell holds, and over how many images."""
    counts = frame.loc[frame["n_images"] > 0, "n_images"]
    over = "no" if counts.empty else f"{counts.min()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"
    start = "A cell: the mean as printed." if "printed" in frame else SPREAD
    return (f"{start} Over {over} images.", *([LEFT_OUT] if (frame["n_left_out"] > 0).any() else []))


def layout_below(frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what a cell holds, over how many images, and what its marks mean."""
    first, *more = spread_below(frame)
    lines = [f"{first} Bold: the best of its row; {BEST_OF_ALL} the best of all parts."]
    means = frame.loc[frame["holds"] == MEAN, ["status", "unfit"]].drop_duplicates()
    lines += legend("".join(mark_of(row) for row in means.to_dict("records")))
    lines += [MISLABELLED] if "mislabelled" in frame and frame["mislabelled"].any() else []
    return (*lines, *more, *([CHOICE] if (frame["n_trials"] > 1).any() else []))


def mark_of(row: Row) -> str:
    """Return the mark of a trial that was stopped, diverged, is dead or suspect."""
    if row["status"] in MARKS:
        return str(MARKS[row["status"]])
    return str(MARKS.get(row["unfit"], SUSPECT)) if row["unfit"] else ""


def legend(marks: str) -> list[str]:
    """Say what the marks mean."""
    return [LEGEND[mark] for mark in LEGEND if mark in marks]


def _layout_cell(row: Row) -> Cell:
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]))
    text = str(row["printed"]) if "printed" in row else spread_cell(row).text
    marks = " ".join(filter(None, (mark_of(row), BEST_OF_ALL if row["is_best_of_all"] else "")))
    return Cell(text, row["mean"], is_best=bool(row["is_best"]), marks=marks)


def _epochs(row: Row) -> str:
    allowed = "" if is_missing(row["epochs_allowed"]) else f"/{row['epochs_allowed']:.0f}"
    return "" if is_missing(row["epochs_run"]) else f"{row['epochs_run']:.0f}{allowed}"


def _ended(row: Row) -> list[str]:
    """Say how a trial ended if not so that it completed, and what it is suspect of."""
    status = "" if row["status"] == TrialStatus.COMPLETED else row["status"]
    return [status, row["unfit"] if row["unfit"] != status else ""]


def _head(row: Row, across: str) -> str:
    if row["status"] == NOT_RUN:
        return f"{row[across]}\n{NOT_RUN}"
    epochs = f"{_epochs(row)} epochs" if _epochs(row) else ""
    others = f"1 of {row['n_trials']} trials" if row["n_trials"] > 1 else ""
    return "\n".join(filter(None, (str(row[across]), epochs, *_ended(row), others)))


def _epochs_cell(row: Row) -> Cell:
    if row["status"] == NOT_RUN or not _epochs(row):  # a source that does not say
        return Cell(NOT_RUN if row["status"] == NOT_RUN else UNKNOWN)
    others = f" (1 of {row['n_trials']:.0f})" if row["n_trials"] > 1 else ""
    return Cell(", ".join(filter(None, (_epochs(row), *_ended(row)))) + others, row["epochs_run"])


def _part_title(row: Row, across: str, split: str) -> str:
    words = [
        str(row["architecture"]),
        "" if row["global_residual"] else "predicting the image itself",
        f"loss {row['loss']}" if across != "loss" else "",
        f"activation {row['output_activation']}",
        f"trained at {row['training_quality']}" if across != "training_quality" else "",
        "" if is_missing(row["encoder"]) else f"files of {row['encoder']}",
    ]
    return f"{', '.join(filter(None, words))}: {split} split of {row['split']}, whole images"
