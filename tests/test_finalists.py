"""Finalists: the best of those that ran to their end."""

from dataclasses import replace

from search.records import TrialRecord
from search.scoring.finalists import choose_filters, choose_finalists
from search.space.spec import BASELINE, FILTER, TrialSpec, TrialStatus


def _record(seed: int, status: TrialStatus, margin: float | None) -> TrialRecord:
    return TrialRecord(TrialSpec("resnet", batch_size=seed + 1), status, 4, margin, 0.1, -1.5, 1.0)


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


def test_a_paused_trial_is_one_of_them_and_bytes_at_parity_decide() -> None:
    shares = (0.8, 0.7, 0.6)
    able = [*COMPLETED, _record(6, TrialStatus.PAUSED, -0.9)]
    records = [replace(record, bytes_at_parity=share) for record, share in zip(able, shares, strict=True)]
    assert choose_finalists(records, 2) == [records[2], records[1]]


def test_what_was_trained_with_several_seeds_comes_first_and_stays_together() -> None:
    def record(batch_size: int, seed: int, share: float) -> TrialRecord:
        spec = TrialSpec("resnet", batch_size=batch_size, seed=seed)
        return TrialRecord(spec, TrialStatus.COMPLETED, 4, 0.0, 0.1, -1.5, 1.0, bytes_at_parity=share)

    lucky = record(2, 0, 0.6)
    confirmed = [record(4, 0, 0.65), record(4, 1, 0.75)]
    better = [record(8, 1, 0.68), record(8, 0, 0.69)]
    assert choose_finalists([lucky, *confirmed, *better], 1) == better
    assert choose_finalists([lucky, *confirmed, *better], 3) == [*better, *confirmed]
    assert choose_finalists([lucky, *confirmed, *better], 5)[-1] == lucky


def test_stopped_trials_stand_in_where_none_completed() -> None:
    assert choose_finalists(OTHERS, 3) == [OTHERS[0]]


def test_nothing_able_means_no_finalists() -> None:
    assert choose_finalists(OTHERS[1:], 3) == []


def test_the_best_filter_of_each_split_and_those_of_the_finalists_stand_beside_them() -> None:
    def record(spec: TrialSpec, share: float) -> TrialRecord:
        return TrialRecord(spec, TrialStatus.COMPLETED, 0, 0.0, 0.1, -1.5, 1.0, bytes_at_parity=share)

    worst, best, own, other = (
        record(replace(FILTER, training_quality=quality, split=split), share)
        for quality, split, share in ((75, "tiny", 0.9), (50, "tiny", 0.7), (25, "tiny", 0.8), (75, "data100", 0.6))
    )
    finalist = record(TrialSpec("resnet", training_quality=25, split="tiny"), 0.5)
    assert choose_filters([record(BASELINE, 1.0), worst, finalist, own, best, other], [finalist]) == [other, best, own]
    assert choose_filters([worst, best], []) == [best]
    assert choose_filters([finalist], [finalist]) == []


def test_the_filter_of_a_finalists_own_files_stands_beside_it_and_no_other_encoders() -> None:
    families = ("jpeg-c0.6", "jpeg-c0.8")
    filters = [
        TrialRecord(replace(FILTER, encoder=family), TrialStatus.COMPLETED, 0, 0.0, 0.1, -1.5, 1.0)
        for family in families
    ]
    finalist = TrialRecord(
        TrialSpec("resnet", encoder=families[1], training_quality=FILTER.training_quality),
        *(TrialStatus.COMPLETED, 4, 0.0, 0.1, -1.5, 1.0),
    )
    assert choose_filters(filters, [finalist]) == filters[1:]
