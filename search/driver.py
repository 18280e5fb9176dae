"""The driver: runs a planned search from an empty run directory, or from what an earlier one left, to its scores."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError
from datasets.packed import PackedDataset
from search.cluster import send_logs_to
from search.cluster_tasks import Site, score_finalists, start_baseline
from search.continuation import Continuation
from search.finalists import choose_finalists
from search.keeper import collect_record, keeper_name, start_keeper
from search.perceptual import weights_facts
from search.plan import Machine, Plan, Workload, make_plan
from search.progress import ProgressLog
from search.provenance import git_commit, versions
from search.records import (
    RUN_FACTS,
    TrialRecord,
    append_proposed,
    append_record,
    failed_record,
    read_proposed,
    read_records,
)
from search.scale import REFERENCE_QUALITY, Bench, Scale
from search.searcher import LowqSearch
from search.spaces import Space
from search.spec import BASELINE, TrialSpec
from search.store import LocalStore, write_atomically
from search.tune import EarlyStopping, Events, Job, run_trials


@dataclass(frozen=True)
class Task:
    """A search as asked for, checked and planned.

    options: what --resume needs to ask for the same again; computing: how every trial computes, field of TrialSpec ->
    value; left_out: what was asked for and cannot be run, each with why.
    """

    space: Space
    scale: Scale
    pack: PackedDataset
    seed: int
    machine: Machine
    n_trials: int
    command: str
    options: dict[str, Any]
    budget_s: float | None = None
    computing: Mapping[str, Any] = field(default_factory=dict)
    vgg16_weights: Path | None = None
    left_out: tuple[dict[str, str], ...] = ()
    continuation: Continuation | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """What the scale, the space and the machine fix of every spec."""
        fields = {**self.scale.fields, "seed": self.seed, **self.computing, **self.space.fields}
        return {**fields, "crop_px": min(fields["crop_px"], self.pack.size_px)}

    @property
    def largest_specs(self) -> list[TrialSpec]:
        """The trials of each cell that take the most memory."""
        sizes = self.space.sampled.get("batch_size")
        largest = {"batch_size": max(sizes)} if isinstance(sizes, tuple) else {}
        return [self.make_spec({**first, **largest}) for first in self.space.first_parameters()]

    @property
    def epochs(self) -> int:
        """The most epochs that a trial may have."""
        return max(self.make_spec(first).epochs for first in self.space.first_parameters())

    def make_spec(self, parameters: dict[str, Any]) -> TrialSpec:
        """Complete what the space draws to a spec."""
        return TrialSpec(**{**self.fields, **parameters})

    @property
    def plan(self) -> Plan:
        """What the search will take."""
        first = self.space.first_parameters()
        specs = [self.make_spec(first[place % len(first)]) for place in range(self.n_trials)]
        workload = Workload(
            n_train=len(self.pack.images_of(self.fields["split"], "train")),
            n_scored=len(self.scored_images("validation")),
            n_tested=len(self.scored_images("test")),
            size_px=self.pack.size_px,
            n_qualities=len(self.pack.qualities),
        )
        return make_plan(self.space, self.scale, specs, self.machine, workload)

    def scored_images(self, subset: str) -> NDArray[np.int64]:
        """Return the images of a subset that scores are about."""
        return self.bench.protocol.images_to_score(self.pack, self.fields["split"], subset)

    @property
    def bench(self) -> Bench:
        protocol = self.scale.protocol.for_images(self.pack.size_px)
        return Bench(protocol, self.machine.n_threads, self.vgg16_weights)

    @property
    def baseline(self) -> TrialSpec:
        return replace(BASELINE, split=self.fields["split"])


def create_run(run: Path, task: Task) -> None:
    """Make the run directory and say in it what the run is. Raises InputError when it exists or cannot be written."""
    if run.exists():
        raise InputError(f"{run} exists: continue it with --resume {run}, or name another with --out")
    try:
        run.mkdir(parents=True)
        if task.continuation:
            task.continuation.plant(run)
        write_atomically(run / RUN_FACTS, json.dumps(_facts(task), indent=1).encode())
    except OSError as error:
        raise InputError(f"cannot write {run}: {error.strerror or error}; name another folder with --out") from error


def run_search(run: Path, task: Task, write: Callable[[str], None] = print) -> bool:
    """Run the trials that the run still lacks, then score the finalists; True when the search came to its end.

    The run directory is readable at every moment.
    """
    send_logs_to(run / "logs")
    keeper = start_keeper(run)
    site = Site(task.pack.folder.resolve(), keeper_name(run), task.bench)
    before = read_records(run)
    log = ProgressLog(task.n_trials, task.plan.trials_s, task.plan.finish_s, task.budget_s, write)

    def settle(record: TrialRecord) -> None:
        append_record(run, record)
        log.ended(record)

    def settle_spec(spec: TrialSpec, crashed: bool) -> TrialRecord | None:
        record = collect_record(keeper, spec.trial_id)
        if record is None and crashed:
            record = failed_record(spec, task.pack.fingerprint, "its worker died, again and again; see logs/")
        if record is not None:
            settle(record)
        return record

    def announce(spec: TrialSpec) -> None:
        append_proposed(run, spec)
        log.proposed(spec)

    searcher = LowqSearch(task.space, task.make_spec, announce, settle_spec, task.seed)
    trained = [record for record in before if not record.spec.is_baseline]
    ended = {record.trial_id for record in trained}
    unfinished = dict.fromkeys(spec for spec in read_proposed(run) if spec.trial_id not in ended)
    searcher.continue_from(trained, unfinished)
    log.n_ended = len(trained)
    baseline = [] if len(trained) < len(before) else [start_baseline(site, task.baseline)]
    stopping = EarlyStopping(keeper, task.scale, task.epochs, task.space.stops_early)
    stopping.learn(trained)
    events = Events(site, log, baseline, settle, searcher.close)
    job = Job(task.n_trials - len(trained), task.machine, run / "logs")
    if job.n_trials > 0:
        run_trials(site, job, searcher, stopping, events)
    events.collect_baseline(timeout_s=None)
    if not events.closed and searcher.n_open:
        return False
    _score_finalists(run, task, site, write)
    return True


def _score_finalists(run: Path, task: Task, site: Site, write: Callable[[str], None]) -> None:
    # a trial that goes on from another is compared with it
    n_finalists = task.n_trials if task.continuation else task.scale.n_finalists
    finalists = choose_finalists(read_records(run), n_finalists)
    n_images = len(task.scored_images("test"))
    if finalists:
        names = ", ".join(record.trial_id for record in finalists)
        write(f"scoring on {n_images} test images at {len(task.pack.qualities)} qualities: {names}")
    for trial_id in score_finalists(site, finalists, task.pack.qualities, task.machine, LocalStore(run)):
        write(f"scored {trial_id}")


def _facts(task: Task) -> dict[str, Any]:
    pack, split = task.pack, task.fields["split"]
    protocol = task.bench.protocol
    subsets = {subset: len(pack.images_of(split, subset)) for subset in ("train", "validation", "test")}
    scored = {subset: len(task.scored_images(subset)) for subset in ("validation", "test")}
    return {
        "command": task.command,
        "options": task.options,
        "space": task.space.name,
        "scale": task.scale.name,
        "seed": task.seed,
        "reference_quality": REFERENCE_QUALITY,
        "scored_qualities": list(protocol.scored_qualities),
        "n_trials": task.n_trials,
        "dataset": {
            "path": str(pack.folder.resolve()),
            "description": pack.manifest["description"],
            "fingerprint": pack.fingerprint,
            "size_px": pack.size_px,
            "n_images": len(pack.names),
            "systems": pack.manifest["systems"],
            "qualities": list(pack.qualities),
            "split": split,
            "subsets": subsets,
            "scored": scored,
            "mean_jpeg_bytes": {str(q): float(pack.offsets[q][-1] / len(pack.names)) for q in pack.qualities},
        },
        "versions": {**versions(), **pack.manifest["versions"]},
        "git_commit": git_commit(),
        "vgg16_weights": weights_facts(task.vgg16_weights),
        "left_out": list(task.left_out),
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
