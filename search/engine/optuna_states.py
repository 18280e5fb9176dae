"""How a trial that ended reads in Optuna's study, and how trials there are ordered."""

import math

import optuna
from optuna.trial import TrialState

from search.records import TrialRecord
from search.space.spec import TrialStatus

SPEAKS_NOT = (TrialStatus.DEAD, TrialStatus.DIVERGED)  # what these showed before says nothing of where to look


def state_and_value(record: TrialRecord) -> tuple[TrialState, float | None]:
    """Return what Optuna is told: a failed trial is forgotten, so only a crash is one; a weak trial was pruned."""
    match record.status:
        case TrialStatus.COMPLETED if record.bytes_at_parity is not None:
            return TrialState.COMPLETE, record.bytes_at_parity
        case TrialStatus.FAILED:
            return TrialState.FAIL, None
        case _:
            return TrialState.PRUNED, None


def bests_by_epoch(record: TrialRecord) -> dict[int, float]:
    """Return the fewest bytes at parity that a trial had shown by each epoch."""
    bests: dict[int, float] = {}
    for row in record.curve if record.status not in SPEAKS_NOT else ():
        shown = row.get("bytes_at_parity")
        if shown is not None:
            bests[int(row["epoch"] or 0)] = min([shown, *bests.values()])
    return bests


def rank(trial: optuna.trial.FrozenTrial) -> tuple[float, float]:
    """Return what trials are ordered by: completed ones by their value, then who came further, then by value."""
    if trial.state is TrialState.COMPLETE:
        return -math.inf, trial.values[0]
    shown = trial.intermediate_values
    return -max(shown, default=0), min(shown.values(), default=math.inf)
