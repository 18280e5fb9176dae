"""Warm start: trials of earlier runs that a new run would repeat are taken over, others teach, foreign ones do not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.errors import InputError
from search.records import EARLIER, TrialRecord, append_record, read_proposed, read_records
from search.space.earlier import Earlier, find_earlier
from search.space.spaces import SPACES
from search.space.spec import BASELINE, TrialSpec, TrialStatus
from search.trial.provenance import versions
from search.trial.store import SAMPLES, SCORES, STATE, LocalStore

SPACE = SPACES["full"]
FINGERPRINT = "of the data"


def make_spec(parameters: dict[str, object]) -> TrialSpec:
    return TrialSpec(**{"epochs": 16, **parameters})  # type: ignore[arg-type]


SAME = TrialSpec("jjnet", epochs=16)
SHORTER = TrialSpec("unet", epochs=4)


def _record(spec: TrialSpec, status: TrialStatus = TrialStatus.COMPLETED, data: str = FINGERPRINT) -> TrialRecord:
    curve = ({"epoch": 1, "margin": -1.0},)
    return TrialRecord(
        spec, status, 1, -1.0, 0.1, -1.5, 1.0, curve, dataset_fingerprint=data, versions=dict(versions())
    )


def _run(run: Path, *records: TrialRecord) -> Path:
    run.mkdir()
    for record in records:
        files = {STATE: b"state", SCORES: b"scores", SAMPLES: b"samples"}
        LocalStore(run).save(record.trial_id, 1, files)
        append_record(run, record)
    return run


def test_what_would_be_repeated_is_taken_over_with_its_files_and_the_rest_teaches(tmp_path: Path) -> None:
    run = _run(tmp_path / "old", _record(SAME), _record(SHORTER), _record(BASELINE))
    earlier = find_earlier([run], SPACE, make_spec, FINGERPRINT)
    (tmp_path / "new").mkdir()
    earlier.write_into(tmp_path / "new")
    assert read_proposed(tmp_path / "new") == [SAME]
    assert read_records(tmp_path / "new") == [_record(SAME)]
    assert read_records(tmp_path / "new", EARLIER) == [_record(SHORTER)]
    assert LocalStore(tmp_path / "new").load(SAME.trial_id) == b"state"
    assert LocalStore(tmp_path / "new").path(SAME.trial_id, SCORES).read_bytes() == b"scores"


NOT_TAKEN: dict[str, Callable[[TrialRecord], TrialRecord]] = {
    "another version": lambda record: replace(record, versions={"lowq": "0"}),
    "more epochs": lambda record: replace(record, spec=replace(record.spec, epochs=17)),
    "another seed": lambda record: replace(record, spec=replace(record.spec, seed=1)),
}


@pytest.mark.parametrize("difference", NOT_TAKEN)
def test_what_differs_only_teaches(difference: str, tmp_path: Path) -> None:
    record = NOT_TAKEN[difference](_record(SAME))
    earlier = find_earlier([_run(tmp_path / "old", record)], SPACE, make_spec, FINGERPRINT)
    assert earlier.taken == ()
    assert earlier.taught == (record,)


@pytest.mark.parametrize(
    "record",
    [_record(SAME, TrialStatus.FAILED), _record(replace(SAME, training_quality=60))],
    ids=["failed", "of another space"],
)
def test_what_failed_or_could_not_be_drawn_is_left(record: TrialRecord, tmp_path: Path) -> None:
    earlier = find_earlier([_run(tmp_path / "old", record)], SPACE, make_spec, FINGERPRINT)
    assert (earlier.taken, earlier.taught) == ((), ())


def test_a_trial_that_lost_its_scores_only_teaches(tmp_path: Path) -> None:
    run = _run(tmp_path / "old", _record(SAME))
    LocalStore(run).path(SAME.trial_id, SCORES).unlink()
    earlier = find_earlier([run], SPACE, make_spec, FINGERPRINT)
    assert (earlier.taken, earlier.taught) == ((), (_record(SAME),))


def test_a_trial_of_several_runs_counts_once(tmp_path: Path) -> None:
    runs = [_run(tmp_path / name, _record(SAME)) for name in ("one", "two")]
    assert [run for run, _ in find_earlier(runs, SPACE, make_spec, FINGERPRINT).taken] == runs[:1]


def test_trials_that_were_judged_by_another_least_viewable_ssim_are_left(tmp_path: Path) -> None:
    run = _run(tmp_path / "old", _record(SAME))
    (run / "run.json").write_text('{"options": {"least_viewable_ssim": 0.95}}')
    earlier = find_earlier([run], SPACE, make_spec, FINGERPRINT)
    assert earlier == Earlier(left=(run,))
    assert earlier.describe() == [f"{run} is left out: it was judged by another --least-viewable-ssim"]
    assert len(find_earlier([run], SPACE, make_spec, FINGERPRINT, 0.95).taken) == 1


def test_trials_on_other_data_are_refused(tmp_path: Path) -> None:
    run = _run(tmp_path / "old", _record(SAME, data="other"))
    with pytest.raises(InputError, match="were trained on other data: name its pack with --data"):
        find_earlier([run], SPACE, make_spec, FINGERPRINT)


def test_a_run_without_trials_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no ended trial to start from"):
        find_earlier([_run(tmp_path / "old")], SPACE, make_spec, FINGERPRINT)
