"""Work on the cluster that is no trial: scoring JPEG as it is, and finalists on test images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import ray

from datasets.packed import PackedDataset, open_pack
from models.plugins import use_plugin
from search.cluster.file_set import Parcel, need
from search.cluster.placement import where
from search.engine.checkpoint_store import KeptStore, find_keeper
from search.records import TrialRecord
from search.scoring.score_files import Row, scores_from_bytes, scores_to_bytes
from search.space.plan import Machine
from search.space.scale import Bench
from search.space.spec import TrialSpec
from search.trial.reporting import Verdict
from search.trial.store import SCORES, LocalStore

MAX_FAILURES = 2  # of a trial's worker or node; each time it goes on from its last epoch


@dataclass(frozen=True)
class Site:
    """Where work on any node finds what it needs: the pack, the keeper, what trials are measured with, VGG16."""

    pack: Parcel
    keeper: str
    bench: Bench
    vgg16: Parcel | None = None

    def open(self) -> tuple[PackedDataset, Bench]:
        """Return the pack and the bench with the files of the node this runs on; its processes share their pages.

        The process then knows the networks and losses of the run's plugin.

        Raises InputError where the node lacks them.
        """
        use_plugin(self.bench.plugin)
        weights = need(self.vgg16) / self.vgg16.files[-1].name if self.vgg16 else None
        return open_pack(need(self.pack)), replace(self.bench, vgg16_weights=weights)


def start_baseline(site: Site, spec: TrialSpec, machine: Machine) -> "ray.ObjectRef[TrialRecord]":
    """Score JPEG as it is, on a worker, beside the trials."""
    task = ray.remote(num_cpus=machine.n_threads, max_retries=MAX_FAILURES, label_selector=where(machine))
    return task(_score_baseline).remote(site, spec)


def score_finalists(
    site: Site, finalists: list[TrialRecord], qualities: tuple[int, ...], machine: Machine, store: LocalStore
) -> Iterator[str]:
    """Score each finalist on test images at each quality, beside one another, and add the rows to its scores.

    Yields the id of each finalist once its scores are safe. One that has test scores already keeps them.
    """
    n_gpus = 1 if machine.n_gpus else 0
    kind = ray.remote(
        num_cpus=machine.n_threads, num_gpus=n_gpus, max_retries=MAX_FAILURES, label_selector=where(machine)
    )
    task = kind(_score_on_test)
    before = {
        record.trial_id: scores_from_bytes(store.path(record.trial_id, SCORES).read_bytes()) for record in finalists
    }
    waiting = [record for record in finalists if not any(row["split"] == "test" for row in before[record.trial_id])]
    parts = {
        record.trial_id: [task.remote(site, record.spec, quality) for quality in sorted(qualities)]
        for record in waiting
    }
    for record in waiting:
        added = [row for part in ray.get(parts[record.trial_id]) for row in part]
        store.save(record.trial_id, record.epochs_run, {SCORES: scores_to_bytes(before[record.trial_id] + added)})
        yield record.trial_id


def _score_baseline(site: Site, spec: TrialSpec) -> TrialRecord | None:
    from models.backend import prepare_backend  # here and below: the driver, which has no use for Keras, never loads it
    from search.trial.trial import run_trial

    prepare_backend(site.bench.n_threads)
    store = KeptStore(find_keeper(site.keeper))
    pack, bench = site.open()
    return run_trial(spec, pack, store, lambda progress: Verdict.GO_ON, bench)


def _score_on_test(site: Site, spec: TrialSpec, quality: int) -> list[Row]:
    from models.backend import prepare_backend
    from search.scoring.scores import score_images
    from search.trial.trial import load_restorer

    prepare_backend(site.bench.n_threads)
    pack, _ = site.open()
    model = load_restorer(spec, KeptStore(find_keeper(site.keeper)))
    images = site.bench.protocol.images_to_score(pack, spec.split, "test")
    return [{"split": "test", **row} for row in score_images(model, pack, images, (quality,), site.bench.protocol)]
