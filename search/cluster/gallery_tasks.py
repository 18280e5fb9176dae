"""A stage at the end of a run: its gallery, painted once on a slot of the cluster."""

from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import ray

from datasets.whole_file import write_whole
from search.cluster.placement import where
from search.cluster.scoring_tasks import MAX_FAILURES, WorkerSetup, cannot_read
from search.cluster.waiting import results
from search.engine.checkpoint_store import RemoteStore, find_checkpoint_store
from search.records import read_records
from search.scoring.finalists import choose_finalists
from search.scoring.gallery import N_WORST, choose_sheet
from search.scoring.score_files import worst_images
from search.space.scale import UNIT_QUALITY
from search.space.spec import TrialSpec
from search.task import Task
from search.trial.store import SCORES, LocalStore

GALLERY_FILE = "gallery.npz"


def make_gallery(run: Path, task: Task, workers: WorkerSetup, say: Callable[[str], None]) -> None:
    """Make the gallery that a run lacks; its worst inputs are test images, restored by the best finalist.

    One that another finalist restored is made anew. Raises OSError where the run cannot be written.
    """
    finalists = choose_finalists(read_records(run), task.n_finalists)
    best = finalists[0].spec if finalists else None
    restored_by = (finalists[0].trial_id, finalists[0].epochs_run) if finalists else ("", 0)
    if _restored_by(run / GALLERY_FILE) == restored_by:
        return
    scores = LocalStore(run).path(task.baselines[0].trial_id, SCORES)
    try:
        worst = worst_images(scores.read_bytes(), "test", UNIT_QUALITY)[:N_WORST] if scores.exists() else []
    except (OSError, ValueError, LookupError) as error:
        raise cannot_read(scores) from error
    say("making the gallery: a sheet of samples, and the inputs that JPEG treats worst")
    kind = ray.remote(
        num_cpus=task.machine.n_threads,
        num_gpus=1 if task.machine.n_gpus else 0,
        max_retries=MAX_FAILURES,
        label_selector=where(task.machine),
    )
    painted = kind(_paint).remote(workers, best, choose_sheet(task.pack, task.seed), worst, restored_by)
    write_whole(run / GALLERY_FILE, *results([painted], "the gallery", say))


def _restored_by(gallery: Path) -> tuple[str, int] | None:
    """Return the trial that restored a gallery's pictures ("": none did) and its epochs; None: of none to be read."""
    try:
        with np.load(gallery) as arrays:
            return str(arrays["trial_id"]), int(arrays["epochs_run"])
    except (OSError, KeyError, ValueError, BadZipFile):
        return None


def _paint(
    workers: WorkerSetup,
    spec: TrialSpec | None,
    sheet: Sequence[int],
    worst: Sequence[int],
    restored_by: tuple[str, int],
) -> bytes:
    from models.backend import prepare_backend  # the driver never loads Keras

    prepare_backend(workers.setup.n_threads)
    from models.evaluation import restore, to_8_bits
    from models.feature_maps import LEAST_PX, feature_maps
    from search.scoring.gallery import add_maps, gallery_arrays, gallery_to_bytes
    from search.trial.restorers import load_restorer

    pack, setup = workers.open()
    pack = pack.written_by(spec.family if spec else None)
    model = load_restorer(spec, RemoteStore(find_checkpoint_store(workers.checkpoints))) if spec else None
    gallery = gallery_arrays(
        pack,
        sheet,
        worst,
        (lambda images: to_8_bits(restore(model, images, pack.told_tables(UNIT_QUALITY)))) if spec else None,
    )
    gallery |= {"trial_id": restored_by[0], "epochs_run": restored_by[1], "crop_px": setup.protocol.crop_px}
    if setup.vgg16_weights and worst and pack.size_px >= LEAST_PX:
        gallery = add_maps(gallery, lambda images: feature_maps(images, setup.vgg16_weights))
    return gallery_to_bytes(gallery)
