"""What tables of a search are made of, whether a run or a printed table tells of it: trials, their means, the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.ranking import bytes_at_parity
from analysis.records import settings_of
from analysis.run import LINEAR, Run
from search.records import TrialRecord
from search.space.spec import RANDOM, TrialStatus

# Trials that agree in all of these are rivals for one cell of a table.
AXES = ("architecture", "global_residual", "output_activation", "training_quality", "loss", "split", "encoder")
UNFIT = (TrialStatus.DEAD, TrialStatus.DIVERGED, TrialStatus.FAILED)
BASELINE = "identity"
# Of a record, into a frame of trials; with the others, whatever there is no setting of a trial.
OUTCOME = (
    *("margin", "input_margin", "psnr_gain_db", "parameters", "macs_per_pixel", "restore_ms", "weights_bytes"),
    *("seconds", "trained_batch_size", "device", "error"),
)
OUTCOMES = {*OUTCOME, "trial_id", "status", "epochs_run", "bytes_at_parity", "merit", "model", "table"}
CHOICE = (
    "Where several trials share a cell, one stands for them: of those that are neither dead, diverged, failed nor "
    "suspect the longest trained, of these the best of the ranking on validation images."
)


@dataclass(frozen=True)
class Study:
    """Trials and what is known of them.

    trials: trial_id, AXES, status, epochs_run, epochs_allowed, margin, merit (of the ranking), ...; cells: as
    `analysis.cells.cells_of` returns them; columns `printed` and `mislabelled` hold the digits that a source printed,
    and whether under another metric's name. unfit: trial_id -> in a word why it is kept out of what is best and of
    conclusions. planned: axis -> the values that were to be compared; not_run: a value that could not be, -> why.
    """

    trials: pd.DataFrame
    cells: pd.DataFrame
    unfit: Mapping[str, str]
    planned: Mapping[str, Sequence[Any]]
    not_run: Mapping[str, str]

    def values(self, axis: str) -> list[Any]:
        """Return the values of an axis that were planned, left out or tried, in the order of the plan.

        Numbers come by their size, "random" behind them; what only trials have comes last.
        """
        planned, tried = [*self.planned.get(axis, ())], self.trials[axis].drop_duplicates().tolist()
        planned += [name for name in self.not_run if axis == "loss" and name not in planned and " " not in name]
        if not planned:
            return sorted(tried, key=by_size)
        if axis == "training_quality":
            return sorted({*planned, *tried}, key=by_size)
        return [*planned, *sorted(set(tried) - set(planned), key=by_size)]

    def rank(self, column: "pd.Series[Any]") -> "pd.Series[int]":
        """Return the place of each value in the order of the axis that the column is named after, to sort by."""
        return column.map({value: rank for rank, value in enumerate(self.values(str(column.name)))})

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """Choose a trial for each combination of AXES that was tried, by CHOICE, in the order of the axes.

        Returns the columns of trials, unfit ("" or why), and n_trials that share the cell.
        """
        trials = self.trials.assign(unfit=[self.unfit.get(name, "") for name in self.trials["trial_id"]])
        trials["is_fit"] = trials["unfit"] == ""
        images = trials["epoch_images"].astype(float).fillna(float("inf"))
        trials["images_seen"] = (trials["epochs_run"].astype(float).fillna(0) * images).fillna(0)
        best = {"is_fit": False, "images_seen": False, "epochs_run": False, "merit": False, "trial_id": True}
        ranked = trials.sort_values(list(best), ascending=list(best.values()))
        ranked["n_trials"] = ranked.groupby(list(AXES), sort=False, dropna=False)["trial_id"].transform("size")
        return ranked.drop_duplicates(list(AXES)).sort_values(list(AXES), key=self.rank, ignore_index=True)


def study_of(run: Run, cells: pd.DataFrame, suspects: Mapping[str, str]) -> Study:
    """Take from a run what its tables need. suspects: trial_id -> why it is kept out, besides what its status says.

    Files that nobody restores are no trial, whatever writes them.
    """
    tried = [record for record in run.trials if not record.spec.returns_input]
    trials = trials_frame(tried)
    trials["merit"] = pd.Series([run.ranking.merit(record) for record in tried], dtype=float)
    ended = {record.trial_id: str(record.status) for record in tried if record.status in UNFIT}
    planned = run.facts.get("space_definition", {}).get("axes", {})
    not_run = {item["what"]: item["why"] for item in run.facts.get("left_out", [])}
    return Study(trials, cells, {**suspects, **ended}, planned, not_run)


def trials_frame(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Tabulate records in their order: outcome, cost, every setting."""
    rows: list[dict[str, object]] = []
    for r in records:
        told: dict[str, object] = {"trial_id": r.trial_id, "status": r.status.value, "epochs_run": r.epochs_run}
        told |= {name: getattr(r, name) for name in OUTCOME} | {"bytes_at_parity": bytes_at_parity(r)}
        rows.append(told | {k: str(v) if isinstance(v, list | dict) else v for k, v in settings_of(r).items()})
    table = pd.DataFrame(rows, columns=None if records else ["trial_id", *AXES])
    return table.rename(columns={"epochs": "epochs_allowed"})


def by_size(value: Any) -> tuple[bool, bool, float, str]:
    """Sort None first, yes before no, numbers by size, then words, "random" last."""
    is_number = isinstance(value, int | float)
    size = (-float(value) if isinstance(value, bool) else float(value)) if is_number else float("-inf")
    return (value == RANDOM, isinstance(value, str), size, str(value))


def is_filter(architecture: str) -> bool:
    """Say whether what is called so is trained by nobody: JPEG as it is, or the linear filter."""
    return architecture in (BASELINE, LINEAR)
