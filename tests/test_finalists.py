"""Finalists: the best of those that ran to their end."""

from search.records import TrialRecord
from search.scoring.finalists import choose_finalists
from search.space.spec import BASELINE, TrialSpec, TrialStatus


def _record(seed: int, status: TrialStatus, margin: float | None) -> TrialRecord:
    return TrialRecord(TrialSpec("resnet", seed=seed), status, 4, margin, 0.1, -1.5, 1.0)


COMPLETED = [_record(0, TrialStatus.COMPLETED, -0.5), _record(1, TrialStatus.COMPLETED, 0.5)]
OTHERS = [
    _record(2, TrialStatus.STOPPED, 0.9),
    _record(3, TrialStatus.DEAD, 0.8),
    _record(4, TrialStatus.DIVERGED, None),
    _record(5, TrialStatus.FAILED, None),
    TrialRecord(BASELINE, TrialStatus.COMPLETED, 0, 9.0, 0.0, 9.0, 0.0),
]


def test_finalists_are_the_best_completed_trials_best_first() -> None:
    assert choose_finalists([*OTHERS, *COMPLETED], 1) == [COMPLETED[1]]
    assert choose_finalists([*OTHERS, *COMPLETED], 3) == [COMPLETED[1], COMPLETED[0]]


def test_stopped_trials_stand_in_where_none_completed() -> None:
    assert choose_finalists(OTHERS, 3) == [OTHERS[0]]


def test_nothing_able_means_no_finalists() -> None:
    assert choose_finalists(OTHERS[1:], 3) == []
