"""Two runs side by side: which images are the same in both, and how far two trials differ on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.checks import RunError
from analysis.findings import Findings, find
from analysis.run import Run, open_run
from analysis.statistics import Grouping, bootstrap_mean
from models.names import METRIC_DIRECTIONS, METRICS
from search.records import TrialRecord

SAME = 1e-6  # scores of the same files by the same code differ by less, in every metric
KEY = ["split", "image"]


@dataclass(frozen=True)
class RunPair:
    """Two runs, called A and B.

    images: split, image (its number in A) and image_b (in B): the images that are known to be the same and were scored
        in both on the same side of the split, so that no trial of either was trained on them.
    notes: what a reader of the differences must know.
    """

    a: Findings
    b: Findings
    images: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, str]:
        """Return what the two runs are called: their folders, or their whole paths where these agree."""
        first, second = (findings.run.path.resolve() for findings in (self.a, self.b))
        return (first.name, second.name) if first.name != second.name else (str(first), str(second))

    @property
    def sides(self) -> tuple[tuple[str, Findings], ...]:
        return ("A", self.a), ("B", self.b)

    @cached_property
    def in_both(self) -> list[tuple[TrialRecord, TrialRecord]]:
        """The trained trials that both runs have a record of, in A's order."""
        others = {record.trial_id: record for record in self.b.run.trials}
        return [(own, others[own.trial_id]) for own in self.a.run.trials if own.trial_id in others]

    def only_in(self, side: str) -> list[TrialRecord]:
        """Return the trained trials that only "A" or only "B" has."""
        shared = {own.trial_id for own, _ in self.in_both}
        return [record for record in dict(self.sides)[side].run.trials if record.trial_id not in shared]

    def paired(self, trial_a: str, trial_b: str) -> pd.DataFrame:
        """Return a row per split, image, input quality and region that both trials have: METRICS, and the same with _b.

        The image is numbered as in A.
        """
        own, others = _rows(self.a.run, trial_a), _rows(self.b.run, trial_b)
        others = others.rename(columns={"image": "image_b"}).merge(self.images, on=["split", "image_b"])
        own = own.merge(self.images[KEY], on=KEY)
        own["group"] = self.a.run.images.fields_of(own["image"])
        return own.merge(others, on=[*KEY, "input_quality", "region"], suffixes=("", "_b"))


def open_pair(path_a: Path, path_b: Path) -> RunPair:
    """Open two runs and find their common images.

    Raises RunError when one cannot be opened, or when they are of two packs that have no image in common.
    """
    a, b = (find(open_run(path)) for path in (path_a, path_b))
    prints = [str(findings.run.facts["dataset"]["fingerprint"]) for findings in (a, b)]
    same_pack = prints[0] == prints[1]
    images, n_other = _common_images(a.run, b.run, same_pack)
    if images.empty and not same_pack:
        raise RunError(
            f"two runs of one pack are wanted, found packs {prints[0][:12]} and {prints[1][:12]}, and no image that "
            "both scored from the same JPEG files; name two runs of one pack"
        )
    written = [findings.best.spec.encoder or "the pack" if findings.best else None for findings in (a, b)]
    return RunPair(a, b, images, tuple(_notes(images, n_other, prints, written)))


def difference(pairs: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Return B minus A over images; an image that has several rows counts once, with their mean.

    pairs: rows of `RunPair.paired`, of one split and region; images of one group are resampled together.
    Returns metric, difference with low and high (NaN where too few fields tell), n_images, n_left_out (without a finite
    score on both sides, such as those that are identical to their original), and better: "A" or "B" where the interval
    leaves out 0, "same" where no image differs, "" where it cannot be told.
    """
    images, first, places = np.unique(pairs["image"], return_index=True, return_inverse=True)
    with np.errstate(invalid="ignore"):  # inf - inf, where neither has an error
        gaps = pairs[f"{metric}_b"].to_numpy(np.float64) - pairs[metric].to_numpy(np.float64)
    by_image = Grouping(len(images), places).mean(gaps)
    known = np.isfinite(by_image)
    found = bootstrap_mean(by_image[known], pairs["group"].to_numpy()[first][known])
    low, high = sorted(METRIC_DIRECTIONS[metric] * bound for bound in (found.low, found.high))
    is_same = bool(known.any() and not by_image[known].any())
    return {
        **{"metric": metric, "difference": found.estimate, "low": found.low, "high": found.high, "n_images": found.n},
        **{"n_left_out": len(images) - found.n, "better": "same" if is_same else "B" * (low > 0) + "A" * (high < 0)},
    }


def deciding_rows(pairs: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Return the split to compare two trials on, test where both have it, and its rows."""
    split = "test" if (pairs["split"] == "test").any() else "validation"
    return split, pairs[pairs["split"] == split]


def _rows(run: Run, trial_id: str) -> pd.DataFrame:
    rows = run.scores[run.scores["trial_id"] == trial_id]
    return rows[[*KEY, "input_quality", "region", *METRICS]].astype({"split": str, "region": str, "image": int})


def _jpeg(run: Run) -> pd.DataFrame:
    """Return JPEG as it is, whole images: split, image, name, input_quality, jpeg_bytes, METRICS."""
    baselines = [record.trial_id for record in run.baselines]
    rows = run.scores[run.scores["trial_id"].isin(baselines) & (run.scores["region"] == "full")]
    rows = rows.drop_duplicates([*KEY, "input_quality"])[[*KEY, "name", "input_quality", "jpeg_bytes", *METRICS]]
    return rows.astype({"split": str, "name": str, "image": int})


def _common_images(a: Run, b: Run, same_pack: bool) -> tuple[pd.DataFrame, int]:
    """Return the images of `RunPair`, and how many of the same name or number JPEG's scores tell apart."""
    key = "image" if same_pack else "name"
    jpeg_b = _jpeg(b).rename(columns={"image": "image_b"}).assign(image=lambda rows: rows["image_b"])
    shared = ["split", key, "input_quality"]
    both = _jpeg(a).merge(jpeg_b[[*shared, "image_b", "jpeg_bytes", *METRICS]], on=shared, suffixes=("", "_b"))
    scores, others = (both[names].to_numpy(np.float64) for names in ([*METRICS], [f"{name}_b" for name in METRICS]))
    agree = np.isclose(scores, others, rtol=SAME, atol=0, equal_nan=True).all(axis=1)
    both["agrees"] = agree & (both["jpeg_bytes"] == both["jpeg_bytes_b"])
    judged = both.groupby([*KEY, "image_b"])["agrees"].all().reset_index()
    apart = judged[~judged["agrees"]]
    if not same_pack:
        return judged.loc[judged["agrees"], [*KEY, "image_b"]], len(apart)
    every = [run.scores[KEY].drop_duplicates().astype({"split": str, "image": int}) for run in (a, b)]
    images = every[0].merge(every[1], on=KEY).assign(image_b=lambda rows: rows["image"])
    is_apart = pd.MultiIndex.from_frame(images[KEY]).isin(pd.MultiIndex.from_frame(apart[KEY]))
    return images[~is_apart].reset_index(drop=True), len(apart)


def _notes(images: pd.DataFrame, n_other: int, prints: Sequence[str], written: Sequence[str | None]) -> list[str]:
    same_pack, notes = prints[0] == prints[1], []
    if not same_pack:
        notes.append(
            f"The runs are of two packs ({prints[0][:12]}, {prints[1][:12]}). Compared are the {len(images)} images "
            "that both scored on the same side of the split, and of which JPEG has the same bytes and scores in both; "
            "trials of the same name were not trained on the same images."
        )
    elif images.empty:
        notes.append("No image was scored in both: their trials cannot be compared image by image.")
    if n_other:
        notes.append(
            f"Images left out, because JPEG as it is has other bytes or scores in the other run: {n_other}. "
            + ("The code that scores, or its libraries, changed between the runs." if same_pack else "")
        )
    if None not in written and written[0] != written[1]:
        notes.append(
            f"A's best restores files of {written[0]}, B's files of {written[1]}: at one quality these are not the "
            "same files, so the two do not stand side by side. What bytes they save, the decisions say."
        )
    return [note.strip() for note in notes]
