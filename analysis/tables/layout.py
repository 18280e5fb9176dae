"""The layout of the thesis' appendix: input quality and metric down, one axis across, a table for each other setting.

With the loss across these are its Tables 8 to 17, with the training quality across its Tables 18 and 19.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.cell import MEAN, NOT_RUN, Row, holds, left_out_legend, show_spread
from analysis.labels import METRIC_TITLES
from analysis.markup import bold
from analysis.study import AXES, ORDER, Study
from analysis.tables.chosen import RULE, chosen_trials
from analysis.tables.table import Table
from models.names import METRIC_DIRECTIONS, METRICS
from search.spec import TrialStatus

BEST_OF_ALL = "★"
MARKS = {TrialStatus.STOPPED: "†", TrialStatus.DIVERGED: "‡", TrialStatus.DEAD: "§"}
SUSPECT = "¶"
LEGEND = {
    "†": "† stopped early, its epochs stand above.",
    "‡": "‡ diverged, never the best.",
    "§": "§ dead: it returns its input, never the best.",
    SUSPECT: f"{SUSPECT} suspect, see the forensics, never the best.",
}
MISLABELLED = (
    "The labels of its rows MAE and MSE are exchanged, see the forensics: the numbers stand as printed, and those of "
    f"these rows have no part in {BEST_OF_ALL}."
)
MEASURED = ["mean", "sd", "low", "high", "n_images", "n_left_out"]
WORDS = ["table", "trial_id", "status", "unfit", "metric", "holds"]
REGION_WORDS = {"full": "whole images", "crop": "centre crops"}


@dataclass(frozen=True)
class Layout:
    """A kind of table. name: of its files; across: the axis that lies across; split, region: which scores.

    by_system: a block of rows for each camera system; least: how many columns must hold a mean for a table to tell
    anything.
    """

    name: str
    across: str
    split: str
    region: str
    by_system: bool
    least: int

    @property
    def down(self) -> list[str]:
        """Return what lies down the side."""
        return [*(["system"] if self.by_system else []), "input_quality", "metric"]


APPENDIX, TRAINING_QUALITY = ("appendix", "loss"), ("training_quality", "training_quality")


def layouts() -> list[Layout]:
    """Return every layout: both kinds, both splits and regions, of all images and by camera system."""
    return [
        Layout(name, across, split, region, by_system, 1 if (name, split) == ("appendix", "validation") else 2)
        for name, across in (APPENDIX, TRAINING_QUALITY)
        for split in ("validation", "test")
        for region in ("full", "crop")
        for by_system in (False, True)
    ]


def layout_tables(study: Study) -> dict[str, Table]:
    """Return every table of every layout that has enough to tell."""
    chosen = chosen_trials(study)
    tables: dict[str, Table] = {}
    for layout in layouts():
        laid_out = lay_out(study, chosen, layout)
        for name, numbers in laid_out.groupby("table", sort=False):
            has_mean = numbers["holds"] == MEAN
            ended = numbers["status"] != NOT_RUN
            if numbers.loc[has_mean if layout.least > 1 else ended, layout.across].nunique() >= layout.least:
                tables[str(name)] = _table(numbers.drop(columns="table"), layout)
    return tables


def lay_out(study: Study, chosen: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Tabulate every cell of every table of a layout.

    Returns a row for each table (its name), AXES and what lies down: trial_id, status, epochs_run, epochs_allowed,
    unfit, n_trials, MEASURED, printed and mislabelled (where a source printed digits), holds ("mean", or why there is
    none), is_best (in its row of the table) and is_best_of_all (of all tables of the layout whose trials saw the same
    split; what is mislabelled has no part in it).
    """
    cells = study.by_system if layout.by_system else study.cells
    printed = [name for name in ("printed", "mislabelled") if name in cells]
    is_ours = (cells["split"] == layout.split) & (cells["region"] == layout.region)
    cells = cells.loc[
        is_ours & cells["trial_id"].isin(chosen["trial_id"]), ["trial_id", *layout.down, *MEASURED, *printed]
    ]
    columns = _columns(study, chosen, layout.across)
    columns["table"] = [_name(row, layout) for row in columns.to_dict("records")]
    table = columns.merge(_sides(cells, chosen, layout), on="split").merge(
        cells, on=["trial_id", *layout.down], how="left"
    )
    table[["n_images", "n_left_out"]] = table[["n_images", "n_left_out"]].fillna(0).astype(int)
    table = table.astype(dict.fromkeys(("epochs_run", "epochs_allowed"), "Int64"))
    counts = zip(table["status"], table["n_images"], table["n_left_out"], strict=True)
    table["holds"] = [holds(*count) for count in counts]
    table = table.sort_values(["place", "row", "column"], ignore_index=True).drop(columns=["place", "row", "column"])
    return _with_best(table, layout).astype(dict.fromkeys(WORDS, object))  # quicker to walk through than text


def _columns(study: Study, chosen: pd.DataFrame, across: str) -> pd.DataFrame:
    """Return every column of every table, tried or not."""
    fixed = [axis for axis in AXES if axis != across]
    tables = chosen[fixed].drop_duplicates()
    ranks = [tables[axis].map({value: rank for rank, value in enumerate(ORDER[axis])}) for axis in fixed]
    tables = tables.assign(place=pd.MultiIndex.from_arrays(ranks).argsort().argsort())
    values = study.values(across)
    across_frame = pd.DataFrame({across: pd.Series(values, dtype=object), "column": range(len(values))})
    columns = tables.merge(across_frame, how="cross").astype({axis: object for axis in AXES})
    columns = columns.merge(chosen.astype({axis: object for axis in AXES}), on=list(AXES), how="left")
    columns["status"] = columns["status"].fillna(NOT_RUN)
    columns["unfit"] = columns["unfit"].fillna("")
    return columns.assign(n_trials=columns["n_trials"].fillna(0).astype(int))


def _sides(cells: pd.DataFrame, chosen: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Return what lies down the tables of each split: highest quality first."""
    trained_on = cells["trial_id"].map(chosen.set_index("trial_id")["split"])
    rows = cells.assign(split=trained_on)[["split", *layout.down[:-1]]].drop_duplicates()
    rows = rows.sort_values(layout.down[:-1], ascending=[name != "input_quality" for name in layout.down[:-1]])
    rows = rows.merge(pd.DataFrame({"metric": METRICS}), how="cross")
    return rows.assign(row=range(len(rows))).astype({"split": object})


def _with_best(table: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    fit = (table["holds"] == MEAN) & (table["unfit"] == "")
    value = (table["mean"].astype(float) * table["metric"].map(METRIC_DIRECTIONS).astype(float)).where(fit)
    by_row = value.groupby([table[name] for name in ("table", *layout.down)], sort=False)
    row = by_row.transform("max").where(by_row.transform("count") > 1)  # one alone is no best
    is_best = fit & (value == row)
    if "mislabelled" in table:
        table["mislabelled"] = table["mislabelled"].eq(True)
        value = value.where(~table["mislabelled"])
    of_all = value.groupby([table[name] for name in ("split", *layout.down)], sort=False).transform("max")
    return table.assign(is_best=is_best, is_best_of_all=fit & (value == of_all))


def _table(numbers: pd.DataFrame, layout: Layout) -> Table:
    values = list(dict.fromkeys(numbers[layout.across]))
    rows = numbers.to_dict("records")
    heads = [_head(row, layout.across) for row in rows[: len(values)]]
    shown = []
    for start in range(0, len(rows), len(values)):
        cells = rows[start : start + len(values)]
        side = {name.replace("input_quality", "input"): str(cells[0][name]) for name in layout.down[:-1]}
        side["metric"] = METRIC_TITLES[cells[0]["metric"]]
        shown.append(side | dict(zip(heads, map(_show, cells), strict=True)))
    return Table(numbers, pd.DataFrame(shown, dtype=object), _below(numbers, layout), _title(rows[0], layout))


def _show(row: Row) -> str:
    if row["holds"] != MEAN:
        return str(row["holds"])
    text = str(row["printed"]) if "printed" in row else show_spread(row)
    mark = mark_of(row)
    text = bold(text) if row["is_best"] else text
    return " ".join(filter(None, (text, mark, BEST_OF_ALL if row["is_best_of_all"] else "")))


def mark_of(row: Row) -> str:
    """Return the mark of a trial that was stopped, diverged, is dead or suspect."""
    if row["status"] in MARKS:
        return MARKS[row["status"]]
    return MARKS.get(row["unfit"], SUSPECT) if row["unfit"] else ""


def _head(row: Row, across: str) -> str:
    """Head a column: the value, how long its trial was trained, how that ended, of how many it was chosen."""
    if row["status"] == NOT_RUN:
        return f"{row[across]}\n{NOT_RUN}"
    allowed: str = "" if pd.isna(row["epochs_allowed"]) else f"/{row['epochs_allowed']}"
    epochs: str = "" if pd.isna(row["epochs_run"]) else f"{row['epochs_run']}{allowed} epochs"
    others = f"1 of {row['n_trials']} trials" if row["n_trials"] > 1 else ""
    status = "" if row["status"] == TrialStatus.COMPLETED else row["status"]
    odd = row["unfit"] if row["unfit"] != status else ""
    return "\n".join(filter(None, (str(row[across]), epochs, status, odd, others)))


def _below(numbers: pd.DataFrame, layout: Layout) -> tuple[str, ...]:
    """Say what a cell holds, over how many images, and what its marks mean."""
    means = numbers[numbers["holds"] == MEAN]
    least, most = (means["n_images"].min(), means["n_images"].max()) if len(means) else (0, 0)
    over = f"{least}" if least == most else f"{least} to {most}"
    cell = (
        "A cell: the mean as printed"
        if "printed" in numbers
        else ("A cell: the mean ± half of its 95 % interval over images (their standard deviation)")
    )
    lines = [
        f"{cell}, over {over} images. Bold: the best of its row; {BEST_OF_ALL} the best of all tables of this kind."
    ]
    marks = {mark_of(row) for row in means[["status", "unfit"]].drop_duplicates().to_dict("records")}
    lines += [LEGEND[mark] for mark in LEGEND if mark in marks]
    lines += [MISLABELLED] if "mislabelled" in numbers and numbers["mislabelled"].any() else []
    lines += left_out_legend(numbers)
    lines += [RULE] if (numbers["n_trials"] > 1).any() else []
    return tuple(lines)


def _setting(row: Row, across: str) -> dict[str, str]:
    words = {
        "architecture": str(row["architecture"]),
        "global_residual": "" if row["global_residual"] else "direct",
        "loss": str(row["loss"]),
        "output_activation": str(row["output_activation"]),
        "training_quality": f"q{row['training_quality']}",
        "split": str(row["split"]),
    }
    return {axis: word for axis, word in words.items() if word and axis != across}


def _name(row: Row, layout: Layout) -> str:
    endings = ["test"] if layout.split == "test" else []
    endings += ["crop"] if layout.region == "crop" else []
    endings += ["by_system"] if layout.by_system else []
    return "_".join((layout.name, *_setting(row, layout.across).values(), *endings))


def _title(row: Row, layout: Layout) -> str:
    words = _setting(row, layout.across)
    told: Sequence[Any] = (
        words["architecture"],
        "predicting the image itself" if "global_residual" in words else "",
        f"loss {words['loss']}" if "loss" in words else "",
        f"activation {words['output_activation']}",
        f"trained at {row['training_quality']}" if "training_quality" in words else "",
    )
    where = f"{layout.split} split of {words['split']}, {REGION_WORDS[layout.region]}"
    return f"{', '.join(filter(None, told))}: {where}{', by camera system' if layout.by_system else ''}"
