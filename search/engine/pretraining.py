"""Networks trained on files of all encoders that were kept, before trials fine-tune them for one encoder each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError

from datasets.errors import last_line
from search.cluster.placement import where
from search.cluster.scoring_tasks import MAX_FAILURES, OUTSIDE, WorkerSetup
from search.cluster.waiting import wait
from search.engine.checkpoint_store import RemoteStore, find_checkpoint_store
from search.progress.log import ProgressLog
from search.records import TrialRecord, failed_record
from search.space.plan import Machine
from search.space.space import Space
from search.space.spec import JOINED, TrialSpec, TrialStatus
from search.space.values import By
from search.task import Task
from search.trial.provenance import node_name
from search.trial.reporting import Progress, Verdict

WELL = (TrialStatus.COMPLETED, TrialStatus.STOPPED)  # how one ended whose weights others may begin with
FINE_TUNING = 0.5  # of the epochs that a network has from the start


def pretraining_specs(task: Task, encoders: Sequence[str]) -> dict[str, TrialSpec]:
    """Return by architecture the trial that trains it on files of all encoders; watched on those of the first."""
    firsts = {first["architecture"]: first for first in reversed(task.space.first_parameters())}
    first_of, together = encoders[0], JOINED.join(encoders)
    return {name: replace(task.make_spec(first), encoder=first_of, encoders=together) for name, first in firsts.items()}


def with_pretrained(space: Space, trials: Mapping[str, str], epochs: int) -> Space:
    """Return a space whose trials begin with weights of pretrained networks, architecture -> trial.

    Architectures without one have as many epochs as before, epochs; the others' are FINE_TUNING of them.
    """
    n_fewer = max(1, round(FINE_TUNING * epochs))
    fields: dict[str, Any] = {
        "pretrained": By("architecture", None, dict(trials)),
        "epochs": By("architecture", epochs, dict.fromkeys(trials, n_fewer)),
    }
    return replace(space, fields={**space.fields, **fields})


def pretrain(
    workers: WorkerSetup, specs: Sequence[TrialSpec], machine: Machine, log: ProgressLog, stop: Callable[[], None]
) -> list[TrialRecord]:
    """Train beside one another, each on as many cores as are free for it, and return the records of those that ended.

    stop: pauses them after their epochs, once the time budget is used up; what paused goes on on --resume.
    """
    if not specs:
        return []
    n_threads = max(machine.n_threads, _most_cores() // len(specs)) if not machine.n_gpus else machine.n_threads
    own = replace(workers, setup=replace(workers.setup, n_threads=n_threads))
    kind = ray.remote(
        num_cpus=n_threads,
        num_gpus=1 if machine.n_gpus else 0,
        max_retries=MAX_FAILURES,
        label_selector=where(machine),
    )
    asked = {kind(_pretrain).remote(own, spec): spec for spec in specs}
    for spec in specs:
        log.proposed(spec)
    checkpoints, records, is_stopped = find_checkpoint_store(workers.checkpoints), [], False
    while asked:
        done = wait(list(asked))[0]
        for trial_id, place in ray.get(checkpoints.newly_started.remote()):
            log.started_on(trial_id, place)
        for trial_id, progress in ray.get(checkpoints.newly_told.remote()):
            log.reported(trial_id, progress)
        for answer in done:
            spec = asked.pop(answer)
            try:
                record: TrialRecord | None = ray.get(answer)
            except (RayError, *OUTSIDE) as error:
                record = failed_record(spec, "", last_line(error), is_outside=True)
            records += [record] if record else []
        if not is_stopped and log.is_out_of_time():
            is_stopped = True
            stop()
    return records


def _most_cores() -> int:
    return int(max(node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]))


def _pretrain(workers: WorkerSetup, spec: TrialSpec) -> TrialRecord | None:
    from models.backend import device_name, prepare_backend  # the driver never loads Keras
    from search.trial.trial import run_trial

    prepare_backend(workers.setup.n_threads)
    checkpoints = find_checkpoint_store(workers.checkpoints)
    pack, setup = workers.open()

    ray.get(checkpoints.started_on.remote(spec.trial_id, f"{node_name()}, {device_name()}"))

    def report(progress: Progress) -> Verdict:
        ray.get(checkpoints.tell.remote(spec.trial_id, progress))
        verdict: Verdict = ray.get(checkpoints.verdict.remote(spec.trial_id))
        return verdict

    return run_trial(spec, pack, RemoteStore(checkpoints), report, setup)
