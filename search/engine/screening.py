"""Encoders screened before any network is trained on them: each with the closed-form filter, in seconds.

Optuna draws quantisation tables by their numbers; what counts is the bytes at parity of the filter fitted to each.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
import ray
from optuna.trial import TrialState
from ray.exceptions import RayError

from datasets.encoders import mozjpeg
from datasets.encoders.encoder import JPEG
from datasets.encoders.family import find_family
from datasets.errors import InputError, last_line
from datasets.qualities import quality_range
from search.cluster.placement import where
from search.cluster.scoring_tasks import NO_GPU, OUTSIDE, WorkerSetup
from search.cluster.waiting import Patience, wait
from search.records import TrialRecord
from search.space.space import Space
from search.space.spaces import ENCODER, USEFUL_RANGE
from search.space.spec import FILTER, TrialSpec, TrialStatus
from search.space.values import TableShapes, are_alike, drawn_as, suggest
from search.task import Task

MAX_FAILURES = 3  # in a row
MOST_OF_BUDGET = 0.25  # for screening
DRAWN_APART, KEPT_APART = 0.03, 0.1  # by these shares of their bounds tables differ at least, in some number
BELOW_PARITY, ABOVE_PARITY = 20, 5  # the qualities that networks are trained on, around that of the filter's parity
QUALITY = "training_quality"
N_GUIDED, N_BY_CHANCE = 10, 100  # draws for a family unlike those screened, until there is thought to be none


@dataclass
class Screening:
    """A search over families of encoders. known: the records of those that were screened, by the family's name."""

    task: Task
    workers: WorkerSetup
    shapes: TableShapes
    known: dict[str, TrialRecord]
    study: optuna.Study = field(init=False)
    by_chance: optuna.samplers.BaseSampler = field(init=False)
    waiting: list[str] = field(init=False)

    def __post_init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True, seed=self.task.seed)
        self.study = optuna.create_study(direction="minimize", sampler=sampler)
        self.by_chance = optuna.samplers.RandomSampler(self.task.seed)
        self.waiting = [name for name in self.shapes.known if name not in self.known]
        for name, record in self.known.items():
            trial = self._ask(name)
            if trial is not None:
                self._tell(trial, record)

    def run(
        self, write: Callable[[TrialRecord], None], has_time: Callable[[], bool], say: Callable[[str], None]
    ) -> None:
        """Screen until the space's number is reached or there is no time left. Raises InputError where nothing can."""
        n_left = self.task.space.n_screened - len(self.known)
        running: dict[Any, tuple[str, optuna.Trial | None]] = {}
        n_failed, reason = 0, ""
        patience = Patience("an encoder to be screened", say)
        while running or n_left > 0:
            while n_left > 0 and len(running) < self.task.machine.n_slots and has_time():
                name, trial = self._next({name for name, _ in running.values()})
                n_left -= 1
                if name:
                    running[self._start(name)] = (name, trial)
            if not running:
                return
            done, _ = wait(list(running))
            if not done:
                patience.check()
                continue
            patience.came()
            ready = done[0]
            name, trial = running.pop(ready)
            try:
                record: TrialRecord = ray.get(ready)
            except (RayError, *OUTSIDE) as error:
                n_failed, reason = n_failed + 1, last_line(error)
                if n_failed >= MAX_FAILURES:
                    raise InputError(f"no encoder can be screened: {reason}") from error
                if trial is not None:
                    self.study.tell(trial, state=TrialState.FAIL)
                continue
            n_failed = 0
            self.known[name] = record
            write(record)
            if trial is not None:
                self._tell(trial, record)

    def best(self) -> dict[str, TrialRecord]:
        """Return the families to train networks on, the best first, no two alike, each with its filter's record.

        Of JPEG alone: other codecs are screened to say what the filter does for who can change the format.
        """
        found = {
            name: record.bytes_at_parity
            for name, record in self.known.items()
            if record.bytes_at_parity is not None and find_family(name).middle.codec == JPEG
        }
        kept: list[str] = []
        for name in sorted(found, key=lambda name: found[name]):
            if not any(are_alike(self.shapes, name, other, KEPT_APART) for other in kept):
                kept.append(name)
        return {name: self.known[name] for name in kept[: self.task.space.n_kept]}

    def _next(self, running: set[str]) -> tuple[str, optuna.Trial | None]:
        """Return a family that was not screened before, "" where the space has no more."""
        if self.waiting:
            name = self.waiting.pop(0)
            return name, self._ask(name)
        guided = self.study.sampler
        try:
            for sampler in N_GUIDED * [guided] + N_BY_CHANCE * [self.by_chance]:
                self.study.sampler = sampler
                trial = self.study.ask()
                name = suggest(trial, ENCODER, self.shapes)
                if not any(are_alike(self.shapes, name, other, DRAWN_APART) for other in {*self.known, *running}):
                    return name, trial
                self.study.tell(trial, state=TrialState.FAIL)
        finally:
            self.study.sampler = guided
        return "", None

    def _ask(self, name: str) -> optuna.Trial | None:
        drawn = drawn_as(ENCODER, self.shapes, name)
        if drawn is None:
            return None
        self.study.enqueue_trial(drawn)
        trial = self.study.ask()
        suggest(trial, ENCODER, self.shapes)
        return trial

    def _tell(self, trial: optuna.Trial, record: TrialRecord) -> None:
        if record.bytes_at_parity is None:
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, record.bytes_at_parity)

    def _start(self, name: str) -> Any:
        machine = self.task.machine
        kind = ray.remote(
            num_cpus=machine.n_threads,
            max_retries=1,
            label_selector=where(machine),
            scheduling_strategy="SPREAD",
            **({"runtime_env": NO_GPU} if machine.n_gpus else {}),
        )
        return kind(_screen).remote(self.workers, filter_of(self.task, name))


def shapes_here(shapes: TableShapes) -> TableShapes:
    """Return the shapes that this installation can write: those of a trellis where there is what writes them."""
    if mozjpeg.is_installed():
        return shapes
    without = tuple(name for name in shapes.known if not find_family(name).middle.trellis)
    return replace(shapes, known=without, trellis=(False,))


def filter_of(task: Task, encoder: str) -> TrialSpec:
    """Return the filter that an encoder is screened with: of the first training quality of the space."""
    quality = task.space.axes["training_quality"][0]
    return replace(FILTER, training_quality=quality, split=task.splits[0], encoder=encoder)


def screened_of(records: Sequence[TrialRecord], task: Task) -> dict[str, TrialRecord]:
    """Return the records of screened filters by the families that they were fitted to.

    A filter that was fitted for a finalist's training quality, or that failed, was none of the screening.
    """
    filters = [record for record in records if record.spec.encoder and record.status is not TrialStatus.FAILED]
    return {str(r.spec.encoder): r for r in filters if r.spec == filter_of(task, str(r.spec.encoder))}


def with_encoders(space: Space, best: Mapping[str, TrialRecord]) -> Space:
    """Return a space whose networks are trained on each of these families.

    Where they are trained on USEFUL_RANGE, another of the axis' values is the range of qualities around parity: from
    well below the filters', since networks reach it with fewer bytes, to a little above.
    """
    fields: Mapping[str, Any] = {name: value for name, value in space.fields.items() if name != ENCODER}
    axes = {**space.axes, ENCODER: tuple(best)}
    at_parity = [record.quality_at_parity for record in best.values() if record.quality_at_parity is not None]
    if at_parity and USEFUL_RANGE in axes.get(QUALITY, ()):
        low, high = (5 * round(end / 5) for end in (min(at_parity) - BELOW_PARITY, max(at_parity) + ABOVE_PARITY))
        lowest, highest = quality_range(USEFUL_RANGE)
        around = f"{max(low, lowest)}-{min(high, highest)}"
        axes[QUALITY] = tuple(dict.fromkeys((around, *axes[QUALITY])))
    return replace(space, axes=axes, fields=fields, screens=None)


def _screen(workers: WorkerSetup, spec: TrialSpec) -> TrialRecord:
    from models.backend import prepare_backend  # the driver never loads Keras
    from search.trial.untrained import screening_record

    prepare_backend(workers.setup.n_threads)
    pack, setup = workers.open()
    return screening_record(spec, pack, setup)
