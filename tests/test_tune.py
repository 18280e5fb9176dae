"""What Tune is given: a trainable small enough for every worker, and early stopping that a trial hears of."""

import errno
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import cloudpickle

from search.cluster.file_set import FileSet
from search.cluster.scoring_tasks import WorkerSetup
from search.engine.checkpoint_store import CheckpointStore, checkpoint_store_name
from search.engine.tune import EarlyStopping, make_trainable, spec_of
from search.records import TrialRecord, failed_record
from search.space.plan import Machine
from search.space.scale import SCALES, TrialSetup
from search.space.spec import TrialSpec, TrialStatus
from search.trial.reporting import Verdict
from search.trial.store import STATE

SPEC = TrialSpec("resnet", epochs=8)
WORKER_SETUP = WorkerSetup(
    FileSet(Path("/a/pack"), "packs/1", ()), checkpoint_store_name(Path("/a/run")), TrialSetup(SCALES["demo"].protocol)
)


class FakeKeeper:
    """Stands in for the checkpoint store's handle: remembers who was ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.end = SimpleNamespace(remote=self.ended.append)


@pytest.fixture
def checkpoints(monkeypatch: pytest.MonkeyPatch) -> FakeKeeper:
    monkeypatch.setattr("search.engine.tune.ray.get", lambda answer: answer)
    return FakeKeeper()


def _trial(seed: int) -> Any:
    return SimpleNamespace(trial_id=f"t{seed}", config=asdict(replace(SPEC, seed=seed)))


def test_the_trainable_is_small() -> None:
    assert len(cloudpickle.dumps(make_trainable(WORKER_SETUP, Machine(1, 1)))) < 100_000


def test_a_configuration_of_tune_is_the_spec_it_was_made_of() -> None:
    assert spec_of({**asdict(SPEC), "something of Tune's": 1}) == SPEC


def test_a_weak_trial_hears_stop_while_tune_is_told_to_go_on(checkpoints: FakeKeeper) -> None:
    stopping = EarlyStopping(checkpoints, SCALES["demo"], epochs=8)
    decisions = []
    for seed, margin in enumerate((0.5, 0.4, -0.5)):
        stopping.on_trial_add(None, _trial(seed))
        decisions.append(stopping.on_trial_result(None, _trial(seed), {"epoch": 2, "best_margin": margin}))
    assert decisions == ["CONTINUE"] * 3
    assert checkpoints.ended == [replace(SPEC, seed=seed).trial_id for seed in (1, 2)]


def test_a_trial_is_held_to_what_trials_of_an_earlier_sitting_showed(checkpoints: FakeKeeper) -> None:
    curve = tuple({"epoch": epoch, "margin": margin} for epoch, margin in ((1, None), (2, 0.5), (3, 0.9)))
    earlier = TrialRecord(replace(SPEC, seed=9), TrialStatus.STOPPED, 3, 0.9, 0.1, -1.5, 1.0, curve)
    stopping = EarlyStopping(checkpoints, SCALES["demo"], epochs=8)
    stopping.learn([earlier])
    for seed, margin in enumerate((0.6, 0.4)):  # 0.9 was shown after the rung of 2 epochs, which is held at 0.5
        stopping.on_trial_add(None, _trial(seed))
        stopping.on_trial_result(None, _trial(seed), {"epoch": 2, "best_margin": margin})
    assert checkpoints.ended == [replace(SPEC, seed=1).trial_id]


def test_no_trial_is_stopped_before_its_first_rung(checkpoints: FakeKeeper) -> None:
    stopping = EarlyStopping(checkpoints, SCALES["demo"], epochs=8)
    for seed, margin in enumerate((0.5, -9.0)):
        stopping.on_trial_add(None, _trial(seed))
        stopping.on_trial_result(None, _trial(seed), {"epoch": 1, "best_margin": margin})
    assert checkpoints.ended == []


def test_the_keeper_keeps_files_and_hands_over_verdicts_and_records(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    checkpoints.save("t", 1, {STATE: b"state"})
    assert checkpoints.load("t") == b"state"
    assert checkpoints.verdict("t") is Verdict.GO_ON
    checkpoints.end("t")
    assert checkpoints.verdict("t") is Verdict.STOP
    checkpoints.pause()
    assert checkpoints.verdict("another") is Verdict.PAUSE
    record = failed_record(SPEC, "", "OSError: gone")
    checkpoints.hand_in(record)
    assert checkpoints.collect(SPEC.trial_id) == (record, None)
    assert checkpoints.collect(SPEC.trial_id) == (None, None)


def test_a_full_disk_is_told_and_pauses_every_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    checkpoints = CheckpointStore(tmp_path)
    monkeypatch.setattr("search.trial.store.write_atomically", full)
    assert checkpoints.save("t", 1, {STATE: b"state"}) == "No space left on device"
    assert checkpoints.verdict("t") is Verdict.PAUSE
    assert checkpoints.collect("t") == (None, "No space left on device")
