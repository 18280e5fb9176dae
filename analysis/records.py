"""The records of a run, as far as this version knows them, and a sentence for whatever it does not."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from analysis.errors import RunError
from analysis.shape import describe, fits
from search.records import RECORDS, TrialRecord
from search.spec import TrialSpec, TrialStatus

RESUME = "python search/run.py --resume"


class ToldSpec(TrialSpec):
    """A spec as a record tells it: names that this version does not know are kept, and not refused."""

    def __post_init__(self) -> None:
        """Check nothing: the trial has been run."""


@dataclass(frozen=True)
class ToldRecord(TrialRecord):
    """A record that some version of lowq wrote, called as it calls itself: told_id is the name of its files."""

    told_id: str = ""

    @property
    def trial_id(self) -> str:
        return self.told_id


def read_told_records(path: Path) -> tuple[tuple[TrialRecord, ...], list[str]]:
    """Read a run's records, the last one of each trial, and say what was left out of them.

    Fields that this version does not know are left out, a line that is no record is too, and so is a torn last line.
    Raises RunError when no trial ended, or no line is a record.
    """
    text = (path / RECORDS).read_bytes().decode(errors="replace") if (path / RECORDS).is_file() else ""
    *lines, torn = text.split("\n")
    ignored: Counter[str] = Counter()
    records, notes = [], []
    for number, line in enumerate(lines, start=1):
        try:
            records += [_record(line, ignored)] if line.strip() else []
        except ValueError as error:
            notes.append(f"Line {number} of {RECORDS} is no trial record ({error}): its trial is not shown.")
    if not records:
        raise _nothing(path, notes)
    notes += [f"In {RECORDS}, {what} ({count} times)." for what, count in sorted(ignored.items())]
    if torn:
        notes.append(
            f"The last line of {RECORDS} is torn, as a kill leaves it: its trial is not shown. {RESUME} RUN repeats it."
        )
    latest = {record.trial_id: record for record in records}
    if len(latest) < len(records):
        notes.append(
            f"Records that replace an earlier one of the same trial: {len(records) - len(latest)}; the later is shown."
        )
    return tuple(latest.values()), notes


def _nothing(path: Path, notes: list[str]) -> RunError:
    if notes:
        return RunError(f"{path}: {notes[0]} No other line is one; read the run with the lowq version that made it")
    return RunError(f"a report needs an ended trial, found none in {path}; wait for the search, or {RESUME} {path}")


def _record(line: str, ignored: Counter[str]) -> TrialRecord:
    """Read a line; ignored counts what was left out. Raises ValueError with the reason when it is no record."""
    row = _parse(line, ignored)
    trial_id, status = row.pop("trial_id"), row.get("status")
    if isinstance(status, str) and status not in list(TrialStatus):
        ignored[f"the status {status!r} is unknown to this version and shown as {TrialStatus.UNKNOWN.value}"] += 1
        row["status"] = TrialStatus.UNKNOWN.value
    told = _known(row, TrialRecord, {"spec": dict[str, object], "status": str}, ignored)
    spec = _known(told["spec"], TrialSpec, {}, ignored)
    told |= {"status": TrialStatus(told["status"]), "curve": tuple(told.get("curve", ()))}
    try:
        record = TrialRecord(**{**told, "spec": TrialSpec(**spec)})
    except ValueError as error:
        ignored[f"a spec that this version would refuse was kept ({error})"] += 1
        record = TrialRecord(**{**told, "spec": ToldSpec(**spec)})
    if record.trial_id == trial_id:
        return record
    ignored["the name of a trial does not follow from its spec, which may lack what another version knows"] += 1
    return ToldRecord(**vars(record), told_id=trial_id)


def _parse(line: str, ignored: Counter[str]) -> dict[str, Any]:
    def number(text: str) -> float | None:
        value = float(text)
        if math.isfinite(value):
            return value
        ignored["a number that is not finite was read as none"] += 1
        return None

    row = json.loads(line, parse_float=number, parse_constant=number)
    if not isinstance(row, dict) or "trial_id" not in row:
        raise ValueError(f"a record is a JSON object with a trial_id, found {line[:60]!r}")
    trial_id = row["trial_id"]
    if not isinstance(trial_id, str) or not trial_id or Path(trial_id).name != trial_id or "\0" in trial_id:
        raise ValueError(f"a trial_id names files, found {str(trial_id)[:60]!r}")
    return row


def _known(row: Mapping[str, Any], kind: type, read_as: Mapping[str, Any], ignored: Counter[str]) -> dict[str, Any]:
    """Return the fields of a row that a dataclass has. Raises ValueError where one is missing or of another type."""
    hints = {**get_type_hints(kind), **read_as}
    has_default = {f.name: f.default is not MISSING or f.default_factory is not MISSING for f in fields(kind)}
    lacking = [name for name, optional in has_default.items() if name not in row and not optional]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    known = {name: value for name, value in row.items() if name in has_default}
    for name, value in known.items():
        if not fits(value, hints[name]):
            raise ValueError(f"{name} must be {describe(hints[name])}, found {str(value)[:60]!r}")
    ignored.update(f"the field {name!r} is unknown to this version and left out" for name in row if name not in known)
    return known
