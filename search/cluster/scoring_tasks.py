"""Work on the cluster that is no trial: scoring paused trials, and finalists on test images."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import ray
from ray.exceptions import RayError

from datasets.errors import InputError
from datasets.packed import PackedDataset, open_pack
from datasets.qualities import HIGHEST
from models.plugins import use_plugin
from search.cluster.file_set import FileSet, find, need
from search.cluster.placement import where
from search.cluster.waiting import results
from search.engine.checkpoint_store import RemoteStore, find_checkpoint_store
from search.records import TrialRecord
from search.scoring.score_files import Row, scores_from_bytes, scores_to_bytes
from search.space.plan import Machine
from search.space.scale import TrialSetup
from search.space.spec import TrialSpec
from search.task import Task
from search.trial.provenance import code_hash, node_name
from search.trial.store import SCORES, LocalStore

ABOVE_PARITY = (0, 3, 6)
MAX_FAILURES = 2  # of a worker or node, for each piece of work
NO_GPU = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}  # Ray hides no card from work that asks for none
OUTSIDE = (InputError, OSError, RayError)  # what keeps a node from work without being the work's fault


@dataclass(frozen=True)
class WorkerSetup:
    """Where work on any node finds what it needs: the pack, the checkpoint store, how trials are measured, VGG16."""

    pack: FileSet
    checkpoints: str
    setup: TrialSetup
    vgg16: FileSet | None = None
    code: str = field(default_factory=code_hash)

    def open(self) -> tuple[PackedDataset, TrialSetup]:
        """Return the pack and the setup with the files of the node this runs on; its processes share their pages.

        What a node lacks, since it joined late, is fetched. The process then knows the networks and losses of the run's
        plugin. Raises one of OUTSIDE where the node cannot have the files, or has other code than the driver.
        """
        if code_hash() != self.code:
            raise InputError(
                f"the lowq of {node_name()} is not the code of this search: put the same on both, and start the search/"
                "run.py that the cluster's Ray was started with; then --resume"
            )
        use_plugin(self.setup.plugin)
        checkpoints = find_checkpoint_store(self.checkpoints)

        def read_part(path: Path, offset: int, n_bytes: int) -> bytes:
            part: bytes = ray.get(checkpoints.read_part.remote(path, offset, n_bytes))
            return part

        weights = need(self.vgg16, read_part) / self.vgg16.files[-1].name if self.vgg16 else None
        return _opened(self.pack, need(self.pack, read_part)), replace(self.setup, vgg16_weights=weights)

    def kept_mb(self) -> float:
        """Return how much of this process' memory the pack keeps decoded, in MB of 10^6 bytes; 0 before it is open."""
        folder = find(self.pack) if _opened.cache_info().currsize else None
        return _opened(self.pack, folder).decoded.n_bytes / 1e6 if folder else 0.0


@lru_cache(1)
def _opened(pack: FileSet, folder: Path) -> PackedDataset:
    """Open a pack once for the trials of a worker, which share the windows that it keeps."""
    return open_pack(folder)


def forget_files() -> None:
    """Have what comes next look for its files anew: some of them could not be read."""
    find.cache_clear()
    _opened.cache_clear()


def score_paused_trials(
    workers: WorkerSetup, specs: Sequence[TrialSpec], machine: Machine, say: Callable[[str], None]
) -> Iterator[TrialRecord]:
    """Score trials as their kept states are, beside one another, and yield their records."""
    kind = ray.remote(
        num_cpus=machine.n_threads,
        num_gpus=1 if machine.n_gpus else 0,
        max_retries=MAX_FAILURES,
        label_selector=where(machine),
    )
    for scored in [kind(_score_paused).remote(workers, spec) for spec in specs]:
        yield from results([scored], "a trial to be scored", say)


def score_finalists(
    task: Task, workers: WorkerSetup, finalists: list[TrialRecord], store: LocalStore, say: Callable[[str], None]
) -> Iterator[str]:
    """Score each finalist on test images at the pack's qualities, beside one another, and add the rows to its scores.

    Yields the id of each finalist once its scores are safe. One that has test scores already keeps them.
    """
    machine = task.machine
    n_gpus = 1 if machine.n_gpus else 0
    kind = ray.remote(
        num_cpus=machine.n_threads, num_gpus=n_gpus, max_retries=MAX_FAILURES, label_selector=where(machine)
    )
    scoring = kind(_score_on_test)
    before = {record.trial_id: _read_scores(store.path(record.trial_id, SCORES)) for record in finalists}
    waiting = [record for record in finalists if not any(row["split"] == "test" for row in before[record.trial_id])]
    qualities = {record.trial_id: sorted({*task.pack.qualities, *near_parity(record)}) for record in waiting}
    parts = {
        record.trial_id: [scoring.remote(workers, record.spec, quality) for quality in qualities[record.trial_id]]
        for record in waiting
    }
    for record in waiting:
        added = [
            row for part in results(parts[record.trial_id], f"{record.trial_id} to be scored", say) for row in part
        ]
        store.save(record.trial_id, record.epochs_run, {SCORES: scores_to_bytes(before[record.trial_id] + added)})
        yield record.trial_id


def _read_scores(path: Path) -> list[Row]:
    try:
        return scores_from_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise cannot_read(path) from error


def cannot_read(path: Path) -> InputError:
    """Return the error of a file of scores that is damaged."""
    return InputError(f"{path} cannot be read: put back a copy, then go on with --resume")


def near_parity(record: TrialRecord) -> tuple[int, ...]:
    """Return the qualities at and above what a trial needed for parity, where its files are written as they are needed.

    Chosen by validation images: on test images one of them is likely to be the lowest that reaches the reference.
    """
    if record.spec.encoder is None or record.quality_at_parity is None:
        return ()
    lowest = math.ceil(record.quality_at_parity)
    return tuple(sorted({min(lowest + step, HIGHEST) for step in ABOVE_PARITY}))


def _score_paused(workers: WorkerSetup, spec: TrialSpec) -> TrialRecord:
    from models.backend import prepare_backend  # here and below: the driver, which has no use for Keras, never loads it
    from search.trial.trial import score_paused

    prepare_backend(workers.setup.n_threads)
    pack, setup = workers.open()
    return score_paused(spec, pack, RemoteStore(find_checkpoint_store(workers.checkpoints)), setup)


def _score_on_test(workers: WorkerSetup, spec: TrialSpec, quality: int) -> list[Row]:
    from models.backend import prepare_backend
    from search.scoring.scores import score_images
    from search.trial.restorers import load_restorer

    prepare_backend(workers.setup.n_threads)
    pack, _ = workers.open()
    model = load_restorer(spec, RemoteStore(find_checkpoint_store(workers.checkpoints)))
    images = workers.setup.protocol.images_to_score(pack, spec.split, "test")
    rows = score_images(model, pack.written_by(spec.family), images, (quality,), workers.setup.protocol)
    return [{"split": "test", **row} for row in rows]
