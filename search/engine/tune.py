"""Ray Tune runs the trials: the trainable that every worker gets, early stopping, and the driver's side of it."""

import math
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from search.cluster.placement import gpu_limit_mb, needs, where
from search.cluster.scoring_tasks import MAX_FAILURES, Site
from search.engine.checkpoint_store import KeptStore, find_keeper
from search.engine.run_writer import Ledger
from search.engine.searcher import METRIC, LowqSearch
from search.progress.log import ProgressLog
from search.records import TrialRecord
from search.space.plan import Machine
from search.space.scale import Scale
from search.space.spec import TrialSpec
from search.trial.reporting import Progress

Trainable = Callable[[dict[str, Any]], None]


def make_trainable(site: Site, machine: Machine) -> Trainable:
    """Return the function Tune runs on workers: a trial of the spec that the configuration holds."""

    def train_spec(config: dict[str, Any]) -> None:
        from models.backend import prepare_backend  # the driver never loads Keras
        from search.trial.trial import run_trial

        keeper, spec = find_keeper(site.keeper), spec_of(config)
        prepare_backend(site.bench.n_threads, gpu_limit_mb(spec, machine))

        def report(progress: Progress) -> Any:
            tune.report(_reported(progress))
            return ray.get(keeper.verdict.remote(spec.trial_id))

        pack, bench = site.open()
        record = run_trial(spec, pack, KeptStore(keeper), report, bench)
        if record is not None:
            ray.get(keeper.hand_in.remote(record))

    return train_spec


@dataclass(frozen=True)
class Job:
    """How many trials Tune runs, on what, the folder of its own files, and how many more trials may wait for a slot."""

    n_trials: int
    machine: Machine
    logs: Path
    n_waiting: int = 0


def run_trials(
    trainable: Trainable, job: Job, searcher: LowqSearch, stopping: TrialScheduler, callbacks: list[tune.Callback]
) -> None:
    """Run up to n_trials trials and return when they ended, paused or were interrupted.

    Raises OSError when Tune cannot write its files.
    """
    machine = job.machine

    def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        selector = {"bundle_label_selector": [where(machine)]} if machine.avoided else {}
        return tune.PlacementGroupFactory([needs(spec_of(config), machine)], **selector)

    on_interrupt = signal.getsignal(signal.SIGINT)
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
                callbacks=[*callbacks, Silence()],
                verbose=0,
                log_to_file=True,
            ),
        ).fit()
    except tune.TuneError as error:
        raise _disk_error(error) or error from error
    finally:
        signal.signal(signal.SIGINT, on_interrupt)  # Tune leaves its own handler, which swallows the next Ctrl-C


def _disk_error(error: BaseException) -> OSError | None:
    """Return the OSError that an error comes from, None where there is none."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return cause


class EarlyStopping(ASHAScheduler):  # type: ignore[misc]
    """ASHA on our own epochs, whose STOP reaches the trial as an answer to its report: it still scores what it has.

    Tune's own STOP ends a trial inside its report, and nothing after it runs.
    """

    def __init__(self, keeper: ray.actor.ActorHandle, scale: Scale, epochs: int, stops_early: bool = True) -> None:
        super().__init__(
            time_attr="epoch",
            metric=METRIC,
            mode="max",
            max_t=epochs,
            grace_period=min(scale.grace_epochs, epochs) if stops_early else epochs,
            reduction_factor=scale.reduction_factor,
        )
        self.keeper = keeper

    def learn(self, records: Iterable[TrialRecord]) -> None:
        """Take what ended trials of an earlier sitting showed at each rung, so that later ones are held to it."""
        (bracket,) = self._brackets
        for record in records:
            for rung, shown in bracket._rungs:
                if record.epochs_run >= rung:
                    margins = [row["margin"] for row in record.curve if (row["epoch"] or 0) <= rung]
                    shown[record.trial_id] = max((m for m in margins if m is not None), default=-math.inf)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if super().on_trial_result(tune_controller, trial, result) == TrialScheduler.STOP:
            ray.get(self.keeper.end.remote(spec_of(trial.config).trial_id))
        return str(TrialScheduler.CONTINUE)


class Events(tune.Callback):  # type: ignore[misc]
    """The driver's side: shows progress, takes the baselines' records when they come, and ends the run in time."""

    def __init__(
        self,
        log: ProgressLog,
        baselines: "Iterable[ray.ObjectRef[TrialRecord | None]]",
        ledger: Ledger,
        stop: Callable[[], None],
    ) -> None:
        self.log, self.ledger, self.stop = log, ledger, stop
        self.awaited = list(baselines)
        self.closed = False

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes its callbacks into its own files, and nobody reads them."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if METRIC in result:
            self.log.reported(spec_of(trial.config).trial_id, _progress(result))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.collect_baselines(timeout_s=0)
        if self.log.is_out_of_time() and not self.closed:
            self.closed = True
            self.stop()

    def collect_baselines(self, timeout_s: float | None) -> None:
        """Settle the baselines whose records are there within timeout_s (None: all, when they are there)."""
        if not self.awaited:
            return
        n_awaited = len(self.awaited) if timeout_s is None else 1
        ready, self.awaited = ray.wait(self.awaited, num_returns=n_awaited, timeout=timeout_s)
        for reference in ready:
            record = ray.get(reference)
            if record is None:
                self.ledger.fail("the scores of JPEG as it is could not be kept")
            else:
                self.ledger.settle(record)


class Silence(TrialProgressCallback):  # type: ignore[misc]
    """Stands where Tune would put its own printing of trials."""

    def on_trial_result(self, *arguments: Any, **info: Any) -> None: ...

    def on_trial_error(self, *arguments: Any, **info: Any) -> None: ...

    def on_trial_complete(self, *arguments: Any, **info: Any) -> None: ...


def spec_of(config: dict[str, Any]) -> TrialSpec:
    """Return the spec in a Tune configuration."""
    return TrialSpec(**{field.name: config[field.name] for field in fields(TrialSpec)})


def _name(trial: Any) -> str:
    return spec_of(trial.config).trial_id


def _reported(progress: Progress) -> dict[str, Any]:
    """Return what Tune is told: every number finite, but for a trial without a margin, which is as weak as can be."""
    numbers = {name: value for name, value in vars(progress).items() if value is not None}
    return {METRIC: -math.inf, **numbers}


def _progress(result: dict[str, Any]) -> Progress:
    return Progress(**{field.name: result.get(field.name) for field in fields(Progress)})  # type: ignore[arg-type]
