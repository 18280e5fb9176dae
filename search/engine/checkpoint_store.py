"""The checkpoint store: an actor beside the driver, which keeps trials' files and answers what they should do next."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from datasets.errors import last_line
from search.records import TrialRecord
from search.trial.reporting import Progress, Verdict
from search.trial.store import STATE, LocalStore, StoreError

NAMESPACE = "lowq"
MAX_STARTS = 3  # of a trial without a new epoch: then what kills its workers is thought to be the trial


@dataclass(frozen=True)
class Ending:
    """How a trial left its worker: with a record, or held off for a reason outside of it, or neither (it paused).

    held_on: the id of the node where it was held off; n_starts: how often it began since its last new epoch; trouble:
    of the store's disk.
    """

    record: TrialRecord | None = None
    held: str | None = None
    held_on: str | None = None
    n_starts: int = 0
    trouble: str | None = None


class CheckpointStore:
    """Lives on the driver's node. What must not be lost is on its disk; the verdicts and records are on their way."""

    def __init__(self, run: Path) -> None:
        self.store = LocalStore(run)
        self.stopped: set[str] = set()
        self.is_paused = False
        self.records: dict[str, TrialRecord] = {}
        self.held: dict[str, tuple[str, str]] = {}
        self.starts: dict[str, int] = {}
        self.started: list[tuple[str, str]] = []
        self.told: list[tuple[str, Progress]] = []
        self.trouble: str | None = None

    def load(self, trial_id: str) -> bytes | None:
        return self.store.load(trial_id)

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> str | None:
        """Put files on the disk; what it could not, it says, and has every trial pause."""
        try:
            self.store.save(trial_id, epoch, files)
        except OSError as error:
            self.trouble, self.is_paused = error.strerror or str(error), True
            return self.trouble
        if STATE in files:
            self.starts[trial_id] = 0
        return None

    def read_part(self, path: Path, offset: int, n_bytes: int) -> bytes:
        """Return a part of a file of the driver's node, for a node that lacks it."""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(n_bytes)

    def begin(self, trial_id: str) -> Verdict:
        """Hear that a trial has a worker, and say whether it may go on; STOP where it died too often for that."""
        self.starts[trial_id] = self.starts.get(trial_id, 0) + 1
        if self.starts[trial_id] > MAX_STARTS:
            return Verdict.STOP
        return Verdict.PAUSE if self.is_paused else Verdict.GO_ON

    def started_on(self, trial_id: str, where: str) -> None:
        """Hear on which node and device a trial starts."""
        self.started.append((trial_id, where))

    def hold(self, trial_id: str, reason: str, node_id: str) -> None:
        """Hear that a trial cannot run on the node where it is, for a reason that is none of its own."""
        self.held[trial_id] = reason, node_id
        self.starts[trial_id] = max(0, self.starts.get(trial_id, 0) - 1)

    def newly_started(self) -> list[tuple[str, str]]:
        """Return the trials that have had a worker since this was asked for, each with its node and device."""
        started, self.started = self.started, []
        return started

    def tell(self, trial_id: str, progress: Progress) -> None:
        """Hear of an epoch of a trial that Tune does not run."""
        self.told.append((trial_id, progress))

    def newly_told(self) -> list[tuple[str, Progress]]:
        """Return the epochs that were told since this was asked for."""
        told, self.told = self.told, []
        return told

    def end(self, trial_id: str) -> None:
        """Have a trial stop after its current epoch."""
        self.stopped.add(trial_id)

    def pause(self) -> None:
        """Have every trial pause after its current epoch."""
        self.is_paused = True

    def verdict(self, trial_id: str) -> Verdict:
        if trial_id in self.stopped:
            return Verdict.STOP
        return Verdict.PAUSE if self.is_paused else Verdict.GO_ON

    def hand_in(self, record: TrialRecord) -> None:
        """Take the record of an ended trial, for the driver to collect."""
        self.records[record.trial_id] = record

    def collect(self, trial_id: str) -> Ending:
        """Return how a trial left its worker."""
        record, (held, held_on) = self.records.pop(trial_id, None), self.held.pop(trial_id, (None, None))
        return Ending(record, held, held_on, self.starts.get(trial_id, 0), self.trouble)


class RemoteStore:
    """A store whose files lie with the checkpoint store; its calls return when that one's disk has them."""

    def __init__(self, checkpoints: ray.actor.ActorHandle) -> None:
        self.checkpoints = checkpoints

    def load(self, trial_id: str) -> bytes | None:
        state: bytes | None = _answer(self.checkpoints.load.remote(trial_id))
        return state

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> None:
        trouble = _answer(self.checkpoints.save.remote(trial_id, epoch, files))
        if trouble:
            raise StoreError(trouble)


def _answer(asked: Any) -> Any:
    """Return what the checkpoint store answers. Raises OSError where it cannot be reached."""
    try:
        return ray.get(asked)
    except RayTaskError:
        raise
    except RayError as error:
        raise OSError(f"the checkpoint store does not answer ({last_line(error)})") from error


def start_checkpoint_store(run: Path) -> ray.actor.ActorHandle:
    """Start the checkpoint store of a run on this node; needs a connection to Ray.

    Where its process dies it is started again: what it must not lose is on the disk.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    lasting = {"max_restarts": -1, "max_task_retries": -1}
    named = {"name": checkpoint_store_name(run), "namespace": NAMESPACE}
    kind = ray.remote(CheckpointStore).options(num_cpus=0, scheduling_strategy=here, **named, **lasting)
    return kind.remote(run)


def find_checkpoint_store(name: str) -> ray.actor.ActorHandle:
    """Return the running checkpoint store of a name, from any worker."""
    return ray.get_actor(name, namespace=NAMESPACE)


def checkpoint_store_name(run: Path) -> str:
    """Return the checkpoint store's name in the cluster, of this driver alone: PCs may have runs of the same path."""
    return f"checkpoint store of {run}, process {os.getpid()} on {platform.node()}"


def how_it_ended(checkpoints: ray.actor.ActorHandle, trial_id: str) -> Ending:
    """Return how a trial left its worker."""
    ending: Ending = ray.get(checkpoints.collect.remote(trial_id))
    return ending


def pause(checkpoints: ray.actor.ActorHandle) -> None:
    """Have every trial pause after its current epoch."""
    ray.get(checkpoints.pause.remote())
