"""A run directory, opened for reading: its facts, its records, its scores, and a sentence for whatever is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.checks import RunError as RunError
from analysis.facts import read_facts
from analysis.images import Images, read_images
from analysis.ranking import Ranking, ranking_of
from analysis.records import RESUME, read_earlier_splits, read_records
from analysis.scores import SCORE_COLUMNS as SCORE_COLUMNS
from analysis.scores import read_scores
from search.records import RUN_FACTS, TrialRecord
from search.space.spec import TrialStatus

# Where a search puts its run unless it is told otherwise, seen from a checkout.
RUNS = Path(__file__).resolve().parent.parent / "runs"
LINEAR = "linear"  # the network that algebra fits: what a trained one has to beat
# The statuses of trials whose scores count; a time budget pauses finalists too.
ALIVE = (TrialStatus.COMPLETED, TrialStatus.STOPPED, TrialStatus.PAUSED)


@dataclass(frozen=True)
class Run:
    """An opened run.

    records: one per trial, in the order they ended.
    scores: SCORE_COLUMNS and trial_id, a row per trial, image, split, input quality and region; may be empty. Words are
        categories: a group-by of them takes observed=True, and joining them to other text takes astype(str).
    notes: what a reader of the tables must know, a sentence each. images: what the run says of its images.
    earlier_splits: those that trials of earlier runs were made on, from which this one goes on.
    """

    path: Path
    facts: Mapping[str, Any]
    records: tuple[TrialRecord, ...]
    scores: pd.DataFrame
    notes: tuple[str, ...]
    images: Images = field(default_factory=Images)
    earlier_splits: tuple[str, ...] = ()

    @property
    def reference_quality(self) -> int:
        return int(self.facts["reference_quality"])

    @property
    def baselines(self) -> list[TrialRecord]:
        """JPEG as it is, on the images of each split that the run holds it for."""
        return [record for record in self.records if record.spec.is_baseline]

    @property
    def trials(self) -> list[TrialRecord]:
        """The trials, the best of the ranking first, those without a margin last; JPEG as it is is none of them."""
        return sorted((record for record in self.records if not record.spec.is_baseline), key=self.ranking.key)

    @property
    def finalists(self) -> list[TrialRecord]:
        """The restorers scored on the test split, the best of the ranking first."""
        return [record for record in self.tested if not record.spec.returns_input]

    @property
    def tested(self) -> list[TrialRecord]:
        """What is scored on the test split but JPEG as it is: finalists, and files of their encoders unrestored."""
        return [record for record in self.trials if self.has_scores(record, "test")]

    @property
    def deciding_split(self) -> str:
        """The split the report compares on: test where finalists have it, validation otherwise."""
        return "test" if self.finalists else "validation"

    @property
    def is_synthetic(self) -> bool:
        """Whether the description of the images says that they were drawn."""
        return "synthetic" in str(self.facts["dataset"].get("description", "")).lower()

    @cached_property
    def ranking(self) -> Ranking:
        return ranking_of(self.records)

    def input_of(self, record: TrialRecord) -> str:
        """Return the trial that scored the files that a trial restores as they are; empty where none did."""
        if record.spec.encoder is None:
            baseline = self.baseline_of(record)
            return baseline.trial_id if baseline else ""
        place = record.spec.encoder, record.spec.split
        as_written = (r for r in self.trials if r.spec.returns_input and (r.spec.encoder, r.spec.split) == place)
        return next((r.trial_id for r in as_written), "")

    def baseline_of(self, record: TrialRecord | None) -> TrialRecord | None:
        """Return JPEG as it is on the images of a trial's split; of the first split where that has none."""
        own = [item for item in self.baselines if record is not None and item.spec.split == record.spec.split]
        return next(iter([*own, *self.baselines]), None)

    def has_scores(self, record: TrialRecord, split: str) -> bool:
        """Say whether a trial has scores of a split."""
        return (record.trial_id, split) in self._scored

    @cached_property
    def choice_images(self) -> frozenset[int]:
        """The images of fields that some choice was made on: validated on by a split trained on here, or earlier.

        A run that goes on from earlier ones tells their splits in its earlier.jsonl. Where it does not, and in the
        final round, which cannot know what its run had gone on from, every split counts.
        """
        own, earlier = {record.spec.split for record in self.trials}, set(self.earlier_splits)
        options, is_final = self.facts.get("options"), self.facts.get("space") == "final"
        goes_on = bool(isinstance(options, dict) and options.get("from_run"))
        return self.images.validated(None if is_final or (goes_on and not earlier) else own | earlier)

    @cached_property
    def _scored(self) -> set[tuple[str, str]]:
        pairs = self.scores.groupby(["trial_id", "split"], observed=True).size().index
        return {(str(trial_id), str(split)) for trial_id, split in pairs}


def open_run(path: Path) -> Run:
    """Open a run directory, whether its search ended or not.

    Raises RunError when PATH is no run directory, when its facts or records cannot be read, or when no trial ended.
    """
    facts = read_facts(path)
    records, record_notes = read_records(path)
    scores, score_notes = read_scores(path, records)
    images = read_images(path)
    progress, reference = _progress_notes(records, facts), _reference_notes(records, scores, facts)
    notes = (*record_notes, *progress, *score_notes, *reference, *images.notes)
    return Run(path, facts, records, scores, notes, images, read_earlier_splits(path))


def newest_run(folder: Path = RUNS) -> Path:
    """Return the run in a folder whose facts were written last. Raises RunError when there is none."""
    facts = sorted(folder.glob(f"*/{RUN_FACTS}"), key=lambda file: (file.stat().st_mtime_ns, file))
    if not facts:
        raise RunError(f"a run directory is wanted, found none in {folder}; make one with python search/run.py")
    return facts[-1].parent


def _progress_notes(records: tuple[TrialRecord, ...], facts: Mapping[str, Any]) -> list[str]:
    tried = [record for record in records if not record.spec.is_baseline]
    confirms = facts.get("space_definition", {}).get("confirms", False)
    planned = [r for r in tried if r.spec.is_trained and not (confirms and r.spec.seed != facts.get("seed"))]
    n_ended, notes = sum(record.status is not TrialStatus.PAUSED for record in planned), []
    if n_ended < facts["n_trials"]:
        notes.append(
            f"{n_ended} of {facts['n_trials']} planned trials have ended: the run is still going, was interrupted "
            f"or had its time, and the missing ones may change what is said here. {RESUME} RUN goes on with them."
        )
    failed = [record.trial_id for record in tried if record.status is TrialStatus.FAILED]
    if failed:
        notes.append(
            f"Failed, and so without scores: {', '.join(failed)}. Their errors stand below the table of trials."
        )
    return notes


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
    place = ["split", "region", "image"]
    every, known = (pd.MultiIndex.from_frame(rows[place].drop_duplicates()) for rows in (scores, reference))
    n_unpaired = int((~every.isin(known)).sum())
    if not n_unpaired:
        return []
    return [f"Images and regions left out of every mean for want of a JPEG-{quality} score: {n_unpaired}."]
