"""The rows a run is made of: `TrialRecord`, one JSON line per ended trial, and the proposals before them."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from datasets.errors import InputError
from search.space.spec import TrialSpec, TrialStatus
from search.trial.provenance import node_name, versions

RECORDS = "records.jsonl"
PROPOSED = "proposed.jsonl"
EARLIER = "earlier.jsonl"  # records of earlier runs that taught Optuna
RUN_FACTS = "run.json"
PICK = Path("report", "pick.json")  # of the report
TAIL_BYTES = 1 << 16
Row = Mapping[str, float | None]
# A trial is judged dead or diverged only after it had a chance to move.
DEAD_EPOCHS, DEAD_STEPS = 3, 200


@dataclass(frozen=True)
class TrialRecord:
    """One ended trial, complete in itself: no reader needs today's constants.

    bytes_at_parity: what trials are ranked by, lower is better: the share of JPEG-75's bytes at which the best epoch
        (or the filter) reaches JPEG-75, see `search.trial.monitor`; None when no epoch ended finite, and in records of
        versions that ranked by the margin.
    margin: the margin over qualities 25, 50 and 75 at that epoch.
    psnr_gain_db: mean PSNR over the input's at that epoch, dB.
    input_margin: the margin of JPEG as it is on the same monitored images: what a trial must beat.
    curve: a row per epoch (epoch, loss, margin, psnr_gain_db, steps, batch_size, seconds).
    macs_per_pixel: multiply-accumulates of one restored pixel.
    weights_bytes: size of a file of the network's weights alone; 0 in records of older versions.
    restore_ms: median milliseconds of restoring one whole image of the pack where the trial ran; None: not measured.
    input_bytes_at_parity: what files that nobody restores have in its place; 1 of JPEG as it is.
    viewable_ssim: their mean SSIM at as many bytes as bytes_at_parity says: how files look that nobody restores.
    quality_at_parity: whose files take so many bytes, between the monitored ones.
    channels: of files of an encoder of its own, what luma and chroma take and lose at the monitored quality nearest to
        it, see `search.trial.channels`.
    is_outside: of a failed trial, that what failed it lies outside of it, so that --resume tries it again.
    """

    spec: TrialSpec
    status: TrialStatus
    epochs_run: int
    margin: float | None
    psnr_gain_db: float | None
    input_margin: float | None
    seconds: float
    curve: tuple[Row, ...] = ()
    parameters: int = 0
    macs_per_pixel: int = 0
    weights_bytes: int = 0
    node: str = ""
    device: str = ""
    dataset_fingerprint: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    bytes_at_parity: float | None = None
    restore_ms: float | None = None
    is_outside: bool = False
    input_bytes_at_parity: float | None = None
    viewable_ssim: float | None = None
    quality_at_parity: float | None = None
    channels: Mapping[str, float] | None = None

    @property
    def has_ended(self) -> bool:
        """False of what --resume trains on or tries again."""
        return self.status is not TrialStatus.PAUSED and not self.is_outside

    @property
    def trial_id(self) -> str:
        return self.spec.trial_id

    @property
    def trained_batch_size(self) -> int:
        """The batch size it ended with: half the spec's where memory ran out."""
        last = self.curve[-1] if self.curve else {}
        return int(last.get("batch_size") or self.spec.batch_size)

    def to_json(self) -> str:
        """Return the record as one line of strict JSON (a non-finite number raises ValueError)."""
        return json.dumps({"trial_id": self.trial_id, **asdict(self)}, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> "TrialRecord":
        """Read a line of `to_json`. Raises ValueError when it is no record."""
        row = json.loads(line)
        if not isinstance(row, dict) or row.pop("trial_id", None) is None:
            raise ValueError(f"a record is a JSON object with a trial_id, got {line[:60]!r}")
        row["spec"] = TrialSpec(**row["spec"])
        row["status"] = TrialStatus(row["status"])
        row["curve"] = tuple(row["curve"])
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in row.items() if name in known})  # a newer version may say more


def had_its_chance(curve: Sequence[Mapping[str, float | None]]) -> bool:
    """Say whether a trial has trained long enough to be judged dead or diverged by what it does to its input."""
    return len(curve) >= DEAD_EPOCHS and sum(row.get("steps") or 0 for row in curve) >= DEAD_STEPS


def best_first(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Rank trained trials by bytes at parity; where one of them has none, as in runs of earlier versions, by margin.

    Trials without a value are left out; ties keep their order.
    """
    trained = [record for record in records if record.spec.is_trained and record.margin is not None]
    if all(record.bytes_at_parity is not None for record in trained):
        return sorted(trained, key=lambda record: record.bytes_at_parity or 0.0)
    return sorted(trained, key=lambda record: -(record.margin or 0.0))


def failed_record(
    spec: TrialSpec, dataset_fingerprint: str, error: str, curve: Sequence[Row] = (), is_outside: bool = False
) -> TrialRecord:
    """Return the record of a trial that raised an error or whose worker died, with the epochs it had."""
    return TrialRecord(
        spec=spec,
        status=TrialStatus.FAILED,
        epochs_run=len(curve),
        margin=None,
        psnr_gain_db=None,
        input_margin=None,
        seconds=sum(row.get("seconds") or 0.0 for row in curve),
        curve=tuple(curve),
        is_outside=is_outside,
        node=node_name(),
        dataset_fingerprint=dataset_fingerprint,
        versions=versions(),
        error=error,
    )


def append_line(path: Path, line: str) -> None:
    """Append a line and return once it is on disk; a torn last line of an earlier kill is cut off first."""
    with path.open("ab+") as file:
        _cut_torn_line(file)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def append_record(run: Path, record: TrialRecord) -> None:
    """Add the record of an ended trial to a run; its scores and weights must be on disk before."""
    append_line(run / RECORDS, record.to_json())


def append_proposed(run: Path, spec: TrialSpec) -> None:
    """Add a spec to those a run proposed; before its trial starts."""
    append_line(run / PROPOSED, json.dumps(asdict(spec)))


def read_records(run: Path, file: str = RECORDS) -> list[TrialRecord]:
    """Read the records of a run, oldest first; a torn last line is left out. No file: no records.

    Of a trial that was paused, or tried again, the newest counts. Raises InputError, naming file and line, for one that
    is no record.
    """
    newest: dict[str, TrialRecord] = {}
    for number, line in enumerate(_whole_lines(run / file), 1):
        try:
            record = TrialRecord.from_json(line)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{run / file}, line {number}, is no record ({error}): {_way_out(error)}") from error
        newest.pop(record.trial_id, None)
        newest[record.trial_id] = record
    return list(newest.values())


def read_proposed(run: Path) -> list[TrialSpec]:
    """Read every spec the run proposed, oldest first, ended or not. Raises InputError for a line that holds none."""
    specs = []
    for number, line in enumerate(_whole_lines(run / PROPOSED), 1):
        try:
            specs.append(TrialSpec(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise InputError(f"{run / PROPOSED}, line {number}, is no spec ({error}): {_way_out(error)}") from error
    return specs


def _way_out(error: Exception) -> str:
    is_newer = "unexpected keyword argument" in str(error)
    return "put back a copy" + (", or go on with the newer lowq that wrote it" if is_newer else "")


def read_run_facts(run: Path) -> dict[str, Any]:
    """Read run.json. Raises FileNotFoundError when RUN is no run directory, ValueError where it is damaged."""
    path = run / RUN_FACTS
    if not path.is_file():
        raise FileNotFoundError(f"{run} is no run directory (it has no {RUN_FACTS}); name one that a search made")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise ValueError(f"{path} is damaged: put back a copy, or start anew with another --out") from error
    return facts


def read_pick(run: Path) -> str | None:
    """Return the id of the trial that the report picks by means, None where there is no report or it picks none."""
    try:
        picked = json.loads((run / PICK).read_text(encoding="utf-8")).get("trial_id")
    except (OSError, ValueError, AttributeError):
        return None
    return str(picked) if picked else None


def describe_left_out(item: Mapping[str, str]) -> str:
    """Say what a run lacks, from an item of run.json's left_out: "perceptual: not run, no VGG16 weights"."""
    return f"{item['what']}: not run, {item['why']}"


def _whole_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")  # a damaged line is told as such by who reads it
    return [line for line in text[: text.rfind("\n") + 1].split("\n") if line]


def _cut_torn_line(file: Any) -> None:
    """Cut off what follows the last line break, looking no further back than to it."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - TAIL_BYTES)
        file.seek(start)
        place = file.read(end - start).rfind(b"\n")
        if place >= 0:
            end = start + place + 1
            break
        end = start
    if end != file.seek(0, os.SEEK_END):
        file.truncate(end)
