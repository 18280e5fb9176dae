"""The tables that any study has, be it a run's or a printed source's."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from analysis.study import CHOICE
from analysis.tables import layout
from analysis.tables.columns import METRIC
from analysis.tables.conclusions import COLUMNS, conclusions_below, conclusions_frame
from analysis.tables.spec import (
    NOT_RUN,
    UNKNOWN,
    Cell,
    Column,
    Row,
    TableSpec,
    is_missing,
)
from search.space.spec import TrialStatus


def study_tables() -> list[TableSpec]:
    """Return the tables that any study has, be it a run's or a printed source's."""
    axes = (("appendix", "loss", "Losses"), ("training_quality", "training_quality", "Training qualities"))
    layouts = [(*axis, split) for axis in axes for split in ("validation", "test")]
    return [
        TableSpec(
            "conclusions",
            "comparison",
            "What a setting brings: pairs of trials that differ in it alone",
            lambda owner: conclusions_frame(owner.study),
            rows=COLUMNS,
            below=conclusions_below,
        ),
        *(
            TableSpec(
                f"{name}_{split}",
                "comparison",
                f"{words} beside each other, in the layout of the thesis: {split} split, whole images",
                partial(_layout, across=across, split=split),
                rows=(Column("input", "input_quality"), METRIC),
                across=(across,),
                head=layout.layout_head(across),
                cell=layout.layout_cell,
                per=("place",),
                part_title=layout.part_title(across, split),
                below=layout.layout_below,
            )
            for name, across, words, split in layouts
        ),
        TableSpec(
            "epochs",
            "trials",
            "Epochs run",
            lambda owner: layout.chosen_frame(owner.study, "training_quality"),
            rows=(
                Column("network", "architecture"),
                Column("activation", "output_activation"),
                Column("loss", "loss"),
                Column("predicts", "global_residual", lambda added: "what to add" if added else "the image itself"),
                Column("split", "split"),
            ),
            across=("training_quality",),
            head=lambda row: (f"trained at {row['training_quality']}",),
            cell=_epochs,
            blank=NOT_RUN,
            caption="Epochs run, of those allowed where they were limited, and how the trial ended if not so.",
            below=lambda owner, frame: (
                (CHOICE, "In brackets: of how many trials.") if (frame["n_trials"] > 1).any() else ()
            ),
        ),
    ]


def suspects_table() -> TableSpec:
    """Return the table of what means give away."""
    return TableSpec(
        "suspects",
        "trials",
        "Suspects: what the means give away",
        _suspects_frame,
        rows=(
            Column("what", "kind"),
            Column("in the best", "kept_out", lambda out: "kept out" if out else "stays in"),
            Column("found", "sentence", is_wide=True),
        ),
        caption="Dead, diverged, duplicated or otherwise odd trials, and fields on both sides of a split.",
        below=_suspects_below,
    )


def _layout(owner: Any, across: str, split: str) -> pd.DataFrame:
    return layout.layout_frame(owner.study, across, split)


def _suspects_frame(owner: Any) -> pd.DataFrame:
    rows = [(o.kind, " ".join(o.trials), o.where, o.kept_out, o.sentence) for o in owner.oddities]
    return pd.DataFrame(rows, columns=["kind", "trials", "where", "kept_out", "sentence"])


def _suspects_below(owner: Any, frame: pd.DataFrame) -> Sequence[str]:
    out = {trial for trials in frame.loc[frame["kept_out"], "trials"] for trial in trials.split()}
    return (f"{len(out)} of {len(owner.study.trials)} trials are kept out of what is best, and of conclusions.",)


def _epochs(row: Row) -> Cell:
    if row["status"] == NOT_RUN:
        return Cell(NOT_RUN)
    if is_missing(row["epochs_run"]):  # a source that does not say
        return Cell(UNKNOWN)
    allowed = "" if is_missing(row["epochs_allowed"]) else f"/{row['epochs_allowed']:.0f}"
    status = "" if row["status"] == TrialStatus.COMPLETED else f", {row['status']}"
    odd = f", {row['unfit']}" if row["unfit"] and row["unfit"] != row["status"] else ""
    others = f" (1 of {row['n_trials']:.0f})" if row["n_trials"] > 1 else ""
    return Cell(f"{row['epochs_run']:.0f}{allowed}{status}{odd}{others}", row["epochs_run"])
