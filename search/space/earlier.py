"""Warm start: what the trials of earlier runs are to a new one."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.errors import InputError
from search.records import (
    EARLIER,
    TrialRecord,
    append_line,
    append_proposed,
    append_record,
    read_records,
    read_run_facts,
)
from search.space.space import Space
from search.space.spec import TrialSpec, TrialStatus
from search.trial.provenance import versions
from search.trial.store import SAMPLES, SCORES, STATE, LocalStore

NEEDED: Mapping[str, type] = {"dataset": dict, "dataset.path": str, "options": dict, "scale": str}
TO_RESUME = {**NEEDED, "dataset.fingerprint": str, "n_trials": int, "versions": dict}


@dataclass(frozen=True)
class Earlier:
    """Trials of earlier runs on the same data. taken: those that the new run would repeat, each with its run.

    taught: others whose parameters the new run's space could draw; they teach Optuna and are no trials of the new run.
    left: runs whose bytes at parity were measured with another least_viewable_ssim.
    """

    taken: tuple[tuple[Path, TrialRecord], ...] = ()
    taught: tuple[TrialRecord, ...] = ()
    left: tuple[Path, ...] = ()

    def describe(self) -> list[str]:
        """Say what is taken over, a line each."""
        taken = [f"{len(self.taken)} ended trials are taken over from earlier runs"] if self.taken else []
        taught = [f"{len(self.taught)} others teach where to look"] if self.taught else []
        left = [f"{run} is left out: it was judged by another --least-viewable-ssim" for run in self.left]
        return taken + taught + left

    def write_into(self, run: Path) -> None:
        """Put them into a new run directory: the taken with all their files, the taught in a file of their own."""
        for theirs, record in self.taken:
            plant_trial(theirs, record, run)
        for record in self.taught:
            append_line(run / EARLIER, record.to_json())


def find_earlier(
    runs: Iterable[Path],
    space: Space,
    make_spec: Callable[[dict[str, Any]], TrialSpec],
    fingerprint: str,
    least_viewable_ssim: float | None = None,
) -> Earlier:
    """Find what earlier runs have for a new one; of the same trial in several runs, the first counts.

    Two trials are the same if their specs, their data and the version of lowq are. Failed trials teach nothing, nor do
    those whose bytes at parity were measured with another least_viewable_ssim.
    Raises InputError for what is no run, or was made on other data.
    """
    taken: dict[str, tuple[Path, TrialRecord]] = {}
    taught: dict[str, TrialRecord] = {}
    by_floor = {run: _least_viewable_ssim(run) == least_viewable_ssim for run in runs}
    alike, left = ([run for run, is_alike in by_floor.items() if is_alike == wanted] for wanted in (True, False))
    for run, record in _trials(alike, fingerprint):
        own = {name: getattr(record.spec, name) for name in (*space.axes, *space.sampled)}
        if record.trial_id in taken or record.status is TrialStatus.FAILED or space.drawn_from(own) is None:
            continue
        if make_spec(own) == record.spec and _is_whole(run, record):
            taken[record.trial_id] = (run, record)
        else:
            taught.setdefault(record.trial_id, record)
    only_taught = tuple(record for name, record in taught.items() if name not in taken)
    return Earlier(tuple(taken.values()), only_taught, tuple(left))


def plant_trial(theirs: Path, record: TrialRecord, run: Path) -> None:
    """Copy an ended trial of another run, with its record and files, into a new run directory."""
    source, target = LocalStore(theirs), LocalStore(run)
    for name in (STATE, SCORES, SAMPLES):
        if source.path(record.trial_id, name).is_file():
            target.path(record.trial_id, name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.path(record.trial_id, name), target.path(record.trial_id, name))
    append_proposed(run, record.spec)
    append_record(run, record)


def read_trained(run: Path) -> list[TrialRecord]:
    """Read the trained trials of a run. Raises InputError when it is none, or of another version."""
    try:
        records = read_records(run)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"the records of {run} cannot be read by this version of lowq ({error})") from error
    return [record for record in records if record.spec.is_trained]


def _trials(runs: Iterable[Path], fingerprint: str) -> Iterator[tuple[Path, TrialRecord]]:
    for run in runs:
        records = read_trained(run)
        if not records:
            raise InputError(f"{run} has no ended trial to start from: name another run with --from")
        if all(record.dataset_fingerprint != fingerprint for record in records):
            raise InputError(f"the trials of {run} were trained on other data: name its pack with --data")
        yield from ((run, record) for record in records if record.dataset_fingerprint == fingerprint)


def require_run(run: Path, names: Mapping[str, type] = NEEDED) -> dict[str, Any]:
    """Return the facts of a run directory, which have these names ("dataset.path": path in dataset). Raises InputError.

    names: of what kind each is.
    """
    try:
        facts = read_run_facts(run)
    except (OSError, ValueError) as error:
        raise InputError(str(error)) from error
    for name, kind in names.items():
        found: Any = facts
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if not isinstance(found, kind):
            raise InputError(f"{run} was made by another version of lowq, or another program: run.json has no {name}")
    return facts


def _least_viewable_ssim(run: Path) -> float | None:
    try:
        found: float | None = read_run_facts(run)["options"].get("least_viewable_ssim")
    except (OSError, ValueError, LookupError, AttributeError):
        return None  # of an earlier version, or no run: whoever reads its records says so
    return found


def _is_whole(run: Path, record: TrialRecord) -> bool:
    """Say whether the trial is of this version and has the scores that its status promises."""
    store, name = LocalStore(run), record.trial_id
    has_scores = record.status is TrialStatus.DIVERGED or store.path(name, SCORES).is_file()
    return record.versions.get("lowq") == versions()["lowq"] and has_scores and store.path(name, STATE).is_file()
