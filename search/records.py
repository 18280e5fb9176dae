"""The rows a run is made of: `TrialRecord`, one JSON line per ended trial, and the proposals before them."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from search.space.spec import TrialSpec, TrialStatus
from search.trial.provenance import node_name, versions

RECORDS = "records.jsonl"
PROPOSED = "proposed.jsonl"
EARLIER = "earlier.jsonl"  # records of earlier runs that taught Optuna
RUN_FACTS = "run.json"
TAIL_BYTES = 1 << 16
# A trial is judged dead or diverged only after it had a chance to move.
DEAD_EPOCHS, DEAD_STEPS = 3, 200


@dataclass(frozen=True)
class TrialRecord:
    """One ended trial, complete in itself: no reader needs today's constants.

    margin: the monitored value of the best epoch (of the filter, where there are none), see `search.trial.monitor`; None
        when no epoch ended finite.
    psnr_gain_db: mean PSNR over the input's at that epoch, dB.
    input_margin: the margin of JPEG as it is on the same monitored images: what a trial must beat.
    curve: a row per epoch (epoch, loss, margin, psnr_gain_db, steps, batch_size, seconds).
    macs_per_pixel: multiply-accumulates of one restored pixel.
    weights_bytes: size of a file of the network's weights alone; 0 in records of older versions.
    """

    spec: TrialSpec
    status: TrialStatus
    epochs_run: int
    margin: float | None
    psnr_gain_db: float | None
    input_margin: float | None
    seconds: float
    curve: tuple[Mapping[str, float | None], ...] = ()
    parameters: int = 0
    macs_per_pixel: int = 0
    weights_bytes: int = 0
    node: str = ""
    device: str = ""
    dataset_fingerprint: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None

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
        return cls(**row)


def had_its_chance(curve: Sequence[Mapping[str, float | None]]) -> bool:
    """Say whether a trial has trained long enough to be judged dead or diverged by what it does to its input."""
    return len(curve) >= DEAD_EPOCHS and sum(row.get("steps") or 0 for row in curve) >= DEAD_STEPS


def failed_record(spec: TrialSpec, dataset_fingerprint: str, error: str, seconds: float = 0.0) -> TrialRecord:
    """Return the record of a trial that raised an error or whose worker died."""
    return TrialRecord(
        spec=spec,
        status=TrialStatus.FAILED,
        epochs_run=0,
        margin=None,
        psnr_gain_db=None,
        input_margin=None,
        seconds=seconds,
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
    """Read the records of a run, oldest first; a torn last line is left out. No file: no records."""
    return [TrialRecord.from_json(line) for line in _whole_lines(run / file)]


def read_proposed(run: Path) -> list[TrialSpec]:
    """Read every spec the run proposed, oldest first, ended or not."""
    return [TrialSpec(**json.loads(line)) for line in _whole_lines(run / PROPOSED)]


def read_run_facts(run: Path) -> dict[str, Any]:
    """Read run.json. Raises FileNotFoundError when RUN is no run directory, ValueError where it is damaged."""
    path = run / RUN_FACTS
    if not path.is_file():
        raise FileNotFoundError(f"{run} is no run directory (it has no {RUN_FACTS}); name one that a search made")
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: put back a copy, or start anew with another --out") from error
    return facts


def describe_left_out(item: Mapping[str, str]) -> str:
    """Say what a run lacks, from an item of run.json's left_out: "perceptual: not run, no VGG16 weights"."""
    return f"{item['what']}: not run, {item['why']}"


def _whole_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    text = path.read_text()
    return [line for line in text[: text.rfind("\n") + 1].splitlines() if line]


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
