"""The decision: the lowest JPEG quality that some finalist restores to the reference, by means over test images."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from analysis.labels import METRIC_TITLES
from analysis.run import Run
from models.names import METRICS, REGIONS

RULE = (
    "the lowest quality at which a finalist's means of all four metrics over the test images are at least as good as "
    "those of the reference quality, for whole images and for centre crops"
)
N_REQUIREMENTS = len(METRICS) * len(REGIONS)
# Our judgement, no measurement: under so many images a few of them can turn a mean.
FEW_IMAGES = 100


@dataclass(frozen=True)
class Pick:
    """The answer of one run.

    quality, trial_id, saved_percent: the picked JPEG quality, its restorer, and how many bytes fewer the files of the
        same test images take than at the reference quality; all None when there is no pick.
    evidence: a row per region and metric, of the pick or else of what came closest.
    reason: why there is no pick, empty when there is one. warning: why to doubt the answer, or empty.
    """

    reference_quality: int
    quality: int | None
    trial_id: str | None
    saved_percent: float | None
    n_images: int
    evidence: tuple[Mapping[str, Any], ...]
    reason: str
    warning: str

    def to_json(self) -> str:
        """Return the pick as strict JSON; a number that is not finite becomes null."""
        return json.dumps(finite({"rule": RULE, **asdict(self)}), indent=2, allow_nan=False)

    def sentence(self) -> str:
        """Say the answer in plain words."""
        if self.quality is None:
            return f"No JPEG quality below {self.reference_quality} can be picked: {self.reason}"
        return (
            f"Quality {self.quality} restored by {self.trial_id} is at least as good as JPEG-{self.reference_quality} "
            f"in the means of all four metrics over {self.n_images} test images, whole and cropped. Its files are "
            f"{self.saved_percent:.1f} % smaller."
        )


def candidates(run: Run, comparison: pd.DataFrame) -> pd.DataFrame:
    """List every finalist that is not suspect at every test quality below the reference, lowest and best margin first.

    Returns trial_id, input_quality, passes, n_reached (of N_REQUIREMENTS), smallest_margin with its region and metric
    (NaN where JPEG-50 is unknown), n_images.
    """
    rows = comparison[
        comparison["trial_id"].isin([record.trial_id for record in run.candidates])
        & (comparison["split"] == "test")
        & (comparison["input_quality"] < run.reference_quality)
        & comparison["region"].isin(REGIONS)
    ]
    listed = [
        {"trial_id": trial_id, "input_quality": quality, **_weakest(group)}
        for (trial_id, quality), group in rows.groupby(["trial_id", "input_quality"])
    ]
    columns = ["trial_id", "input_quality", "passes", "n_reached", "smallest_margin", "region", "metric", "n_images"]
    table = pd.DataFrame(listed, columns=columns)
    return table.sort_values(["input_quality", "smallest_margin"], ascending=[True, False], ignore_index=True)


def choose(run: Run, comparison: pd.DataFrame) -> Pick:
    """Apply RULE to a run. Among finalists that pass at the lowest quality the larger smallest margin wins."""
    table = candidates(run, comparison)
    missing = _missing(run, comparison, table)
    if missing:
        return Pick(run.reference_quality, None, None, None, 0, (), missing, "")
    passing = table[table["passes"]]
    if passing.empty:
        closest = table.sort_values("smallest_margin", ascending=False).iloc[0]
        evidence = _evidence(comparison, closest)
        n_images = _n_images(evidence)
        reason = _shortfall(closest, evidence, run.reference_quality)
        return Pick(run.reference_quality, None, None, None, n_images, evidence, reason, _doubt(n_images))
    best = passing.iloc[0]
    evidence = _evidence(comparison, best)
    trial_id, quality, n_images = str(best["trial_id"]), int(best["input_quality"]), _n_images(evidence)
    saved = _saved_percent(run, trial_id, quality)
    return Pick(run.reference_quality, quality, trial_id, saved, n_images, evidence, "", _doubt(n_images))


def _weakest(group: pd.DataFrame) -> dict[str, Any]:
    n_reached = int(group["reaches"].sum())
    weakest = group.sort_values("margin", na_position="first").iloc[0]
    return {
        "passes": n_reached == N_REQUIREMENTS,
        "n_reached": n_reached,
        "smallest_margin": weakest["margin"],
        "region": weakest["region"],
        "metric": weakest["metric"],
        "n_images": int(group["n_images"].min()),
    }


def _missing(run: Run, comparison: pd.DataFrame, table: pd.DataFrame) -> str:
    if not run.finalists:
        return "no trial has been scored on the test split, which the search does when it ends."
    if not run.candidates:
        return f"every finalist is suspect: {', '.join(f'{name} ({why})' for name, why in run.suspects.items())}."
    tested = comparison[comparison["split"] == "test"]
    if tested["reference_mean"].isna().all():
        return f"JPEG-{run.reference_quality} itself has no score on the test split."
    if table.empty:
        return f"no finalist was scored at a quality below {run.reference_quality}."
    return ""


def _evidence(comparison: pd.DataFrame, candidate: "pd.Series[Any]") -> tuple[Mapping[str, Any], ...]:
    rows = comparison[
        (comparison["trial_id"] == candidate["trial_id"])
        & (comparison["split"] == "test")
        & (comparison["input_quality"] == candidate["input_quality"])
    ]
    ordered = rows.sort_values("region", ascending=False, kind="stable").to_dict("records")  # whole images first
    return tuple({str(name): value for name, value in row.items()} for row in ordered)


def _n_images(evidence: tuple[Mapping[str, Any], ...]) -> int:
    return min(int(row["n_images"]) for row in evidence)


def _shortfall(closest: "pd.Series[Any]", evidence: tuple[Mapping[str, Any], ...], reference_quality: int) -> str:
    start = f"closest came {closest['trial_id']} at quality {closest['input_quality']}"
    if len(evidence) < N_REQUIREMENTS:
        return f"{start}, which was scored for {len(evidence)} of the {N_REQUIREMENTS} means."
    row = next(row for row in evidence if (row["region"], row["metric"]) == (closest["region"], closest["metric"]))
    steps = "" if math.isnan(row["margin"]) else f", {-row['margin']:.2f} of what JPEG loses from there to JPEG-50"
    where = "the whole image" if row["region"] == "full" else "the centre crop"
    return (
        f"{start}, whose mean {METRIC_TITLES[row['metric']]} of {where} is {row['mean']:.4g} where "
        f"JPEG-{reference_quality} has {row['reference_mean']:.4g}: short by "
        f"{abs(row['mean'] - row['reference_mean']):.2g}{steps}."
    )


def _saved_percent(run: Run, trial_id: str, quality: int) -> float | None:
    whole = run.scores[(run.scores["split"] == "test") & (run.scores["region"] == "full")]
    restored = whole[(whole["trial_id"] == trial_id) & (whole["input_quality"] == quality)].set_index("image")
    is_baseline = whole["trial_id"].isin([record.trial_id for record in run.baselines])
    is_reference = is_baseline & (whole["input_quality"] == run.reference_quality)
    reference = whole[is_reference].drop_duplicates("image").set_index("image")  # a split each; the files are the same
    images = restored.index.intersection(reference.index)
    return float(100 * (1 - restored.loc[images, "jpeg_bytes"].sum() / reference.loc[images, "jpeg_bytes"].sum()))


def _doubt(n_images: int) -> str:
    if n_images >= FEW_IMAGES:
        return ""
    images = "test image decides" if n_images == 1 else "test images decide"
    return f"Only {n_images} {images}: with so few, a small difference of means can be chance."


def finite(value: Any) -> Any:
    """Return what JSON can hold of a value: numbers that are not finite become None, at any depth."""
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
