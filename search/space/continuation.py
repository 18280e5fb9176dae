"""Going on with a trial of another run: a trial of its own, which names its parent and starts from its last state."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets.errors import InputError
from search.records import TrialRecord
from search.space.earlier import plant_trial, read_trained, require_run
from search.space.space import Space
from search.space.spec import TrialSpec, TrialStatus
from search.trial.store import STATE, LocalStore

CONTINUABLE = (TrialStatus.COMPLETED, TrialStatus.STOPPED)
DIFFERS = ("epochs", "parent")  # between a trial and the one that goes on from it


@dataclass(frozen=True)
class Continuation:
    """A trial of a run, and the one that goes on from it; options, scale: what that run was asked for."""

    run: Path
    parent: TrialRecord
    child: TrialSpec
    options: dict[str, Any]
    scale: str

    @property
    def space(self) -> Space:
        """The two trials as a space, the first of which has ended already."""
        both = (self.parent.spec, self.child)
        cells = tuple({name: getattr(spec, name) for name in DIFFERS} for spec in both)
        fixed = {name: value for name, value in vars(self.child).items() if name not in (*DIFFERS, "loss")}
        axes = {name: tuple(dict.fromkeys(cell[name] for cell in cells)) for name in DIFFERS}
        loss = {"loss": (self.child.loss,)}
        return Space("continuation", {**loss, **axes}, only=cells, fields=fixed, stops_early=False, tests_all=True)

    def check_data(self, fingerprint: str) -> None:
        """Raise InputError unless the data are those that the parent was trained on."""
        if fingerprint != self.parent.dataset_fingerprint:
            raise InputError(f"{self.parent.trial_id} was trained on other data: name its pack with --data")

    def write_into(self, run: Path) -> None:
        """Put the parent, with its record and files, into a new run directory."""
        plant_trial(self.run, self.parent, run)


def find_continuation(run: Path, trial_id: str, more_epochs: int) -> Continuation:
    """Return the continuation of a run's trial by more epochs. Raises InputError where there is none."""
    if more_epochs < 1:
        raise InputError(f"--more-epochs must be 1 or more, got {more_epochs}")
    facts = require_run(run)
    records = {record.trial_id: record for record in read_trained(run)}
    record = records.get(trial_id)
    if record is None:
        able = ", ".join(trial_id for trial_id, one in records.items() if one.status in CONTINUABLE) or "none"
        raise InputError(f"{run} has no ended trial {trial_id!r}; it could go on with: {able}")
    if record.status not in CONTINUABLE:
        raise InputError(f"{trial_id} is {record.status}: only a trial that completed or was stopped can go on")
    if not LocalStore(run).path(trial_id, STATE).is_file():
        raise InputError(f"{run} has lost the state of {trial_id}, so it cannot go on")
    child = replace(record.spec, epochs=record.epochs_run + more_epochs, parent=trial_id)
    return Continuation(run, record, child, facts["options"] | {"data": facts["dataset"]["path"]}, facts["scale"])
