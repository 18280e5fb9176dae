"""The decision by means: the files of fewest bytes that some finalist restores to the reference, over test images.

`analysis.strict` has the other rule: what can be demonstrated.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from analysis.cells import ALL
from analysis.records import written
from analysis.run import Run
from analysis.statistics import Interval
from analysis.strict import RULE as STRICT_RULE
from analysis.strict import StrictPick, bytes_of, pairs_with_reference
from analysis.viewable import UNKNOWN, Viewable, floor_of, under_floor, viewable_of
from models.names import METRICS, REGIONS

RULE = (
    "the fewest bytes, so of one encoder the lowest quality, at which a finalist's means of all four metrics over the "
    "test images are at least as good as those of the reference quality, for whole images and for centre crops"
)
METRIC_TITLES = {"mae": "MAE", "mse": "MSE", "psnr_db": "PSNR, dB", "ssim": "SSIM"}
N_REQUIREMENTS = len(METRICS) * len(REGIONS)
PLACE = ["trial_id", "input_quality"]
CANDIDATE_COLUMNS = [
    *PLACE,
    *("mean_bytes", "reference_bytes", "passes", "n_reached", "smallest_margin", "region", "metric", "n_images"),
]
# Our judgement, no measurement: under so many images a few of them can turn a mean.
FEW_IMAGES = 100


@dataclass(frozen=True)
class Pick:
    """The answer of one run by means.

    quality, trial_id, saved: the picked quality, its restorer, and how many percent fewer bytes the files of the same
        test images take than at the reference quality; all None when there is no pick.
    encoder: what writes the files, as `datasets.encoders` names it; None where there is no pick.
    viewable: what these files show without the restorer.
    mean_bytes, reference_bytes: of these files and of the reference's.
    closest: the (trial_id, quality) of the pick, or else of what came closest; None where nothing was tested.
    reason: why there is no pick, empty when there is one. warnings: why to doubt the answer.
    """

    reference_quality: int
    quality: int | None = None
    trial_id: str | None = None
    saved: Interval | None = None
    n_images: int = 0
    closest: tuple[str, int] | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    mean_bytes: float | None = None
    reference_bytes: float | None = None
    encoder: str | None = None
    viewable: Viewable = UNKNOWN

    @property
    def written(self) -> str:
        """What the picked files are called."""
        return written(self.encoder, self.quality)

    def sentence(self) -> str:
        """Say the answer in plain words."""
        if self.quality is None or self.saved is None:
            return f"Nothing smaller than JPEG-{self.reference_quality} can be picked: {self.reason}"
        said = (
            f"{self.written} restored by {self.trial_id} is at least as good as JPEG-{self.reference_quality} "
            f"in the means of all four metrics over {self.n_images} test images, whole and cropped. Its files are "
            f"{self.saved.estimate:.1f} % smaller."
        )
        return " ".join(filter(None, (said, self.viewable.sentence())))


def candidates_of(run: Run, cells: pd.DataFrame, suspects: Mapping[str, str]) -> pd.DataFrame:
    """List every finalist that is not suspect where its files are smaller than the reference's, the smallest first.

    Smallest as a share of the reference's files of the same images: splits have their own. Of files that are as large,
    those with the best margin come first. Files that nobody restores are no candidates. Nothing passes whose files show
    less without a restorer than the search's floor.
    Returns trial_id, input_quality, mean_bytes, reference_bytes, passes, n_reached (of N_REQUIREMENTS), smallest_margin
    with its region and metric (NaN where JPEG-50 is unknown), n_images.
    """
    able = [record.trial_id for record in run.finalists if record.trial_id not in suspects]
    rows = cells[(cells["split"] == "test") & (cells["system"] == ALL) & cells["trial_id"].isin(able)]
    rows = rows[rows["mean_bytes"] < rows["reference_bytes"]]
    by_place = rows.groupby(PLACE)
    counts = by_place.agg(n_reached=("reaches", "sum"), n_images=("n_images", "max")).astype(int)
    sizes = by_place[["mean_bytes", "reference_bytes"]].first()
    weakest = rows.sort_values("margin", na_position="first", kind="stable").drop_duplicates(PLACE).set_index(PLACE)
    table = counts.join([sizes, weakest[["margin", "region", "metric"]]]).rename(columns={"margin": "smallest_margin"})
    share = table["mean_bytes"] / table["reference_bytes"]
    table = table.assign(passes=table["n_reached"] == N_REQUIREMENTS, share=share).reset_index()
    floor = floor_of(run)
    if floor is not None:
        seen = {record.trial_id: viewable_of(run, record) for record in run.finalists}
        places = zip(table["trial_id"], table["input_quality"], strict=True)
        can_be_viewed = [seen[trial_id].get(quality, UNKNOWN).reaches(floor) for trial_id, quality in places]
        table["passes"] = table["passes"] & pd.Series(can_be_viewed, table.index, dtype=bool)
    table = table.sort_values(["share", "smallest_margin"], ascending=[True, False], ignore_index=True)
    return table[CANDIDATE_COLUMNS]


def choose(run: Run, cells: pd.DataFrame, suspects: Mapping[str, str]) -> Pick:
    """Apply RULE to a run. Among finalists that pass with the same files the larger smallest margin wins."""
    table, reference = candidates_of(run, cells, suspects), run.reference_quality
    missing = _missing(run, cells, table, suspects)
    if missing:
        return Pick(reference, reason=missing)
    passing = table[table["passes"]]
    best = table.sort_values("smallest_margin", ascending=False).iloc[0] if passing.empty else passing.iloc[0]
    trial_id, quality, n_images = str(best["trial_id"]), int(best["input_quality"]), int(best["n_images"])
    doubts = (*_warnings(run, trial_id, n_images), *_hidden_by_means(cells, trial_id, quality))
    pick = Pick(reference, n_images=n_images, closest=(trial_id, quality), warnings=doubts)
    record = next(record for record in run.records if record.trial_id == trial_id)
    viewable = viewable_of(run, record).get(quality, UNKNOWN)
    if passing.empty and best["n_reached"] == N_REQUIREMENTS:
        return replace(pick, reason=f"closest came {trial_id} at quality {quality}, {under_floor(run, viewable)}.")
    if passing.empty:
        return replace(pick, reason=_shortfall(best, evidence_of(cells, pick), reference))
    pairs = pairs_with_reference(run, [trial_id])
    found = bytes_of(pairs[pairs["input_quality"] == quality])
    encoder = record.spec.encoder_at(quality)
    return replace(pick, quality=quality, trial_id=trial_id, encoder=encoder, viewable=viewable, **found)


def evidence_of(cells: pd.DataFrame, pick: Pick) -> pd.DataFrame:
    """Return the cells that the pick rests on, or of what came closest: a row per region and metric."""
    trial_id, quality = pick.closest or ("", 0)
    rows = cells[(cells["trial_id"] == trial_id) & (cells["split"] == "test") & (cells["system"] == ALL)]
    rows = rows[rows["input_quality"] == quality]
    return rows.sort_values("region", ascending=False, kind="stable", ignore_index=True)  # whole images first


def as_json(pick: Pick, strict: StrictPick) -> dict[str, Any]:
    """Return both picks as JSON can hold them: that by means, and under "strict" the other; "in_words" says it.

    Both have quality, trial_id, mean_bytes and reference_bytes, null where nothing is picked.
    """
    strictly = {"rule": STRICT_RULE, **asdict(strict), "trial_id": strict.trial_id, "in_words": strict.sentence()}
    facts = {"rule": RULE, **asdict(pick), "saved_percent": pick.saved and pick.saved.estimate}
    told: dict[str, Any] = finite({**facts, "strict": strictly, "in_words": in_words(pick, strict)})
    return told


def in_words(pick: Pick, strict: StrictPick) -> str:
    """Say both answers, and why to doubt them."""
    return " ".join((pick.sentence(), *pick.warnings, strict.sentence()))


def finite(value: Any) -> Any:
    """Return what JSON can hold of a value: numbers that are not finite become None, at any depth."""
    return json.loads(json.dumps(value), parse_constant=lambda name: None)


def _missing(run: Run, cells: pd.DataFrame, table: pd.DataFrame, suspects: Mapping[str, str]) -> str:
    if not run.finalists:
        return "no trial has been scored on the test split, which the search does when it ends."
    if all(record.trial_id in suspects for record in run.finalists):
        named = (f"{record.trial_id} ({suspects[record.trial_id]})" for record in run.finalists)
        return f"every finalist is suspect: {', '.join(named)}."
    if cells.loc[cells["split"] == "test", "reference_mean"].isna().all():
        return f"JPEG-{run.reference_quality} itself has no score on the test split."
    if table.empty:
        return f"no finalist was scored on files of fewer bytes than JPEG-{run.reference_quality}'s."
    return ""


def _shortfall(closest: "pd.Series[Any]", evidence: pd.DataFrame, reference_quality: int) -> str:
    start = f"closest came {closest['trial_id']} at quality {closest['input_quality']}"
    if len(evidence) < N_REQUIREMENTS:
        return f"{start}, which was scored for {len(evidence)} of the {N_REQUIREMENTS} means."
    is_it = (evidence["region"] == closest["region"]) & (evidence["metric"] == closest["metric"])
    row = evidence[is_it].iloc[0]
    if math.isnan(row["mean"]):
        return f"{start}, of whose {METRIC_TITLES[row['metric']]} some score is no finite number."
    steps = "" if math.isnan(row["margin"]) else f", {-row['margin']:.2f} of what JPEG loses from there to JPEG-50"
    where = "the whole image" if row["region"] == "full" else "the centre crop"
    return (
        f"{start}, whose mean {METRIC_TITLES[row['metric']]} of {where} is {row['mean']:.4g} where "
        f"JPEG-{reference_quality} has {row['reference_mean']:.4g}: short by "
        f"{abs(row['mean'] - row['reference_mean']):.2g}{steps}."
    )


def _hidden_by_means(cells: pd.DataFrame, trial_id: str, quality: int) -> tuple[str, ...]:
    """Say which camera systems the means over all of them hide, and how many of these chance alone may have made."""
    tested = (cells["trial_id"] == trial_id) & (cells["split"] == "test") & (cells["input_quality"] == quality)
    lines = []
    by_system = cells[tested & (cells["system"] != ALL)].groupby("system")
    for system, own in by_system:
        short = own[~own["reaches"]]
        if len(by_system) > 1 and not short.empty:
            titles = short["metric"].map(METRIC_TITLES).str.removesuffix(", dB")
            means = ", ".join(titles + " " + short["region"].map({"full": "whole", "crop": "cropped"}))
            lines.append(
                f"Of {system} alone, {own['n_images'].max()} test images, {len(short)} of {len(own)} means are short "
                f"of the reference's: {means}."
            )
    low = cells.loc[tested & (cells["system"] == ALL) & cells["reaches"], "gain_low"]
    n_chance = int((low < 0).sum())
    if n_chance:
        lines.append(f"In {n_chance} of {len(low)} means the gain over the reference can be chance (95 % interval).")
    return tuple(lines)


def _warnings(run: Run, trial_id: str, n_images: int) -> tuple[str, ...]:
    lines = []
    is_tested = (run.scores["split"] == "test") & (run.scores["trial_id"] == trial_id)
    tested = run.scores.loc[is_tested, "image"].drop_duplicates()
    n_fields = run.images.fields_of(tested).nunique()
    if min(n_images, n_fields) < FEW_IMAGES:
        images = "test image decides" if n_images == 1 else "test images decide"
        fields = f", of {n_fields} fields" if n_fields < n_images else ""
        lines.append(f"Only {n_images} {images}{fields}: with so few, a small difference of means can be chance.")
    n_seen = len(run.choice_images.intersection(map(int, tested)))
    if n_seen:
        lines.append(
            f"{n_seen} of {len(tested)} test images are of fields that a choice was made on, here or in an earlier "
            "run: they are in these means, and left out of what the strict rule judges."
        )
    return tuple(lines)
