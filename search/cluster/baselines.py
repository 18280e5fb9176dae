"""JPEG as it is and the closed-form filter, scored beside the trials in parts that take no card."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from datasets.errors import last_line
from search.cluster.placement import where
from search.cluster.scoring_tasks import NO_GPU, WorkerSetup
from search.cluster.waiting import Patience
from search.engine.checkpoint_store import RemoteStore, find_checkpoint_store
from search.engine.interrupt import POLL_S, told_to_end
from search.records import TrialRecord, failed_record
from search.scoring.score_files import Row, scores_to_bytes
from search.space.plan import Machine
from search.space.spec import TrialSpec
from search.trial.store import SAMPLES, SCORES

PART_READINGS = 256  # images times qualities, of a part: a minute on a slow core
MAX_TRIES = 3  # of a part, as workers and nodes die
PLACED_S = 0.1  # in which it is known which slots are there


@dataclass(frozen=True)
class Part:
    """Images of a subset to score at some qualities; all of a spec's parts make its scores."""

    subset: str
    qualities: tuple[int, ...]
    images: tuple[int, ...]


def parts_of(subset: str, qualities: Sequence[int], images: Sequence[int]) -> Iterator[Part]:
    """Cut what is to be scored into parts: all qualities of few images, or one of as many images as a part takes."""
    for first in range(0, len(images), PART_READINGS):
        some = tuple(images[first : first + PART_READINGS])
        n_qualities = PART_READINGS // len(some)
        for start in range(0, len(qualities), n_qualities):
            yield Part(subset, tuple(qualities[start : start + n_qualities]), some)


@dataclass
class Baseline:
    """A spec that is not trained: its record and pictures once it is prepared, the parts to score, their rows."""

    spec: TrialSpec
    record: TrialRecord | None = None
    samples: bytes = b""
    parts: tuple[Part, ...] = ()
    rows: dict[Part, list[Row]] = field(default_factory=dict)
    has_failed: bool = False


class Baselines:
    """Has a few parts at a time scored; `take` gets the record of each baseline when its scores are safe.

    Beside cards a part takes no CPU that a trial waits for, and there is one a node. Without cards half of the slots
    are reserved for them until all is scored, so that they come first whatever the trials do: in a search's last trials
    they would hold a slot that one of these waits for. Each slot is reserved by itself, and a part goes to one that is
    there: others' jobs may have the rest for ever.
    """

    def __init__(
        self, workers: WorkerSetup, specs: Iterable[TrialSpec], machine: Machine, take: Callable[[TrialRecord], None]
    ) -> None:
        self.workers, self.machine, self.take = workers, machine, take
        self.waiting: deque[tuple[Baseline, Part | None, int]] = deque((Baseline(spec), None, 1) for spec in specs)
        self.under_way: dict[Any, tuple[Baseline, Part | None, int]] = {}
        self.slot_of: dict[Any, PlacementGroup] = {}  # of what is under way
        self.n_at_once = (
            max(1, machine.n_slots // 2) if not machine.n_gpus else len([n for n in ray.nodes() if n["Alive"]])
        )
        self.reserved = self._reserve()
        self.placing: dict[Any, PlacementGroup] = {slot.ready(): slot for slot in self.reserved}
        self.free: list[PlacementGroup] = []
        self.move_on()

    def _reserve(self) -> list[PlacementGroup]:
        """Reserve slots, where trials would take all of them."""
        if not self.waiting or self.machine.n_gpus or self.machine.n_slots <= self.n_at_once:
            return []
        selector = where(self.machine)
        return [
            placement_group([{"CPU": self.machine.n_threads}], bundle_label_selector=[selector] if selector else None)
            for _ in range(self.n_at_once)
        ]

    def _release(self) -> None:
        for slot in self.reserved:
            remove_placement_group(slot)
        self.reserved, self.placing, self.free = [], {}, []

    def move_on(self, timeout_s: float = 0.0) -> bool:
        """Take what is ready and start what may follow; whether something was ready."""
        ready: list[Any] = []
        if self.under_way:
            ready, _ = ray.wait(list(self.under_way), num_returns=len(self.under_way), timeout=timeout_s)
            for reference in ready:
                if (slot := self.slot_of.pop(reference, None)) is not None:
                    self.placing[slot.ready()] = slot  # anew: its node may be gone
                self._take(reference, *self.under_way.pop(reference))
            if ready:  # those that wait may have lost their node, too
                self.placing |= {slot.ready(): slot for slot in self.free}
                self.free = []
        if self.placing:
            placed, _ = ray.wait(list(self.placing), num_returns=len(self.placing), timeout=PLACED_S)
            self.free += [self.placing.pop(reference) for reference in placed]
        while self.waiting and len(self.under_way) < self.n_at_once and (self.free or not self.reserved):
            baseline, part, n_tries = self.waiting.popleft()
            slot = self.free.pop() if self.reserved else None
            reference = self._start(baseline, part, slot)
            self.under_way[reference] = (baseline, part, n_tries)
            if slot is not None:
                self.slot_of[reference] = slot
        if not (self.under_way or self.waiting):
            self._release()
        return bool(ready)

    def finish(self, say: Callable[[str], None]) -> None:
        """Score all that is left. Raises KeyboardInterrupt once SIGTERM came."""
        patience = Patience("baselines to be scored", say)
        while self.under_way or self.waiting:
            if told_to_end.is_set():
                raise KeyboardInterrupt
            if not self.under_way:
                time.sleep(POLL_S)
            if self.move_on(timeout_s=POLL_S):
                patience.came()
            else:
                patience.check()

    def cancel(self) -> None:
        """Leave what is under way: another sitting scores it."""
        self.waiting.clear()
        for reference in self.under_way:
            ray.cancel(reference, force=True)
        self.under_way.clear()
        self.slot_of.clear()
        self._release()

    def _start(self, baseline: Baseline, part: Part | None, slot: PlacementGroup | None) -> Any:
        on_gpus = bool(self.machine.n_gpus)
        kind = ray.remote(
            num_cpus=0 if on_gpus else self.machine.n_threads,
            max_retries=0,
            **({"runtime_env": NO_GPU} if on_gpus else {}),
            **(
                {"scheduling_strategy": PlacementGroupSchedulingStrategy(slot)}
                if slot is not None
                else {"scheduling_strategy": "SPREAD", "label_selector": where(self.machine)}
            ),
        )
        n_threads = 1 if on_gpus else self.machine.n_threads  # beside cards the others are of the trials
        if part is None:
            return kind(_prepare).remote(self.workers, baseline.spec, n_threads)
        return kind(_score_part).remote(self.workers, baseline.spec, part, n_threads)

    def _take(self, reference: Any, baseline: Baseline, part: Part | None, n_tries: int) -> None:
        try:
            answer = ray.get(reference)
        except (RayError, OSError) as error:
            if baseline.has_failed:
                return
            if n_tries < MAX_TRIES:
                self.waiting.append((baseline, part, n_tries + 1))
                return
            self.waiting = deque(item for item in self.waiting if item[0] is not baseline)
            baseline.has_failed, reason = True, last_line(error)
            self.take(failed_record(baseline.spec, "", reason, is_outside=True))
            return
        if part is None:
            baseline.record, baseline.samples, baseline.parts = answer
            self.waiting.extend((baseline, each, 1) for each in baseline.parts)
        else:
            baseline.rows[part] = answer
        if baseline.record is not None and len(baseline.rows) == len(baseline.parts):
            rows = [row for each in baseline.parts for row in baseline.rows[each]]
            store = RemoteStore(find_checkpoint_store(self.workers.checkpoints))
            store.save(baseline.spec.trial_id, 0, {SCORES: scores_to_bytes(rows), SAMPLES: baseline.samples})
            self.take(baseline.record)


def _prepare(workers: WorkerSetup, spec: TrialSpec, n_threads: int) -> tuple[TrialRecord, bytes, tuple[Part, ...]]:
    """Fit what is to be fitted and read the monitor: the record, pictures, and what is to be scored."""
    from models.backend import prepare_backend  # here and below: the driver, which has no use for Keras, never loads it
    from search.scoring.scores import what_to_score
    from search.trial.untrained import prepare_untrained

    prepare_backend(n_threads)
    pack, setup = workers.open()
    record, samples = prepare_untrained(spec, pack, RemoteStore(find_checkpoint_store(workers.checkpoints)), setup)
    parts = [part for whole in what_to_score(spec, pack, setup.protocol) for part in parts_of(*whole)]
    return record, samples, tuple(parts)


def _score_part(workers: WorkerSetup, spec: TrialSpec, part: Part, n_threads: int) -> list[Row]:
    from models.backend import prepare_backend
    from search.scoring.scores import score_images
    from search.trial.restorers import load_restorer

    prepare_backend(n_threads)
    pack, setup = workers.open()
    model = load_restorer(spec, RemoteStore(find_checkpoint_store(workers.checkpoints)))
    rows = score_images(model, pack.written_by(spec.family), part.images, part.qualities, setup.protocol)
    return [{"split": part.subset, **row} for row in rows]
