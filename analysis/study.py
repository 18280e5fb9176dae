"""What tables of a search are made of, whether a run or a printed table tells of it: trials, their means, the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.run import Run
from analysis.tables.trials import trials_table
from models.names import ARCHITECTURES, LOSSES, OUTPUT_ACTIVATIONS
from search.spec import RANDOM, SPLITS, TrialStatus

# Trials that agree in all of these are rivals for one cell of a table.
AXES = ("architecture", "global_residual", "output_activation", "training_quality", "loss", "split")
ORDER: Mapping[str, Sequence[Any]] = {
    "architecture": ARCHITECTURES,
    "global_residual": (True, False),
    "output_activation": OUTPUT_ACTIVATIONS,
    "training_quality": (*range(1, 101), RANDOM),
    "loss": LOSSES,
    "split": SPLITS,
}
UNFIT = (TrialStatus.DEAD, TrialStatus.DIVERGED, TrialStatus.FAILED)


@dataclass(frozen=True)
class Study:
    """Trained trials and what is known of them.

    trials: trial_id, AXES, status, epochs_run, epochs_allowed, margin, ...; cells, by_system: as
    `analysis.comparison.compare` returns them, of all images and of each camera system; columns `printed` and
    `mislabelled` hold the digits that a source printed, and whether under another metric's name. unfit: trial_id -> in
    a word why it is kept out of what is best and of conclusions. planned: axis -> the values that were to be compared;
    not_run: a value that could not be, -> why.
    """

    trials: pd.DataFrame
    cells: pd.DataFrame
    by_system: pd.DataFrame
    unfit: Mapping[str, str]
    planned: Mapping[str, Sequence[Any]]
    not_run: Mapping[str, str]

    def values(self, axis: str) -> list[Any]:
        """Return the values of an axis that were planned, left out or tried, in their usual order.

        Those that this version does not know come last.
        """
        known = {*self.planned.get(axis, ()), *self.trials[axis]}
        usual = [value for value in ORDER[axis] if value in known or value in self.not_run]
        return [*usual, *sorted(known.difference(ORDER[axis]), key=str)]


def study_of(run: Run, cells: pd.DataFrame, by_system: pd.DataFrame, suspects: Mapping[str, str]) -> Study:
    """Take from a run what its tables need. suspects: trial_id -> why it is kept out, besides what its status says."""
    trials = trials_table(run)
    if not trials.empty:
        trials = trials[trials["architecture"] != "identity"].reset_index(drop=True)
    ended = {record.trial_id: str(record.status) for record in run.trials if record.status in UNFIT}
    planned = run.facts.get("space_definition", {}).get("axes", {})
    not_run = {item["what"]: item["why"] for item in run.facts.get("left_out", [])}
    return Study(trials, cells, by_system, {**suspects, **ended}, planned, not_run)
