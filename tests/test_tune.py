"""What Tune is given, and the checkpoint store that answers its workers."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from ray import cloudpickle, tune
from ray.exceptions import OutOfMemoryError

from datasets.errors import InputError
from search.cluster.file_set import FileSet
from search.cluster.scoring_tasks import WorkerSetup
from search.engine.checkpoint_store import MAX_STARTS, CheckpointStore, Ending, checkpoint_store_name
from search.engine.early_stopping import EarlyStopping
from search.engine.interrupt import told_to_end
from search.engine.tune import Events, Job, make_trainable, run_trials
from search.records import failed_record
from search.space.plan import Machine
from search.space.scale import SCALES, TrialSetup
from search.space.spec import TrialSpec
from search.trial.reporting import Verdict
from search.trial.store import STATE

SPEC = TrialSpec("resnet", epochs=8)


def test_the_trainable_is_small() -> None:
    setup = TrialSetup(SCALES["demo"].protocol)
    workers = WorkerSetup(FileSet(Path("/a/pack"), "packs/1", ()), checkpoint_store_name(Path("/a/run")), setup)
    assert len(cloudpickle.dumps(make_trainable(workers, Machine(1, 1)))) < 100_000


def test_the_checkpoint_store_keeps_files_and_hands_over_verdicts_and_records(tmp_path: Path) -> None:
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
    assert checkpoints.collect(SPEC.trial_id) == Ending(record)
    assert checkpoints.collect(SPEC.trial_id) == Ending()


def test_a_full_disk_is_told_and_pauses_every_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    checkpoints = CheckpointStore(tmp_path)
    monkeypatch.setattr("search.trial.store.write_whole", full)
    assert checkpoints.save("t", 1, {STATE: b"state"}) == "No space left on device"
    assert checkpoints.verdict("t") is Verdict.PAUSE
    assert checkpoints.collect("t").trouble == "No space left on device"


def test_after_the_budget_a_trial_that_waited_begins_no_epoch(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    assert checkpoints.begin("t") is Verdict.GO_ON
    checkpoints.started_on("t", "pc1, CPU")
    checkpoints.pause()
    assert checkpoints.begin("u") is Verdict.PAUSE
    assert checkpoints.newly_started() == [("t", "pc1, CPU")]
    assert checkpoints.newly_started() == []


def test_deaths_count_since_the_last_new_epoch_alone(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for epoch in range(1, 4):  # as often as it may die without one
        for _ in range(MAX_STARTS):
            assert checkpoints.begin("t") is Verdict.GO_ON
        checkpoints.save("t", epoch, {STATE: b"state"})
    for _ in range(MAX_STARTS):
        assert checkpoints.begin("t") is Verdict.GO_ON
    assert checkpoints.begin("t") is Verdict.STOP
    assert checkpoints.collect("t").n_starts > MAX_STARTS


def test_what_is_outside_of_a_trial_is_no_death_of_its(tmp_path: Path) -> None:
    checkpoints = CheckpointStore(tmp_path)
    for _ in range(2 * MAX_STARTS):
        assert checkpoints.begin("t") is Verdict.GO_ON
        checkpoints.hold("t", "pc1: no pack", "id1")
        assert checkpoints.collect("t") == Ending(held="pc1: no pack", held_on="id1")


WORKERS = WorkerSetup(FileSet(Path("/a/pack"), "packs/1", ()), "store", TrialSetup(SCALES["demo"].protocol))


def _worker_with(checkpoints: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process stand for a worker that asks a checkpoint store."""
    monkeypatch.setattr("search.engine.tune.HOLD_S", 0)
    monkeypatch.setattr(
        "search.engine.tune.has_outgrown", lambda limit_mb, kept_mb: False
    )  # else this process would end
    monkeypatch.setattr("search.engine.tune.find_checkpoint_store", lambda name: checkpoints)
    monkeypatch.setattr("search.engine.tune.ray.get", lambda answer: answer)
    monkeypatch.setattr("search.engine.tune._node_id", lambda: "id1")


def test_a_trial_is_held_where_tensorflow_cannot_be_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(*asked: object) -> None:
        raise RuntimeError("Graph execution error:\n\nno CUDA device")

    held = []
    hold = SimpleNamespace(remote=lambda trial_id, reason, node: held.append((trial_id, reason, node)))
    begin = SimpleNamespace(remote=lambda trial_id: Verdict.GO_ON)
    monkeypatch.setattr("models.backend.prepare_backend", prepare)
    _worker_with(SimpleNamespace(hold=hold, begin=begin), monkeypatch)
    make_trainable(WORKERS, Machine(1, 1))({"spec": SPEC})
    ((trial_id, reason, node),) = held
    assert (trial_id, reason.endswith(": no CUDA device"), node) == (SPEC.trial_id, True, "id1")


def test_a_trial_is_held_where_tensorflow_does_not_see_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []
    cards: list[str] = []
    store = SimpleNamespace(
        begin=SimpleNamespace(remote=lambda trial_id: Verdict.GO_ON),
        started_on=SimpleNamespace(remote=lambda trial_id, place: None),
        hold=SimpleNamespace(remote=lambda trial_id, reason, node: held.append(reason)),
    )
    _worker_with(store, monkeypatch)
    monkeypatch.setattr("models.backend.prepare_backend", lambda *asked: None)
    monkeypatch.setattr("models.backend.device_name", lambda: "CPU")
    monkeypatch.setattr("search.engine.tune.read_cards", lambda: (tuple(cards), None))
    monkeypatch.setattr(WorkerSetup, "open", lambda workers: (_ for _ in ()).throw(InputError("it came so far")))
    for says in ("it came so far", "TensorFlow does not see its card: install lowq[gpu]"):
        make_trainable(WORKERS, Machine(1, 1, n_gpus=1))({"spec": SPEC})
        assert held.pop().endswith(says)
        cards.append("GTX")


def test_no_epoch_begins_where_the_budget_ended_while_the_pack_was_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Verdict] = []
    for verdict in Verdict:
        store = SimpleNamespace(
            begin=SimpleNamespace(remote=lambda trial_id: Verdict.GO_ON),
            started_on=SimpleNamespace(remote=lambda trial_id, place: None),
            verdict=SimpleNamespace(remote=lambda trial_id, verdict=verdict: verdict),
        )
        _worker_with(store, monkeypatch)
        monkeypatch.setattr("models.backend.prepare_backend", lambda *asked: None)
        monkeypatch.setattr(WorkerSetup, "open", lambda workers: (None, None))
        monkeypatch.setattr("search.trial.trial.run_trial", lambda *asked, verdict=verdict: ran.append(verdict))
        make_trainable(WORKERS, Machine(1, 1))({"spec": SPEC})
    assert ran == [verdict for verdict in Verdict if verdict is not Verdict.PAUSE]  # one to stop has its scores left


def test_a_trial_whose_workers_died_too_often_loads_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = SimpleNamespace(remote=lambda trial_id: Verdict.STOP)
    monkeypatch.setattr("models.backend.prepare_backend", lambda *asked: pytest.fail("TensorFlow is loaded again"))
    _worker_with(SimpleNamespace(begin=begin), monkeypatch)
    make_trainable(WORKERS, Machine(1, 1))({"spec": SPEC})


def test_a_part_of_a_file_is_read_for_a_node_that_lacks_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert CheckpointStore(tmp_path).read_part(tmp_path / "file", 3, 4) == b"3456"


def test_a_worker_that_ray_ended_for_want_of_memory_ends_the_search_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(tuner: object) -> None:
        try:
            raise OutOfMemoryError("1 worker(s) were killed due to the node running low on memory")
        except OutOfMemoryError as error:
            raise RuntimeError(f"Caught unexpected exception: {error}") from error  # as Tune does

    monkeypatch.setattr(tune.Tuner, "fit", fit)
    job = Job(1, Machine(n_slots=1, n_threads=1), tmp_path / "run" / "logs")
    stopping: Any = EarlyStopping(None, None, 0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"nearly no memory left.*--resume .*/run$"):
        run_trials(lambda config: None, job, None, stopping, [])  # type: ignore[arg-type]
    monkeypatch.setattr(tune.Tuner, "fit", lambda tuner: (_ for _ in ()).throw(RuntimeError("another")))
    with pytest.raises(RuntimeError, match="another"):
        run_trials(lambda config: None, job, None, stopping, [])  # type: ignore[arg-type]


def test_ctrl_c_is_remembered_where_tune_swallows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(is_interrupted: bool) -> Callable[[Any], None]:
        def runs(tuner: Any) -> None:
            found = signal.getsignal(signal.SIGINT)

            def swallow(number: int, frame: object) -> None:
                signal.signal(signal.SIGINT, found)  # as Tune does

            signal.signal(signal.SIGINT, swallow)
            for callback in tuner._local_tuner._run_config.callbacks:
                callback.setup()
            if is_interrupted:
                os.kill(os.getpid(), signal.SIGINT)

        return runs

    job = Job(1, Machine(n_slots=1, n_threads=1), tmp_path / "run" / "logs")
    stopping: Any = EarlyStopping(None, None, 0)  # type: ignore[arg-type]
    for is_interrupted in (False, True):
        told_to_end.clear()
        monkeypatch.setattr(tune.Tuner, "fit", fit(is_interrupted))
        run_trials(lambda config: None, job, None, stopping, [])  # type: ignore[arg-type]
        assert told_to_end.is_set() == is_interrupted
    told_to_end.clear()


def test_a_sigterm_that_came_before_tune_listened_ends_it_at_its_next_step() -> None:
    heard: list[int] = []
    log = SimpleNamespace(is_out_of_time=lambda: False)
    events = Events(SimpleNamespace(log=log), SimpleNamespace(move_on=lambda: None))  # type: ignore[arg-type]
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    told_to_end.clear()
    events.on_step_end(1, [])
    assert heard == []
    told_to_end.set()
    events.on_step_end(2, [])
    told_to_end.clear()
    signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def test_what_waits_for_slots_that_others_have_is_not_waited_for_once_the_budget_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[int] = []
    log = SimpleNamespace(is_out_of_time=lambda: True)
    search: Any = SimpleNamespace(log=log, is_stopped=False, checkpoints=MagicMock())
    search.stop = lambda: setattr(search, "is_stopped", True)
    events = Events(search, SimpleNamespace(move_on=lambda: None))  # type: ignore[arg-type]
    monkeypatch.setattr("search.engine.tune.ray.get", lambda answer: [])
    monkeypatch.setattr("search.engine.tune.POLL_S", 0)
    monkeypatch.setattr("search.engine.tune.IDLE_S", 0)
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    told_to_end.clear()
    events.on_step_end(1, [SimpleNamespace(status="RUNNING"), SimpleNamespace(status="PENDING")])
    assert (heard, events.has_ended_tune) == ([], False)
    events.on_step_end(2, [SimpleNamespace(status="PENDING")])
    signal.signal(signal.SIGINT, before)
    assert (heard, events.has_ended_tune) == ([signal.SIGINT], True)


def test_a_search_that_stopped_tells_a_checkpoint_store_that_was_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    log, stops = SimpleNamespace(is_out_of_time=lambda: False), list[int]()
    search: Any = SimpleNamespace(log=log, is_stopped=False, checkpoints=MagicMock(), stop=lambda: stops.append(1))
    events = Events(search, SimpleNamespace(move_on=lambda: None))  # type: ignore[arg-type]
    monkeypatch.setattr("search.engine.tune.ray.get", lambda answer: [])
    monkeypatch.setattr("search.engine.tune.POLL_S", 0)
    told_to_end.clear()
    running = [SimpleNamespace(status="RUNNING")]
    events.on_step_end(1, running)
    assert stops == []
    search.is_stopped = True  # as of trials that could not start
    events.on_step_end(2, running)
    assert stops == [1]


def test_what_is_waited_for_is_noted_while_no_trial_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    log = SimpleNamespace(is_out_of_time=lambda: False, note=noted.append)
    search: Any = SimpleNamespace(log=log, is_stopped=False, checkpoints=MagicMock())
    events = Events(search, SimpleNamespace(move_on=lambda: None))  # type: ignore[arg-type]
    monkeypatch.setattr("search.engine.tune.ray.get", lambda answer: [])
    monkeypatch.setattr("search.engine.tune.POLL_S", 0)
    monkeypatch.setattr("search.cluster.waiting.what_is_free", lambda: "0 of 2 CPU are free")
    told_to_end.clear()
    events.patience.wait_s = 0.0
    events.on_step_end(1, [SimpleNamespace(status="RUNNING"), SimpleNamespace(status="PENDING")])
    assert noted == []
    events.patience.wait_s = 0.0
    events.on_step_end(2, [SimpleNamespace(status="PENDING")])
    assert noted == ["waiting for a free slot: 0 of 2 CPU are free"]
