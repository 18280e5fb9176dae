"""The driver's answers to the searcher: how trials ended, what lies outside of them, and which are trained again."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from datasets.errors import InputError
from datasets.packed import PackedDataset
from models.training import TrainingState
from search import cli
from search.cluster.placement import avoid_none, where
from search.engine import driver
from search.engine.checkpoint_store import MAX_STARTS, Ending
from search.engine.driver import N_ALIKE, N_HELD, Search
from search.engine.finish import Finish
from search.engine.run_directory import create_run
from search.records import (
    TrialRecord,
    append_proposed,
    append_record,
    failed_record,
    read_records,
    read_run_facts,
)
from search.space.plan import Machine
from search.space.scale import SCALES
from search.space.spaces import SPACES
from search.space.spec import TrialSpec, TrialStatus
from search.task import Task
from search.trial.store import STATE, LocalStore, StoreError

CURVE = ({"epoch": 1, "bytes_at_parity": 0.9}, {"epoch": 2, "bytes_at_parity": 0.8})


def _state(curve: Sequence[Any] = CURVE) -> bytes:
    state = TrainingState(epoch=len(curve), weights=(np.zeros(2),), optimizer=(), best_weights=(), curve=tuple(curve))
    return state.to_bytes()


class Sitting:
    """A search in a folder whose workers are made up: `ending` is how the next trial leaves its worker."""

    def __init__(self, run: Path, pack: PackedDataset, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.ending, self.n_pauses = Ending(), 0
        monkeypatch.setattr(driver, "start_checkpoint_store", lambda run: None)
        monkeypatch.setattr(driver, "how_it_ended", lambda checkpoints, trial_id: self.ending)
        monkeypatch.setattr(driver, "pause", self.pause)
        usual: dict[str, Any] = {
            **{"space": SPACES["native"], "scale": SCALES["demo"], "pack": pack, "seed": 0},
            **{"machine": Machine(2, 1), "n_trials": 2, "command": "", "options": {}},
        }
        self.task = Task(**usual | changes)
        self.search = Search(run, self.task, (), lambda line: None)
        self.search.searcher.continue_from(self.search.records, self.search.unfinished)
        self.specs = [self.task.make_spec(first) for first in self.task.space.first_parameters()]

    def pause(self, checkpoints: object) -> None:
        self.n_pauses += 1


def _record(spec: TrialSpec, share: float, seconds: float = 1.0) -> TrialRecord:
    return TrialRecord(spec, TrialStatus.COMPLETED, 16, 0.1, 1.0, -1.5, seconds, bytes_at_parity=share)


def test_a_worker_that_dies_too_often_leaves_a_failed_record_with_its_curve_that_is_tried_again(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    LocalStore(tmp_path).save(sitting.specs[0].trial_id, 2, {STATE: _state()})
    sitting.ending = Ending(n_starts=MAX_STARTS + 1)
    record = sitting.search.settle(sitting.specs[0], crashed=False)
    assert record is not None
    assert (record.status, record.is_outside, record.curve) == (TrialStatus.FAILED, True, CURVE)
    assert record.error == f"its worker died {MAX_STARTS} times in epoch 3; see logs/workers.log"
    assert read_records(tmp_path) == [record]
    append_proposed(tmp_path, sitting.specs[0])
    again = Sitting(tmp_path, small_pack, monkeypatch)
    assert again.search.unfinished == [sitting.specs[0]]
    assert again.search.n_new == 1  # of two


def test_a_trial_that_only_paused_has_no_record(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    sitting.ending = Ending(n_starts=MAX_STARTS)
    assert sitting.search.settle(sitting.specs[0], crashed=False) is None
    assert not sitting.search.is_held(sitting.specs[0])
    assert read_records(tmp_path) == []


def test_what_cannot_start_is_held_and_ends_the_search_when_nothing_else_can_either(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    for n in range(1, N_HELD + 1):
        sitting.ending = Ending(held="pc1: no pack")
        assert sitting.search.settle(sitting.specs[0], crashed=False) is None
        assert sitting.search.is_held(sitting.specs[0])
        assert sitting.n_pauses == (n == N_HELD)


def test_a_node_where_nothing_can_start_is_avoided_while_there_are_others(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [{"Alive": True, "NodeID": name, "Resources": {"CPU": 2.0}} for name in ("id1", "id2")]
    monkeypatch.setattr("search.cluster.placement.ray.nodes", lambda: nodes)
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    for n in range(1, N_HELD + 1):
        sitting.ending = Ending(held="pc1: no pack", held_on="id1")
        sitting.search.settle(sitting.specs[0], crashed=False)
        assert where(sitting.task.machine) == ({"ray.io/node-id": "!in(id1)"} if n == N_HELD else {})
    assert (sitting.search.held, sitting.n_pauses) == ([], 0)
    for _ in range(N_HELD):
        sitting.ending = Ending(held="pc2: no pack", held_on="id2")
        sitting.search.settle(sitting.specs[0], crashed=False)
    assert sitting.n_pauses == 1  # there is no other
    avoid_none()
    assert where(sitting.task.machine) == {}


def test_a_worker_that_never_began_is_not_the_trials_fault(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    for _ in range(N_HELD):
        assert sitting.search.settle(sitting.specs[0], crashed=True) is None
        assert sitting.search.is_held(sitting.specs[0])
    assert (sitting.n_pauses, read_records(tmp_path)) == (1, [])


def test_a_trial_for_which_no_node_has_room_any_more_is_not_waited_for(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Sitting(tmp_path, small_pack, monkeypatch).specs[0]
    append_proposed(tmp_path, spec)
    said: list[str] = []
    large = Sitting(tmp_path, small_pack, monkeypatch, machine=Machine(2, 1, memory_mb=9000))
    assert large.search.unfinished == [spec]
    small = Sitting(tmp_path, small_pack, monkeypatch, machine=Machine(2, 1, memory_mb=100))
    small.search = Search(tmp_path, small.task, (), said.append)
    assert (small.search.unfinished, small.search.n_new) == ([], 2)
    assert said[0].startswith(f"not gone on with: {spec.architecture} with loss ")


def test_a_search_of_which_no_trial_can_start_says_why(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    nothing = SimpleNamespace(cancel=lambda: None, finish=lambda: None, stop=lambda: None)
    for name in ("run_trials", "make_trainable"):
        monkeypatch.setattr(f"search.engine.driver.{name}", lambda *arguments: None)
    monkeypatch.setattr("search.engine.driver.Baselines", lambda *arguments: nothing)
    for _ in range(N_HELD):
        sitting.ending = Ending(held="pc1: no pack")
        sitting.search.settle(sitting.specs[0], crashed=False)
    with pytest.raises(InputError, match="no trial can start: pc1: no pack; mend it, then go on with --resume"):
        sitting.search.train()


@pytest.mark.parametrize(
    ("is_outside", "says"),
    [
        (True, "mend it, then go on with --resume RUN"),
        (False, "mend it, and give --from RUN, or go on with the others by --resume RUN"),
    ],
)
def test_trials_that_fail_alike_one_after_the_other_end_the_search_with_their_reason(
    is_outside: bool, says: str, small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    other, spec = Ending(_record(sitting.specs[1], 0.8)), sitting.specs[0]
    lost = [Ending(failed_record(spec, "", f"died in epoch {n}", is_outside=is_outside)) for n in range(N_ALIKE)]
    for ending in (*lost[1:], other, *lost[1:], Ending(failed_record(spec, "", "of another kind")), *lost[1:]):
        sitting.ending = ending
        sitting.search.settle(spec, crashed=False)
    assert (sitting.n_pauses, sitting.search.cause) == (0, "")
    sitting.ending = lost[0]
    sitting.search.settle(spec, crashed=False)
    assert sitting.n_pauses == 1
    alike = f"{N_ALIKE} trials in a row failed alike: died in epoch 0"
    assert sitting.search.cause == f"{alike}; {says.replace('RUN', str(tmp_path))}"


def test_what_failed_before_does_not_end_another_sitting_nor_a_search_that_has_no_more(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n_left in (0, 5):
        sitting = Sitting(tmp_path, small_pack, monkeypatch)
        sitting.search.searcher.n_left, sitting.search.searcher.unfinished = n_left, []
        spec = sitting.specs[0]
        sitting.ending = Ending(failed_record(spec, "", "its worker died", is_outside=True))
        for _ in range(N_ALIKE + 1):
            sitting.search.settle(spec, crashed=False)
        assert sitting.search.cause == ""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OutOfMemoryError("Task was killed\ndue to the node running low on memory"), "nearly no memory left"),
        (WorkerCrashedError(), "The worker died unexpectedly"),
    ],
)
def test_a_worker_that_is_lost_while_finalists_are_scored_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: RayError, says: str
) -> None:
    def score() -> None:
        raise error

    nothing = SimpleNamespace(bring_files=lambda: None, screen=lambda: None, train=lambda: True, score=score)
    monkeypatch.setattr(driver, "Search", lambda *asked: nothing)
    monkeypatch.setattr(driver, "Watchdog", lambda run: SimpleNamespace(stop=lambda: None))
    with pytest.raises(InputError, match=rf"^[^\n]*{says}[^\n]*; what ended is safe: go on with --resume [^\n]*$"):
        driver.run_search(tmp_path / "run", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        (StoreError("No space left on device"), r"^cannot write [^\n]*: No space left on device[^\n]*$"),
        (FileNotFoundError(2, "No such file or directory", "/a/pack"), r"^/a/pack: No such file or directory[^\n]*$"),
    ],
)
def test_what_a_disk_did_to_a_worker_that_scores_is_one_line(
    cause: OSError, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score() -> None:
        raise RayTaskError("_score_on_test", "Traceback\n  File", cause).as_instanceof_cause()

    nothing = SimpleNamespace(bring_files=lambda: None, screen=lambda: None, train=lambda: True, score=score)
    monkeypatch.setattr(driver, "Search", lambda *asked: nothing)
    monkeypatch.setattr(driver, "Watchdog", lambda run: SimpleNamespace(stop=lambda: None))
    with pytest.raises(InputError, match=says):
        driver.run_search(tmp_path / "run", None)  # type: ignore[arg-type]


def test_an_ended_trial_between_them_or_another_reason_begins_the_count_anew(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    held, ended = Ending(held="pc1: no pack"), Ending(_record(sitting.specs[1], 0.8))
    for ending in (held, held, ended, held, held, Ending(held="pc2: full"), held, held):
        sitting.ending = ending
        sitting.search.settle(sitting.specs[0], crashed=False)
    assert sitting.n_pauses == 0


def test_the_best_of_what_the_search_drew_is_trained_again_with_other_seeds_when_the_others_have_ended(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    best = sitting.specs[1]
    sitting.search.records = [
        _record(sitting.specs[0], 0.8),
        _record(best, 0.7),
        _record(replace(sitting.specs[2], seed=9), 0.1),
    ]
    sitting.search.searcher.open["t0"] = (sitting.specs[3], None)
    assert sitting.search.confirmations(0) is None
    sitting.search.searcher.open.clear()
    assert sitting.search.confirmations(1) is None
    assert sitting.search.confirmations(0) == (replace(best, seed=1), replace(best, seed=2))


def test_late_in_a_budget_they_are_trained_where_the_time_is_enough(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch, budget_s=100.0)
    sitting.search.log.clock = lambda: (sitting.search.log.began or 0.0) + 80.0
    assert sitting.search.confirmations(5) is None  # nothing has completed: better that something does
    sitting.search.records = [_record(sitting.specs[0], 0.8, seconds=30.0)]
    assert sitting.search.confirmations(5) is None
    sitting.search.records = [_record(sitting.specs[0], 0.8, seconds=10.0)]
    assert sitting.search.confirmations(5) == tuple(replace(sitting.specs[0], seed=seed) for seed in (1, 2))


def test_a_budget_is_searched_until_no_more_is_left_than_the_best_took(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch, budget_s=100.0)
    sitting.search.records = [_record(sitting.specs[0], 0.8, seconds=2.0), _record(sitting.specs[1], 0.9, seconds=9.0)]
    rounds = 1 + -(-2 // sitting.search.task.machine.n_slots)
    for left_s, is_late in ((20.0, False), (1.3 * rounds * 2.0 + 0.1, False), (1.3 * rounds * 2.0 - 0.1, True)):
        sitting.search.log.clock = lambda left_s=left_s: (sitting.search.log.began or 0.0) + 100.0 - left_s
        assert (sitting.search.confirmations(5) is not None) == is_late


def test_rungs_are_learned_of_ended_and_unfinished_trials_and_not_of_those_that_confirm_another(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = Sitting(tmp_path, small_pack, monkeypatch).specs
    again = replace(specs[0], seed=1)
    for spec in (specs[0], again):
        append_record(tmp_path, replace(_record(spec, 0.8), curve=CURVE))
    append_proposed(tmp_path, specs[1])
    LocalStore(tmp_path).save(specs[1].trial_id, 2, {STATE: _state()})
    brackets = Sitting(tmp_path, small_pack, monkeypatch).search._stopping().brackets
    assert brackets is not None
    assert brackets.of(specs[0]).shown[2] == {specs[0].trial_id: 0.8, specs[1].trial_id: 0.8}


def test_what_was_under_way_is_scored_anew_by_every_sitting_that_trained_it_on(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = Sitting(tmp_path, small_pack, monkeypatch)
    spec = sitting.specs[0]
    append_record(tmp_path, replace(_record(spec, 0.9), status=TrialStatus.PAUSED, epochs_run=1))
    LocalStore(tmp_path).save(spec.trial_id, 2, {STATE: _state()})
    newer = replace(_record(spec, 0.8), status=TrialStatus.PAUSED, epochs_run=2)
    scored: list[TrialSpec] = []

    def score(workers: object, specs: list[TrialSpec], machine: object, say: object) -> list[TrialRecord]:
        scored.extend(specs)
        return [newer]

    monkeypatch.setattr("search.engine.finish.score_paused_trials", score)
    search = sitting.search
    left = [spec, sitting.specs[1]]  # the second had no epoch yet
    Finish(tmp_path, sitting.task, search.workers, search.writer, print).score_paused(left)
    assert scored == [spec]
    assert read_records(tmp_path) == [newer]


def test_versions_are_compared_between_sittings_and_those_of_the_pack_are_not(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.engine import run_directory

    task = Sitting(tmp_path, small_pack, monkeypatch, options={"trials": None, "data": ""}).task
    old = SimpleNamespace(versions=lambda: {"numpy": "1", "pillow": "2"})
    monkeypatch.setattr(run_directory, "versions", old.versions)
    run_directory.create_run(tmp_path / "run", task)
    assert run_directory.note_resumed(tmp_path / "run", task) == []  # the pack's Pillow is no sitting's
    monkeypatch.setattr(run_directory, "versions", lambda: {"numpy": "1.5", "pillow": "2"})
    task = replace(task, options={"trials": 3, "mirror": True, "vgg16_weights": "/another/vgg16.h5"})
    assert run_directory.note_resumed(tmp_path / "run", task) == ["numpy 1 -> 1.5"]
    assert read_run_facts(tmp_path / "run")["options"] == {"data": "", **task.options}


def test_a_run_whose_path_ray_cannot_have_is_refused_before_it_is_made(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"r\xffn")
    with pytest.raises(InputError, match="is no UTF-8, which Ray needs"):
        create_run(odd, Any)  # type: ignore[arg-type]
    assert not odd.exists()


def test_a_finished_search_says_what_failed_and_ends_with_1_where_all_did(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "a run"
    run.mkdir()
    one, other = Sitting(run, small_pack, monkeypatch).specs[:2]
    append_record(run, failed_record(one, "", "no layer", is_outside=False))
    assert cli._judge(run) == 1
    assert capsys.readouterr().err == "lowq: every trial failed: no layer\n"
    append_record(run, failed_record(one, "", "the disk is gone", is_outside=True))
    append_record(run, _record(other, 0.8))
    assert cli._judge(run) == 0
    said = f"failed for reasons outside of them (the disk is gone): --resume '{run}' tries them again"
    assert said in capsys.readouterr().err
