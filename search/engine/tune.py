"""Ray Tune runs the trials: the trainable that every worker gets, and the driver's side of what happens to them."""

import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import TrialScheduler

from datasets.errors import last_line
from models.plugins import use_plugin
from search.cluster.baselines import Baselines
from search.cluster.cards import read_cards
from search.cluster.placement import gpu_limit_mb, needs, where, worker_mb
from search.cluster.scoring_tasks import OUTSIDE, WorkerSetup, forget_files
from search.cluster.waiting import Patience
from search.cluster.worker_memory import has_outgrown
from search.engine.checkpoint_store import RemoteStore, find_checkpoint_store
from search.engine.early_stopping import METRIC
from search.engine.interrupt import told_to_end
from search.engine.run_directory import lost_worker
from search.engine.searcher import LowqSearch
from search.progress.log import ProgressLog
from search.space.plan import Machine
from search.space.spec import TrialSpec
from search.trial.provenance import node_name
from search.trial.reporting import Progress, Verdict

Trainable = Callable[[dict[str, Any]], None]
MAX_FAILURES = 100  # of a trial's workers; the checkpoint store counts those since its last epoch
HOLD_S = 5.0  # before a trial that could not start is proposed again
POLL_S = 1.0
IDLE_S = 15.0  # after the end of a search, that trials may still be starting


def make_trainable(workers: WorkerSetup, machine: Machine) -> Trainable:
    """Return the function Tune runs on workers: a trial of the spec that the configuration holds."""

    def train_spec(config: dict[str, Any]) -> None:
        checkpoints, spec = find_checkpoint_store(workers.checkpoints), config["spec"]

        def hold(error: Exception) -> None:
            time.sleep(HOLD_S)
            ray.get(checkpoints.hold.remote(spec.trial_id, f"{node_name()}: {last_line(error)}", _node_id()))

        try:
            use_plugin(workers.setup.plugin)  # what a trial needs of memory depends on it
            if has_outgrown(worker_mb(spec, machine), workers.kept_mb()):
                os._exit(0)  # Tune has a new worker do it, and it has not begun
            if ray.get(checkpoints.begin.remote(spec.trial_id)) is not Verdict.GO_ON:
                return
            from models.backend import device_name, prepare_backend  # the driver never loads Keras
            from search.trial.trial import run_trial

            prepare_backend(workers.setup.n_threads, gpu_limit_mb(spec, machine))
            if machine.n_gpus and device_name() == "CPU" and read_cards()[0]:
                raise RuntimeError("TensorFlow does not see its card: install lowq[gpu]")
            ray.get(checkpoints.started_on.remote(spec.trial_id, f"{node_name()}, {device_name()}"))
        except Exception as error:  # such as of a TensorFlow that this node cannot load
            hold(error)
            return
        try:
            pack, setup = workers.open()
        except OUTSIDE as error:
            hold(error)
            return
        if ray.get(checkpoints.verdict.remote(spec.trial_id)) is Verdict.PAUSE:
            return  # the time budget ended while the pack was on its way

        def report(progress: Progress) -> Any:
            tune.report(_reported(progress))
            return ray.get(checkpoints.verdict.remote(spec.trial_id))

        record = run_trial(spec, pack, RemoteStore(checkpoints), report, setup)
        if record is not None:
            if record.is_outside:
                forget_files()
            ray.get(checkpoints.hand_in.remote(record))

    return train_spec


@dataclass(frozen=True)
class Job:
    """How many trials Tune runs at most, on what, the folder of its own files, and how many may wait for a slot."""

    n_trials: int
    machine: Machine
    logs: Path
    n_waiting: int = 0


def run_trials(
    trainable: Trainable, job: Job, searcher: LowqSearch, stopping: TrialScheduler, callbacks: list[tune.Callback]
) -> None:
    """Run trials until the searcher has no more, and return when all ended or paused or Ctrl-C came (`told_to_end`).

    Raises OSError when Tune cannot write its files, and InputError where Ray ended a worker, as for want of memory.
    """
    machine = job.machine

    def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        selector = where(machine)
        labels = {"bundle_label_selector": [selector]} if selector else {}
        return tune.PlacementGroupFactory([needs(config["spec"], machine)], **labels)

    on_interrupt, interrupts = signal.getsignal(signal.SIGINT), Interrupts()
    try:
        tune.Tuner(
            tune.with_resources(trainable, resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=stopping,
                num_samples=job.n_trials,
                max_concurrent_trials=machine.n_slots + job.n_waiting,
                reuse_actors=not machine.n_gpus,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name=time.strftime("tune-%Y%m%d-%H%M%S"),
                storage_path=str(job.logs),
                failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
                callbacks=[*callbacks, interrupts, Silence()],
                verbose=0,
                log_to_file=True,
            ),
        ).fit()
    except tune.TuneError as error:
        raise _disk_error(error) or error from error
    except RuntimeError as error:
        if not isinstance(error.__cause__, RayError):
            raise
        raise lost_worker(job.logs.parent, error.__cause__) from error
    finally:
        if interrupts.came and not any(isinstance(item, Events) and item.has_ended_tune for item in callbacks):
            told_to_end.set()
        signal.signal(signal.SIGINT, on_interrupt)  # else the next Ctrl-C is swallowed


def _node_id() -> str:
    node_id: str = ray.get_runtime_context().get_node_id()
    return node_id


def _disk_error(error: BaseException) -> OSError | None:
    """Return the OSError that an error comes from, None where there is none."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return cause


class Listener(Protocol):
    """The search that hears of its trials."""

    log: ProgressLog
    checkpoints: ray.actor.ActorHandle
    held: list[str]
    is_stopped: bool

    def stop(self) -> None: ...


class Events(tune.Callback):  # type: ignore[misc]
    """The driver's side: shows progress, moves the baselines' scoring on, and ends the run in time."""

    def __init__(self, search: Listener, baselines: Baselines) -> None:
        self.search, self.baselines = search, baselines
        self.is_closed = self.has_ended_tune = False
        self.polled = self.idle_since = time.monotonic()
        self.patience = Patience("a free slot", lambda line: self.search.log.note(line))

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes its callbacks into its own files, and nobody reads them."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if METRIC in result:
            self.search.held.clear()
            self._see_started()  # before what it reports
            self.search.log.reported(trial.config["spec"].trial_id, _progress(result))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.baselines.move_on()
        if told_to_end.is_set():
            os.kill(os.getpid(), signal.SIGINT)  # SIGTERM came where SIGINT is ignored, and before Tune listened to it
        if self.search.log.is_out_of_time() and not self.is_closed:
            self.is_closed = True
            self.search.stop()
        if time.monotonic() - self.polled >= POLL_S:
            self._see_started()
            self._say_what_is_waited_for(trials)
            self._end_what_waits(trials)
            if self.search.is_stopped:
                self.search.stop()  # again: a checkpoint store that was started anew has not heard of it

    def _see_started(self) -> None:
        self.polled = time.monotonic()
        for trial_id, place in ray.get(self.search.checkpoints.newly_started.remote()):
            self.search.log.started_on(trial_id, place)

    def _end_what_waits(self, trials: list[Any]) -> None:
        """Once nothing new is to start, have Tune not wait for slots that others have."""
        if not self.search.is_stopped or any(trial.status == "RUNNING" for trial in trials):
            self.idle_since = time.monotonic()
        elif time.monotonic() - self.idle_since >= IDLE_S:
            self.has_ended_tune = True
            os.kill(os.getpid(), signal.SIGINT)

    def _say_what_is_waited_for(self, trials: list[Any]) -> None:
        if any(trial.status == "RUNNING" for trial in trials) or not any(trial.status == "PENDING" for trial in trials):
            self.patience.came()
        else:
            self.patience.check()


class Interrupts(tune.Callback):  # type: ignore[misc]
    """Knows whether Ctrl-C ended Tune, which then returns as if all had ended, and puts back the handler it found."""

    handler: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, see `Events`."""
        return {}

    def setup(self, **info: Any) -> None:
        self.handler = signal.getsignal(signal.SIGINT)

    @property
    def came(self) -> bool:
        return self.handler is not None and signal.getsignal(signal.SIGINT) is not self.handler


class Silence(TrialProgressCallback):  # type: ignore[misc]
    """Stands where Tune would put its own printing of trials."""

    def on_trial_result(self, *arguments: Any, **info: Any) -> None: ...

    def on_trial_error(self, *arguments: Any, **info: Any) -> None: ...

    def on_trial_complete(self, *arguments: Any, **info: Any) -> None: ...


def _name(trial: Any) -> str:
    spec: TrialSpec = trial.config["spec"]
    return spec.trial_id


def _reported(progress: Progress) -> dict[str, Any]:
    """Return what Tune is told: every number finite, but for a trial without a value, which is as weak as can be."""
    numbers = {name: value for name, value in vars(progress).items() if value is not None}
    return {METRIC: math.inf, **numbers}


def _progress(result: dict[str, Any]) -> Progress:
    return Progress(**{field.name: result.get(field.name) for field in fields(Progress)})  # type: ignore[arg-type]
