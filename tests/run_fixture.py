"""A small, plausible run directory made of numpy: JPEG means easy to reckon with, and trials set against them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.records import RecordedSpec
from analysis.run import LINEAR
from models.names import METRIC_DIRECTIONS, REGIONS
from search.records import RECORDS, RUN_FACTS, TrialRecord, append_line
from search.space.spec import BASELINE, TrialSpec, TrialStatus

QUALITIES = (10, 25, 40, 50, 60, 75, 80, 90)
SCORED_QUALITIES = (25, 50, 75)
SIZE_PX = 64
CROP_PX = 32
SYSTEMS = ("green", "white")
# Means of JPEG as it is, every MSE above what the PSNR implies, as of images that differ. From 75 to 50: PSNR falls by
# 2 dB, SSIM by 0.01, MAE grows by 0.002, MSE by 0.0001.
JPEG_MEANS: dict[int, dict[str, float]] = {
    10: {"mae": 0.016, "mse": 0.00065, "psnr_db": 32.0, "ssim": 0.930},
    25: {"mae": 0.012, "mse": 0.00045, "psnr_db": 36.0, "ssim": 0.960},
    40: {"mae": 0.010, "mse": 0.0004, "psnr_db": 37.5, "ssim": 0.970},
    50: {"mae": 0.009, "mse": 0.00035, "psnr_db": 38.0, "ssim": 0.975},
    60: {"mae": 0.008, "mse": 0.0003, "psnr_db": 39.0, "ssim": 0.980},
    75: {"mae": 0.007, "mse": 0.00025, "psnr_db": 40.0, "ssim": 0.985},
    80: {"mae": 0.006, "mse": 0.00024, "psnr_db": 41.0, "ssim": 0.987},
    90: {"mae": 0.004, "mse": 0.0002, "psnr_db": 43.0, "ssim": 0.992},
}
STEPS = {"mae": 0.002, "mse": 0.0001, "psnr_db": 2.0, "ssim": 0.01}
JPEG_BYTES = {10: 300, 25: 500, 40: 600, 50: 700, 60: 800, 75: 1000, 80: 1200, 90: 2000}
# Other codecs: bytes, and the margin of each metric at a setting. AVIF has JPEG-75's PSNR before it has the rest.
CODECS: dict[tuple[str, int], tuple[int, dict[str, float]]] = {
    ("avif", 50): (400, {"mae": -0.2, "mse": 0.2, "psnr_db": 0.2, "ssim": -0.2}),
    ("avif", 70): (800, dict.fromkeys(STEPS, 0.2)),
    ("webp", 80): (500, dict.fromkeys(STEPS, -0.5)),
    ("webp", 90): (1100, dict.fromkeys(STEPS, 0.1)),
}
APART = 0.02  # steps of MAE by which a trial is better than the one before, so that no two are the same
ENCODE_MS, DECODE_MS, RESTORE_MS = 3.0, 2.0, 40.0
SPREAD = 0.02  # steps by which gains differ from image to image, around the mean of their camera system
N_STEPS = 100  # of an epoch


@dataclass(frozen=True)
class Plan:
    """One trial of a fixture run.

    margins: by input quality, what its margin is to be, in steps from JPEG-75 to JPEG-50 (0: as good as JPEG-75).
    crop_margins: the same in the crop region where it differs; by (quality, metric).
    finalist: has test scores, at every quality in margins; otherwise validation alone.
    """

    spec: TrialSpec
    margins: Mapping[int, float]
    crop_margins: Mapping[tuple[int, str], float]
    status: TrialStatus
    epochs_run: int
    margin: float | None
    finalist: bool
    scored: bool


def plan(
    seed: int = 0,
    margins: Mapping[int, float] | None = None,
    crop_margins: Mapping[tuple[int, str], float] | None = None,
    status: TrialStatus = TrialStatus.COMPLETED,
    finalist: bool = True,
    **fields: Any,
) -> Plan:
    """Plan a trial, by default a finalist that reaches JPEG-75 from quality 50 up; fields: of TrialSpec and Plan."""
    own = {name: fields.pop(name) for name in ("epochs_run", "margin", "scored") if name in fields}
    settings = {"architecture": "jjnet", "epochs": 3, "seed": seed, **fields}
    spec = RecordedSpec(**settings) if settings["architecture"] == LINEAR else TrialSpec(**settings)
    reached = margins or {10: -3.0, 25: -1.5, 40: -0.5, 50: 0.1, 60: 0.4, 75: 0.6, 80: 0.65, 90: 0.7}
    defaults: dict[str, Any] = {"epochs_run": spec.epochs, "margin": -1.5, "scored": True}
    return Plan(spec, reached, crop_margins or {}, status, finalist=finalist, **defaults | own)


def write_run(path: Path, plans: Sequence[Plan] = (), n_images: int = 4, baseline: bool = True, **facts: Any) -> Path:
    """Write a run directory with these trials, n_images on each split, and JPEG as it is unless told otherwise."""
    (path / "scores").mkdir(parents=True)
    (path / RUN_FACTS).write_text(json.dumps(run_facts(n_images, len(plans)) | facts))
    if baseline:
        append_line(path / RECORDS, TrialRecord(BASELINE, TrialStatus.COMPLETED, 0, -3.0, 0.0, -3.0, 1.0).to_json())
        write_scores(path, BASELINE.trial_id, baseline_scores(n_images))
    for place, item in enumerate(plans):
        append_line(path / RECORDS, record_of(item).to_json())
        if item.scored:
            scores = trial_scores(item, n_images)
            scores["mae"] -= place * APART * STEPS["mae"]
            write_scores(path, item.spec.trial_id, scores)
            write_samples(path, item.spec.trial_id, item.spec.seed)
    write_images(path, n_images)
    if baseline:
        write_codecs(path, CODECS, n_images)
        write_gallery(path, next((item.spec.trial_id for item in plans if item.finalist), ""))
        write_restoring(path, [item.spec.trial_id for item in plans if item.finalist], n_images)
    return path


def run_facts(n_images: int, n_trials: int) -> dict[str, Any]:
    """Return what the search writes into run.json."""
    return {
        "command": "python search/run.py --space full",
        "space": "full",
        "scale": "demo",
        "seed": 0,
        "reference_quality": 75,
        "scored_qualities": list(SCORED_QUALITIES),
        "n_trials": n_trials,
        "dataset": {
            "path": "packs/smear",
            "fingerprint": "0123abcd",
            "size_px": SIZE_PX,
            "n_images": 4 * n_images,
            "systems": {system: 2 * n_images for system in SYSTEMS},
            "qualities": list(QUALITIES),
            "split": "tiny",
            "subsets": {"train": 2 * n_images, "validation": n_images, "test": 0},
            "scored": {"validation": n_images, "test": n_images},
            "mean_jpeg_bytes": {str(quality): JPEG_BYTES[quality] for quality in QUALITIES},
            "description": "smears drawn for a test",
        },
        "versions": {"keras": "3.15.0"},
        "git_commit": None,
        "left_out": [{"what": "network unet", "why": "it does not fit the card"}],
        "created": "2024-01-02T03:04:05+00:00",
    }


def record_of(item: Plan) -> TrialRecord:
    """Return the record of a planned trial, whose curve rises by a tenth an epoch to its margin."""
    epochs = range(1, item.epochs_run + 1) if item.margin is not None else ()
    margins = {e: (item.margin or 0.0) - (item.epochs_run - e) / 10 for e in epochs}
    rows = [{"epoch": e, "loss": 0.01 / e, "steps": N_STEPS, "margin": margin} for e, margin in margins.items()]
    return TrialRecord(
        spec=item.spec,
        status=item.status,
        epochs_run=item.epochs_run,
        margin=item.margin,
        psnr_gain_db=None if item.margin is None else 0.5,
        input_margin=-3.0,
        seconds=12.5,
        curve=tuple(rows),
        parameters=36179,
        macs_per_pixel=36000,
        error="ValueError: <b>no</b> memory" if item.status is TrialStatus.FAILED else None,
    )


def baseline_scores(n_images: int) -> pd.DataFrame:
    """Return the scores of JPEG as it is: every quality, both splits."""
    return _baseline_scores(n_images).copy()


@cache
def _baseline_scores(n_images: int) -> pd.DataFrame:
    rows = [
        score_rows(JPEG_MEANS[quality], quality, split, region, n_images)
        for split in ("validation", "test")
        for quality in QUALITIES
        for region in REGIONS
    ]
    return pd.concat(rows, ignore_index=True)


def trial_scores(item: Plan, n_images: int) -> pd.DataFrame:
    """Return the scores of a planned trial: validation at three qualities, test at all of its own if a finalist."""
    margins, crop_margins = (tuple(by_quality.items()) for by_quality in (item.margins, item.crop_margins))
    return _trial_scores(margins, crop_margins, item.finalist, n_images).copy()


@lru_cache(64)
def _trial_scores(
    margins: tuple[tuple[int, float], ...],
    crop_margins: tuple[tuple[int, float], ...],
    finalist: bool,
    n_images: int,
) -> pd.DataFrame:
    item = plan(margins=dict(margins), crop_margins=dict(crop_margins), finalist=finalist)
    wanted = [("validation", quality) for quality in SCORED_QUALITIES if quality in item.margins]
    wanted += [("test", quality) for quality in item.margins] if item.finalist else []
    rows = [
        _spread(score_rows(_trial_means(item, quality, region), quality, split, region, n_images))
        for split, quality in wanted
        for region in REGIONS
    ]
    return pd.concat(rows, ignore_index=True)


def _spread(rows: pd.DataFrame) -> pd.DataFrame:
    sizes = spread_of(rows["image"].tolist())
    return rows.assign(**{metric: rows[metric] + METRIC_DIRECTIONS[metric] * sizes * STEPS[metric] for metric in STEPS})


def spread_of(images: Sequence[int]) -> NDArray[np.float64]:
    """Return how far each image's gain is from the mean of its camera system, in steps: 0 over each system's images."""
    place = (np.asarray(images) - min(images)) // len(SYSTEMS)
    last = place.max() if len(images) % 4 else -1  # an image without a partner, whose gain is the mean
    sizes = SPREAD * (1 + (place // 2) % 3)
    return np.where(place == last, 0.0, np.where(place % 2, -sizes, sizes))


def score_rows(means: Mapping[str, float], quality: int, split: str, region: str, n_images: int) -> pd.DataFrame:
    """Return one row per image whose metrics average to the given means; images differ by a tenth of a step or two."""
    offsets = np.linspace(-0.2, 0.2, n_images) if n_images > 1 else np.zeros(1)
    first = 0 if split == "validation" else n_images
    numbers = np.arange(first, first + n_images)
    table = pd.DataFrame(
        {
            "image": numbers,
            "name": [f"cell {number}" for number in numbers],
            "system": [SYSTEMS[number % 2] for number in numbers],
            "split": split,
            "input_quality": quality,
            "region": region,
            "crop_px": CROP_PX,
            "jpeg_bytes": JPEG_BYTES.get(quality, 0),
        }
    )
    for metric, mean in means.items():
        table[metric] = table[f"{metric}_raw"] = mean + offsets * STEPS[metric]
    return table


def write_scores(path: Path, trial_id: str, scores: pd.DataFrame) -> None:
    """Write the score file of a trial, replacing an earlier one."""
    scores.to_parquet(path / "scores" / f"{trial_id}.parquet", index=False)


def write_samples(path: Path, trial_id: str, seed: int) -> None:
    """Write two sample images: noise that shrinks as the quality grows, half of it restored."""
    rng = np.random.default_rng(seed)
    shape = (2, len(SCORED_QUALITIES), SIZE_PX, SIZE_PX, 3)
    original = rng.integers(60, 200, size=(2, SIZE_PX, SIZE_PX, 3))
    noise = rng.normal(size=shape) * np.array([12, 8, 4])[None, :, None, None, None]
    (path / "samples").mkdir(exist_ok=True)
    np.savez_compressed(
        path / "samples" / f"{trial_id}.npz",
        original=original.astype(np.uint8),
        degraded=np.clip(original[:, None] + noise, 0, 255).astype(np.uint8),
        restored=np.clip(original[:, None] + noise / 2, 0, 255).astype(np.uint8),
        names=np.array(["cell 4", "cell 5"]),
        qualities=np.array(SCORED_QUALITIES),
        kinds=np.array(["fixed", "worst"]),
    )


def write_images(path: Path, n_images: int, groups: Mapping[int, int] | None = None) -> None:
    """Write what the search says of its images: scored ones first, then as many to train; each its own field but for
    groups: image -> another of the same field."""
    numbers = range(3 * n_images)
    rows = {
        "image": numbers,
        "group": [(groups or {}).get(number, number) for number in numbers],
        "tiny": [("validation", "", "train")[number // n_images] for number in numbers],
        "data101": [("validation", "test", "train")[number // n_images] for number in numbers],
    }
    pd.DataFrame(rows).to_parquet(path / "images.parquet", index=False)


def write_gallery(path: Path, trial_id: str) -> None:
    """Write the pictures that belong to no trial: a sheet of three, one worst input, two feature maps of it."""
    rng = np.random.default_rng(9)
    pictures = rng.integers(60, 200, size=(6, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
    np.savez_compressed(
        path / "gallery.npz",
        trial_id=trial_id,
        quality=50,
        crop_px=CROP_PX,
        sheet=pictures[:3],
        sheet_names=np.array(["green/1.png", "white/2.png", "green/3.png"]),
        sheet_systems=np.array(["green", "white", "green"]),
        worst_original=pictures[3:4],
        worst_degraded=pictures[4:5],
        worst_names=np.array(["white/4.png"]),
        worst_systems=np.array(["white"]),
        maps=rng.random((3, 4, 4, 2), np.float32),
        map_numbers=np.array([7, 400]),
        **({"worst_restored": pictures[5:]} if trial_id else {}),
    )


def write_codecs(path: Path, codecs: Mapping[tuple[str, int], tuple[int, Mapping[str, float]]], n_images: int) -> None:
    """Write what the search measures of other codecs on its test images, and of JPEG as it is; JPEG XL is not there."""
    tried = {("jpeg", quality): (JPEG_BYTES[quality], JPEG_MEANS[quality]) for quality in QUALITIES}
    tried |= {key: (size, _means_at(margins)) for key, (size, margins) in codecs.items()}
    rows = [
        score_rows(means, setting, "test", region, n_images).assign(codec=codec, file_bytes=size)
        for (codec, setting), (size, means) in tried.items()
        for region in REGIONS
    ]
    lacking = pd.DataFrame([{"codec": "jpeg-xl", "not_run": "no JPEG XL plugin"}])
    measured = pd.concat(rows, ignore_index=True).assign(encode_ms=ENCODE_MS, decode_ms=DECODE_MS)
    table = pd.concat([measured, lacking], ignore_index=True).rename(columns={"input_quality": "setting"})
    table.drop(columns="jpeg_bytes").to_parquet(path / "codecs.parquet", index=False)


def write_restoring(path: Path, trial_ids: Sequence[str], n_images: int) -> None:
    """Write what the search measures of restoring: RESTORE_MS in the mean, on two threads; twice the codecs' times."""
    rows = [
        {"trial_id": trial_id, "image": n_images + number, "restore_ms": spent, "device": "CPU", "n_threads": 2}
        for trial_id in trial_ids
        for number, spent in enumerate((RESTORE_MS - 10, RESTORE_MS + 10))
    ]
    columns = ["trial_id", "image", "restore_ms", "device", "n_threads"]
    table = pd.DataFrame(rows, columns=columns).assign(encode_ms=2 * ENCODE_MS, decode_ms=2 * DECODE_MS)
    table.to_parquet(path / "restoring.parquet", index=False)


def _means_at(margins: Mapping[str, float]) -> dict[str, float]:
    """Return the means that are so far above JPEG-75's, in steps from JPEG-75 to JPEG-50."""
    return {
        metric: JPEG_MEANS[75][metric] + METRIC_DIRECTIONS[metric] * margin * STEPS[metric]
        for metric, margin in margins.items()
    }


def _trial_means(item: Plan, quality: int, region: str) -> dict[str, float]:
    margins = {metric: item.margins[quality] for metric in STEPS}
    if region == "crop":
        margins |= {metric: margin for (where, metric), margin in item.crop_margins.items() if where == quality}
    return _means_at(margins)
