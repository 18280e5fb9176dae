"""The keeper: an actor beside the driver that puts trials' files on its disk and answers what they should do next."""

from collections.abc import Mapping
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.records import TrialRecord
from search.trial.reporting import Verdict
from search.trial.store import LocalStore, StoreError

NAMESPACE = "lowq"


class Keeper:
    """Lives on the driver's node. What must not be lost is on its disk; the verdicts and records are on their way."""

    def __init__(self, run: Path) -> None:
        self.store = LocalStore(run)
        self.stopped: set[str] = set()
        self.paused = False
        self.records: dict[str, TrialRecord] = {}
        self.trouble: str | None = None

    def load(self, trial_id: str) -> bytes | None:
        return self.store.load(trial_id)

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> str | None:
        """Put files on the disk; what it could not, it says, and has every trial pause."""
        try:
            self.store.save(trial_id, epoch, files)
        except OSError as error:
            self.trouble, self.paused = error.strerror or str(error), True
            return self.trouble
        return None

    def end(self, trial_id: str) -> None:
        """Have a trial stop after its current epoch."""
        self.stopped.add(trial_id)

    def pause(self) -> None:
        """Have every trial pause after its current epoch."""
        self.paused = True

    def verdict(self, trial_id: str) -> Verdict:
        if trial_id in self.stopped:
            return Verdict.STOP
        return Verdict.PAUSE if self.paused else Verdict.GO_ON

    def hand_in(self, record: TrialRecord) -> None:
        """Take the record of an ended trial, for the driver to collect."""
        self.records[record.trial_id] = record

    def collect(self, trial_id: str) -> tuple[TrialRecord | None, str | None]:
        """Return the record of a trial, None where it ended without one, and what the disk's trouble is if any."""
        return self.records.pop(trial_id, None), self.trouble


class KeptStore:
    """A store whose files lie with the keeper; its calls return when the keeper's disk has them."""

    def __init__(self, keeper: ray.actor.ActorHandle) -> None:
        self.keeper = keeper

    def load(self, trial_id: str) -> bytes | None:
        state: bytes | None = ray.get(self.keeper.load.remote(trial_id))
        return state

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> None:
        trouble = ray.get(self.keeper.save.remote(trial_id, epoch, files))
        if trouble:
            raise StoreError(trouble)


def start_keeper(run: Path) -> ray.actor.ActorHandle:
    """Start the keeper of a run on this node; needs a connection to Ray."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Keeper).options(num_cpus=0, name=keeper_name(run), namespace=NAMESPACE, scheduling_strategy=here)
    return actor.remote(run)


def find_keeper(name: str) -> ray.actor.ActorHandle:
    """Return the running keeper of a name, from any worker."""
    return ray.get_actor(name, namespace=NAMESPACE)


def keeper_name(run: Path) -> str:
    """Return the keeper's name in the cluster: the run directory's path."""
    return f"keeper of {run}"


def collect_record(keeper: ray.actor.ActorHandle, trial_id: str) -> tuple[TrialRecord | None, str | None]:
    """Return the record that a trial handed in, None without one, and the trouble of the keeper's disk."""
    answer: tuple[TrialRecord | None, str | None] = ray.get(keeper.collect.remote(trial_id))
    return answer


def pause(keeper: ray.actor.ActorHandle) -> None:
    """Have every trial pause after its current epoch."""
    ray.get(keeper.pause.remote())
