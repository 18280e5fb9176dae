"""A run directory, opened for reading: its facts, its records, its scores, and a sentence for whatever is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from models.names import METRICS
from search.records import RECORDS, RUN_FACTS, TrialRecord, read_records, read_run_facts
from search.spec import TrialStatus

# The raw scores lie beside these in the files; no table reads them yet, so they do not fill memory.
SCORE_COLUMNS = ("image", "name", "system", "split", "input_quality", "region", "crop_px", "jpeg_bytes", *METRICS)
ROW_KEY = ["image", "split", "input_quality", "region"]
FACTS = ("command", "space", "scale", "seed", "reference_quality", "scored_qualities", "n_trials", "dataset")
DATASET_FACTS = (
    "path",
    "fingerprint",
    "size_px",
    "n_images",
    "systems",
    "qualities",
    "split",
    "subsets",
    "scored",
    "mean_jpeg_bytes",
)
RESUME = "python search/run.py --resume"


class RunError(ValueError):
    """A run directory that cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Run:
    """An opened run.

    records: one per trial, in the order they ended.
    scores: SCORE_COLUMNS and trial_id, a row per trial, image, split, input quality and region; may be empty.
    notes: what a reader of the tables must know, a sentence each.
    """

    path: Path
    facts: Mapping[str, Any]
    records: tuple[TrialRecord, ...]
    scores: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def reference_quality(self) -> int:
        return int(self.facts["reference_quality"])

    @property
    def baselines(self) -> list[TrialRecord]:
        """JPEG as it is, on the images of each split that the run holds it for."""
        return [record for record in self.records if record.spec.is_baseline]

    @property
    def baseline(self) -> TrialRecord | None:
        """JPEG as it is, when the run holds it; on the images of the first split."""
        return next(iter(self.baselines), None)

    @property
    def trials(self) -> list[TrialRecord]:
        """The trained trials, best monitored margin first, those without a margin last."""
        trained = [record for record in self.records if not record.spec.is_baseline]
        return sorted(trained, key=_rank)

    @property
    def finalists(self) -> list[TrialRecord]:
        """The trials scored on the test split, best monitored margin first."""
        return [record for record in self.trials if (record.trial_id, "test") in self._scored]

    @property
    def alive(self) -> list[TrialRecord]:
        """The trials that ended well enough to be shown as the best one, best first; each has validation scores."""
        statuses = (TrialStatus.COMPLETED, TrialStatus.STOPPED)
        scored = {trial_id for trial_id, _ in self._scored}
        return [record for record in self.trials if record.status in statuses and record.trial_id in scored]

    @property
    def deciding_split(self) -> str:
        """The split the report compares on: test where finalists have it, validation otherwise."""
        return "test" if self.finalists else "validation"

    @cached_property
    def _scored(self) -> set[tuple[str, str]]:
        pairs = self.scores[["trial_id", "split"]].drop_duplicates()
        return set(zip(pairs["trial_id"], pairs["split"], strict=True))


def open_run(path: Path) -> Run:
    """Open a run directory, whether its search ended or not.

    Raises RunError when PATH is no run directory, when its facts or records cannot be read, or when no trial ended.
    """
    facts = _read_facts(path)
    records, record_notes = _read_records(path)
    progress_notes = _progress_notes(records, facts)
    scores, score_notes = _read_scores(path, records)
    notes = (*record_notes, *progress_notes, *score_notes, *_reference_notes(records, scores, facts))
    return Run(path, facts, records, scores, notes)


def _rank(record: TrialRecord) -> tuple[bool, float, str]:
    return (record.margin is None, -(record.margin or 0.0), record.trial_id)


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        facts = read_run_facts(path)
    except FileNotFoundError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(f"{RUN_FACTS} must be JSON, found {error} in {path}; name another run") from error
    dataset = facts.get("dataset") if isinstance(facts, dict) else None
    dataset = dataset if isinstance(dataset, dict) else {}
    missing = [name for name in FACTS if name not in facts] + [name for name in DATASET_FACTS if name not in dataset]
    if missing:
        raise RunError(
            f"{path / RUN_FACTS} must name {', '.join(missing)}, and does not; "
            "read it with the lowq version that made it"
        )
    return facts


def _read_records(path: Path) -> tuple[tuple[TrialRecord, ...], list[str]]:
    try:
        records = read_records(path)
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"every line of {path / RECORDS} must be a trial record, found {error}; "
            "read the run with the lowq version that made it"
        ) from error
    if not records:
        raise RunError(f"a report needs an ended trial, found none in {path}; wait for the search, or {RESUME} {path}")
    notes = []
    if not (path / RECORDS).read_bytes().endswith(b"\n"):
        notes.append(
            f"The last line of {RECORDS} is torn, as a kill leaves it: its trial is not shown. {RESUME} RUN repeats it."
        )
    latest = {record.trial_id: record for record in records}
    if len(latest) < len(records):
        notes.append(
            f"Records that replace an earlier one of the same trial: {len(records) - len(latest)}; the later is shown."
        )
    return tuple(latest.values()), notes


def _progress_notes(records: tuple[TrialRecord, ...], facts: Mapping[str, Any]) -> list[str]:
    trained = [record for record in records if not record.spec.is_baseline]
    notes = []
    if len(trained) < facts["n_trials"]:
        notes.append(
            f"{len(trained)} of {facts['n_trials']} planned trials have ended: the run is still going, was interrupted "
            f"or had its time, and the missing ones may change what is said here. {RESUME} RUN goes on with them."
        )
    failed = [record.trial_id for record in trained if record.status is TrialStatus.FAILED]
    if failed:
        notes.append(
            f"Failed, and so without scores: {', '.join(failed)}. Their errors stand below the table of trials."
        )
    return notes


def _read_scores(path: Path, records: tuple[TrialRecord, ...]) -> tuple[pd.DataFrame, list[str]]:
    parts, notes = [], []
    for record in records:
        file = path / "scores" / f"{record.trial_id}.parquet"
        if not file.is_file():
            notes += _missing_scores_notes(record)
            continue
        try:
            part = pd.read_parquet(file, columns=list(SCORE_COLUMNS))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            notes.append(f"The scores of {record.trial_id} cannot be read ({reason}): its cells say 'not scored'.")
            continue
        once = part.drop_duplicates(ROW_KEY)
        if len(once) < len(part):
            notes.append(f"The scores of {record.trial_id} repeat {len(part) - len(once)} rows; each counts once.")
        parts.append(once.assign(trial_id=record.trial_id))
    notes += _unclaimed_notes(path, records)
    columns = [*SCORE_COLUMNS, "trial_id"]
    return (pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)), notes


def _missing_scores_notes(record: TrialRecord) -> list[str]:
    if record.status in (TrialStatus.FAILED, TrialStatus.DIVERGED) or record.spec.is_baseline:
        return []  # failed and diverged trials may have none; the baseline has a note of its own
    return [f"{record.trial_id} has a record but no score file: its cells say 'not scored'."]


def _unclaimed_notes(path: Path, records: tuple[TrialRecord, ...]) -> list[str]:
    known = {record.trial_id for record in records}
    unclaimed = sorted(file.stem for file in (path / "scores").glob("*.parquet") if file.stem not in known)
    if not unclaimed:
        return []
    return [f"Score files without a record, of trials that have not ended, are not used: {', '.join(unclaimed)}."]


def _reference_notes(records: tuple[TrialRecord, ...], scores: pd.DataFrame, facts: Mapping[str, Any]) -> list[str]:
    quality = facts["reference_quality"]
    baselines = [record.trial_id for record in records if record.spec.is_baseline]
    is_baseline = scores["trial_id"].isin(baselines)
    reference = scores[is_baseline & (scores["input_quality"] == quality)]
    if reference.empty:
        return [
            f"JPEG as it is was not scored at quality {quality}: nothing can be compared with it, there is no "
            f"pick. {RESUME} RUN scores it."
        ]
    images = ["split", "region", "image"]
    known = pd.MultiIndex.from_frame(reference[images])
    unpaired = scores.loc[~pd.MultiIndex.from_frame(scores[images]).isin(known), images].drop_duplicates()
    if unpaired.empty:
        return []
    return [f"Images and regions left out of every mean for want of a JPEG-{quality} score: {len(unpaired)}."]
