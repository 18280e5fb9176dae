"""The last stage of a run: other codecs on test images, and the time that restoring takes, on the cluster's slots."""

from collections.abc import Callable, Iterable
from pathlib import Path

import ray

from datasets.whole_file import write_whole
from search.cluster.placement import where
from search.cluster.scoring_tasks import MAX_FAILURES, NO_GPU, WorkerSetup
from search.cluster.waiting import results
from search.engine.checkpoint_store import RemoteStore, find_checkpoint_store
from search.scoring.finalists import choose_tested
from search.scoring.score_files import Row, scores_from_bytes, scores_to_bytes
from search.space.plan import Machine
from search.space.spec import TrialSpec
from search.task import Task

CODECS_FILE, RESTORING_FILE = "codecs.parquet", "restoring.parquet"
N_PARTS = 16  # as many workers at most, each of which loads TensorFlow
N_RESTORED = 8  # images that a restorer is timed on


def compare_codecs(run: Path, task: Task, workers: WorkerSetup, say: Callable[[str], None]) -> None:
    """Measure what a run lacks of other codecs and of the time that its restorers take, and keep it in the run.

    Raises OSError where the run cannot be written.
    """
    images = list(map(int, task.setup.protocol.images_to_compare(task.pack, task.splits[0], task.seed)))
    if not (run / CODECS_FILE).exists():
        say(f"trying other codecs on {len(images)} test images")
        write_whole(run / CODECS_FILE, scores_to_bytes(_try_codecs(workers, images, task.machine, say)))
    path = run / RESTORING_FILE
    try:
        timed = scores_from_bytes(path.read_bytes())
    except (OSError, ValueError):  # not there, or damaged: measured anew
        timed = []
    known = {row["trial_id"] for row in timed}
    waiting = [record.spec for record in choose_tested(run, task.n_finalists) if record.trial_id not in known]
    if waiting:
        write_whole(path, scores_to_bytes(timed + _time_restorers(workers, waiting, images, task.machine, say)))


def _try_codecs(workers: WorkerSetup, images: list[int], machine: Machine, say: Callable[[str], None]) -> list[Row]:
    """Score codecs on the images, dealt to workers of one thread each; what no worker could run comes last, once."""
    options = {"runtime_env": NO_GPU} if machine.n_gpus else {}
    task = ray.remote(num_cpus=1, max_retries=MAX_FAILURES, label_selector=where(machine), **options)(_score_codecs)
    n_parts = min(N_PARTS, len(images))
    parts = [task.remote(workers, images[part::n_parts]) for part in range(n_parts)]
    rows = [row for part in results(parts, "codecs to be tried", say) for row in part]
    measured = sorted((row for row in rows if row["not_run"] is None), key=lambda row: row["image"])
    return [*measured, *{row["codec"]: row for row in rows if row["not_run"]}.values()]


def _time_restorers(
    workers: WorkerSetup,
    specs: Iterable[TrialSpec],
    images: list[int],
    machine: Machine,
    say: Callable[[str], None],
) -> list[Row]:
    """Time every restorer on a slot such as its trial had."""
    kind = ray.remote(
        num_cpus=machine.n_threads,
        num_gpus=1 if machine.n_gpus else 0,
        max_retries=MAX_FAILURES,
        label_selector=where(machine),
    )
    parts = [kind(_time_restorer).remote(workers, spec, images) for spec in specs]
    return [row for part in results(parts, "restorers to be timed", say) for row in part]


def _score_codecs(workers: WorkerSetup, images: list[int]) -> list[Row]:
    from models.backend import prepare_backend  # here and below: the driver never loads Keras

    prepare_backend(n_threads=1)
    from datasets.codecs import use_one_thread
    from search.scoring.codecs import score_codecs

    use_one_thread()
    pack, setup = workers.open()
    return score_codecs(pack, images, setup.protocol.crop_px)


def _time_restorer(workers: WorkerSetup, spec: TrialSpec, images: list[int]) -> list[Row]:
    from models.backend import device_name, prepare_backend
    from search.scoring.scores import time_files, time_restoring
    from search.trial.provenance import node_name
    from search.trial.restorers import load_restorer

    n_threads = workers.setup.n_threads
    prepare_backend(n_threads)
    pack = workers.open()[0].written_by(spec.family)
    model = load_restorer(spec, RemoteStore(find_checkpoint_store(workers.checkpoints)))
    facts = {"trial_id": spec.trial_id, "device": device_name(), "n_threads": n_threads, "node": node_name()}
    files = time_files(pack, images[:N_RESTORED])
    restoring = time_restoring(model, pack, images[:N_RESTORED])
    return [
        {**facts, "image": image, "restore_ms": spent, "encode_ms": encode_ms, "decode_ms": decode_ms}
        for (image, spent), (encode_ms, decode_ms) in zip(restoring, files, strict=True)
    ]
