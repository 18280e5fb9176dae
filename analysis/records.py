"""The records of a run, as far as this version knows them, and a sentence for whatever it does not."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from analysis.checks import RunError, describe, fits
from search.records import EARLIER, RECORDS, TrialRecord
from search.space.spec import BASELINE, TrialSpec, TrialStatus

RESUME = "python search/run.py --resume"
BASELINE_LABEL = "JPEG as it is"


class RecordedSpec(TrialSpec):
    """A spec as a record tells it: names that this version does not know are kept, and not refused."""

    def __post_init__(self) -> None:
        """Check nothing: the trial has been run."""


@dataclass(frozen=True)
class RecordedTrial(TrialRecord):
    """A record that some version of lowq wrote.

    recorded_id: what it calls itself, the name of its files; others: the fields of its spec that this version lacks.
    """

    recorded_id: str = ""
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trial_id(self) -> str:
        return self.recorded_id


def settings_of(record: TrialRecord) -> dict[str, Any]:
    """Return every setting of a trial by its name, those too that only another version knows."""
    return {**asdict(record.spec), **getattr(record, "others", {})}


def read_records(path: Path) -> tuple[tuple[TrialRecord, ...], list[str]]:
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
    if not records and not notes:
        raise RunError(f"a report needs an ended trial, found none in {path}; wait for the search, or {RESUME} {path}")
    if not records:
        rule = "No other line is one; read the run with the lowq version that made it"
        raise RunError(f"{path}: {notes[0]} {rule}")
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


def read_earlier_splits(path: Path) -> tuple[str, ...]:
    """Return the splits of the trials of earlier runs that this one knows, as far as they can be read."""
    file, splits = path / EARLIER, set()
    for line in file.read_text(errors="replace").splitlines() if file.is_file() else ():
        try:
            splits.add(_record(line, Counter()).spec.split)
        except ValueError:
            continue  # whoever wrote it, this reader does not need it
    return tuple(sorted(splits))


def _record(line: str, ignored: Counter[str]) -> TrialRecord:
    """Read a line; ignored counts what was left out. Raises ValueError with the reason when it is no record."""
    row = _parse(line, ignored)
    trial_id, status = row.pop("trial_id"), row.get("status")
    if isinstance(status, str) and status not in list(TrialStatus):
        ignored[f"the status {status!r} is unknown to this version and shown as {TrialStatus.UNKNOWN.value}"] += 1
        row["status"] = TrialStatus.UNKNOWN.value
    known, unknown = _known(row, TrialRecord, {"spec": dict[str, object], "status": str})
    ignored.update(f"the field {name!r} is unknown to this version and left out" for name in unknown)
    spec, others = _known(known["spec"], TrialSpec, {})
    known |= {"status": TrialStatus(known["status"]), "curve": tuple(known.get("curve", ()))}
    try:
        record = TrialRecord(**{**known, "spec": TrialSpec(**spec)})
    except ValueError as error:
        ignored[f"a spec that this version would refuse was kept ({error})"] += 1
        record = TrialRecord(**{**known, "spec": RecordedSpec(**spec)})
    if record.trial_id == trial_id and not others:
        return record
    if not others:
        ignored["the name of a trial does not follow from its spec, which may lack what another version knows"] += 1
    return RecordedTrial(**vars(record), recorded_id=trial_id, others=others)


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


def _known(row: Mapping[str, Any], kind: type, read_as: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a row that a dataclass has, and the others.

    Raises ValueError where one is missing or of another type.
    """
    hints = {**get_type_hints(kind), **read_as}
    has_default = {f.name: f.default is not MISSING or f.default_factory is not MISSING for f in fields(kind)}
    lacking = [name for name, optional in has_default.items() if name not in row and not optional]
    if lacking:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    known = {name: value for name, value in row.items() if name in has_default}
    for name, value in known.items():
        if not fits(value, hints[name]):
            raise ValueError(f"{name} must be {describe(hints[name])}, found {str(value)[:60]!r}")
    return known, {name: value for name, value in row.items() if name not in has_default}


def fidelity(record: TrialRecord) -> str:
    """Tell how long a trial trained and on what: "3/30 epochs", of how many images where an epoch is not all of them.

    The split is named where it is a large one: a run may compare trials of both.
    """
    if not record.spec.is_trained:
        return "without epochs"
    images = "" if record.spec.epoch_images is None else f" of {record.spec.epoch_images} images"
    split = "" if record.spec.split == "tiny" else f" of {record.spec.split}"
    return f"{record.epochs_run}/{record.spec.epochs} epochs{images}{split}"


def label(record: TrialRecord) -> str:
    """Name a trial in one line, with its fidelity and status."""
    if record.spec.is_baseline:
        return BASELINE_LABEL
    return f"{record.trial_id} ({fidelity(record)}, {record.status.value})"


def heading(record: TrialRecord, settings: str = "{loss}, trained at {quality}") -> str:
    """Name a trial in the few short lines of a table's column head."""
    spec, split = record.spec, "" if record.spec.split == "tiny" else f"\nof {record.spec.split}"
    if spec.is_baseline:
        return f"JPEG\nas it is{split}"
    encoder = [] if spec.encoder is None else [spec.encoder.replace("-radial", "\nradial")]
    if spec.returns_input:
        return "\n".join([*encoder, f"as it is{split}"])
    network = f"{spec.architecture}{'' if spec.global_residual else ' direct'}"
    network += "" if spec.output_activation == "none" else f" {spec.output_activation}"
    told = settings.format(loss=spec.loss if spec.is_trained else "closed form", quality=spec.training_quality)
    seed = f"s{spec.seed} {record.trial_id.rpartition('-')[2][:8]}"
    return "\n".join([network, *encoder, told, seed, fidelity(record).replace(" of ", "\nof "), record.status.value])


def written(encoder: str | None, quality: int | None) -> str:
    """Name files by their quality, and by their encoder where that is another than Pillow's default."""
    is_plain = encoder in (None, BASELINE.encoder_at(quality or 0))
    return f"Quality {quality}" if is_plain else f"{encoder} (quality {quality})"


def file_title(family: str | None, quality: int) -> str:
    """Name the files of a family of encoders at a quality in a picture's title; no family: JPEG as Pillow writes it."""
    return f"JPEG-{quality}" if family is None else f"{family} at {quality}"


def fidelity_sentence(records: Sequence[TrialRecord]) -> str:
    """Warn where a ranking mixes trials of different training, empty where it does not."""
    ranked = [record for record in records if record.margin is not None and record.spec.epochs]
    if len({fidelity(record) for record in ranked}) < 2:
        return ""
    ends = sorted(ranked, key=lambda record: (record.epochs_run, record.spec.epoch_images or 0, record.spec.epochs))
    return (
        f"These trials were not trained equally long (from {fidelity(ends[0])} to {fidelity(ends[-1])}): a lower rank "
        "may only mean less training."
    )
