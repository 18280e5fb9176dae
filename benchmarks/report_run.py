"""A large run made of numpy, in the files that a search writes: what benchmarks/report.py reports on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.names import METRIC_DIRECTIONS, REGIONS, WEIGHTED_LOSSES
from search.records import RECORDS, RUN_FACTS, TrialRecord
from search.space.spaces import SPACES
from search.space.spec import BASELINE, TrialSpec, TrialStatus

QUALITIES = (5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 80, 90)
SUBSETS = ("validation", "test")
SYSTEMS = ("green", "white", "yellow")
SIZE_PX, CROP_PX = 360, 192
# Of twenty trials that were scored; failed ones come on top, as they have no scores.
STATUSES = (
    *(TrialStatus.STOPPED,) * 11,
    *(TrialStatus.COMPLETED,) * 7,
    TrialStatus.DEAD,
    TrialStatus.DIVERGED,
)
N_FAILED = 6
N_RIVAL_IMAGES, CODECS = 256, ("jpeg", "jpeg-optimised", "jpeg-progressive", "jpeg-444", "webp", "avif")
N_SAMPLED, SAMPLED_QUALITIES = 8, (25, 50, 75)  # trials with sample pictures
ERROR_SIZES = {"mae": 0.007, "mse": 0.0001}  # of JPEG-75, at 40 dB


@dataclass(frozen=True)
class Size:
    """How large the run is: trials with scores, images of either subset."""

    n_trials: int
    n_images: int

    @property
    def n_rows(self) -> int:
        """The rows of a score file."""
        return self.n_images * len(SUBSETS) * len(REGIONS) * len(QUALITIES)


@dataclass(frozen=True)
class Photographs:
    """The images of a run. image: int [2 N], validation's first; hardness_db: [2 N], how far above or below the mean
    their PSNR is; jpeg_bytes: [2 N, qualities]."""

    image: NDArray[np.int64]
    hardness_db: NDArray[np.float64]
    jpeg_bytes: NDArray[np.int64]


def write_large_run(path: Path, size: Size, seed: int = 0) -> None:
    """Write a run of so many trials, every one a finalist: the same files, columns and types as the search's own."""
    rng = np.random.default_rng(seed)
    for folder in ("scores", "samples"):
        (path / folder).mkdir(parents=True)
    photographs = _photographs(size.n_images, rng)
    specs = _specs(size.n_trials + N_FAILED)
    records = [TrialRecord(BASELINE, TrialStatus.COMPLETED, 0, -1.5, 0.0, -1.5, 0.0, device="CPU")]
    _write_scores(path, BASELINE.trial_id, _score_rows(photographs, np.zeros(len(QUALITIES)), 0.0, rng))
    for number, spec in enumerate(specs[: size.n_trials]):
        status = STATUSES[number % len(STATUSES)]
        gain_db = 0.0 if status is TrialStatus.DEAD else float(rng.normal(0.6, 0.5))
        loss_db = 14.0 if status is TrialStatus.DIVERGED else 0.0
        gains = (gain_db - loss_db) * np.linspace(1.2, 0.5, len(QUALITIES))
        _write_scores(path, spec.trial_id, _score_rows(photographs, gains, 0.0 if gain_db == 0 else 0.15, rng))
        records.append(_record(spec, status, gain_db, rng))
        if number < N_SAMPLED:
            _write_samples(path, spec.trial_id, rng)
    records += [_record(spec, TrialStatus.FAILED, 0.0, rng) for spec in specs[size.n_trials :]]
    _write_rivals(path, photographs, [spec.trial_id for spec in specs[: size.n_trials]], rng)
    (path / RECORDS).write_text("".join(record.to_json() + "\n" for record in records))
    (path / RUN_FACTS).write_text(json.dumps(_facts(size, len(specs), photographs)))


def _photographs(n_images: int, rng: np.random.Generator) -> Photographs:
    n = n_images * len(SUBSETS)
    hardness_db = rng.normal(0, 1.5, n)
    bytes_at = 10000 * (np.array(QUALITIES) / 75) ** 0.7
    jpeg_bytes = bytes_at * np.exp(-hardness_db / 10 + rng.normal(0, 0.05, n))[:, None]
    return Photographs(np.arange(n), hardness_db, jpeg_bytes.astype(np.int64))


def _specs(n_specs: int) -> list[TrialSpec]:
    """Return the cells of space full, then the same with other learning rates, as Optuna draws them."""
    cells = [cell for cell in SPACES["full"].first_parameters() if cell["loss"] != "perceptual"]
    fixed = {"split": "data100", "epochs": 90, "start": "near_identity"}
    specs = []
    for place in range(n_specs):
        cell, learning_rate = cells[place % len(cells)], 1e-3 / 2 ** (place // len(cells))
        weight = 2.0 if cell["loss"] in WEIGHTED_LOSSES else None
        specs.append(TrialSpec(**cell, **fixed, ssim_weight=weight, learning_rate=learning_rate))
    return specs


def _score_rows(
    photographs: Photographs, gains_db: NDArray[np.float64], spread_db: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Return a trial's rows, images x qualities x regions, whose PSNR is so far above JPEG's at each quality."""
    n, n_qualities, n_regions = len(photographs.image), len(QUALITIES), len(REGIONS)
    shape = (n, n_qualities, n_regions)
    jpeg_db = 40 + 11 * np.log10(np.array(QUALITIES) / 75)
    psnr_db = (
        photographs.hardness_db[:, None, None] + (jpeg_db + gains_db)[None, :, None] + rng.normal(0, spread_db, shape)
    )
    psnr_db = psnr_db + np.array([-0.5, 0.0])  # the centre, where the cell is, is harder
    error = 10 ** (-(psnr_db - 40) / 20)
    frame = pd.DataFrame(
        {
            "split": np.repeat(np.repeat(SUBSETS, n // 2), n_qualities * n_regions),
            "image": np.repeat(photographs.image, n_qualities * n_regions),
            "system": np.repeat(np.array(SYSTEMS)[photographs.image % len(SYSTEMS)], n_qualities * n_regions),
            "input_quality": np.tile(np.repeat(QUALITIES, n_regions), n),
            "jpeg_bytes": np.repeat(photographs.jpeg_bytes.ravel(), n_regions),
            "crop_px": CROP_PX,
            "region": np.tile(REGIONS, n * n_qualities),
            "mae": (ERROR_SIZES["mae"] * error).ravel(),
            "mse": (ERROR_SIZES["mse"] * error**2).ravel(),
            "psnr_db": psnr_db.ravel(),
            "ssim": (1 - 0.02 * error**1.5).clip(0).ravel(),
            "worst_window_psnr_db": psnr_db.ravel() - 4,
        }
    )
    frame.insert(2, "name", frame["system"] + "/cell-" + frame["image"].astype(str).str.zfill(5) + ".png")
    return frame.assign(**{f"{name}_raw": frame[name] for name in (*METRIC_DIRECTIONS, "worst_window_psnr_db")})


def _write_scores(path: Path, trial_id: str, rows: pd.DataFrame) -> None:
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path / "scores" / f"{trial_id}.parquet")


def _write_rivals(path: Path, photographs: Photographs, trial_ids: list[str], rng: np.random.Generator) -> None:
    """Write what other codecs need on some test images, each less than the one before, and how long restoring takes."""
    parts = []
    for place, codec in enumerate(CODECS):
        rows = _score_rows(photographs, np.full(len(QUALITIES), 0.3 * place), 0.05 * place, rng)
        tested = rows[rows["image"].between(first := len(photographs.image) // 2, first + N_RIVAL_IMAGES - 1)]
        parts.append(
            tested.rename(columns={"input_quality": "setting", "jpeg_bytes": "file_bytes"}).assign(codec=codec)
        )
    table = pd.concat(parts, ignore_index=True).assign(encode_ms=3.0, decode_ms=2.0, not_run=None)
    table.to_parquet(path / "codecs.parquet", index=False)
    restoring = pd.DataFrame({"trial_id": np.repeat(trial_ids, 8), "image": np.tile(np.arange(8), len(trial_ids))})
    restoring.assign(restore_ms=40.0, device="CPU", n_threads=2).to_parquet(path / "restoring.parquet", index=False)


def _record(spec: TrialSpec, status: TrialStatus, gain_db: float, rng: np.random.Generator) -> TrialRecord:
    epochs_run = {TrialStatus.COMPLETED: spec.epochs, TrialStatus.FAILED: 0}.get(status, 10)
    row = {"steps": 4000, "batch_size": spec.batch_size, "seconds": 60.0}
    curve = tuple(
        {
            **{"epoch": epoch, "loss": 1e-4 * (1 + 3 / epoch), "validation_loss": 1e-4 * (1.2 + 3 / epoch)},
            **{"margin": -1.5 + 0.4 * gain_db * epoch / spec.epochs, "psnr_gain_db": gain_db * epoch / spec.epochs},
            **row,
        }
        for epoch in range(1, epochs_run + 1)
    )
    ended = status not in (TrialStatus.FAILED, TrialStatus.DIVERGED)
    return TrialRecord(
        spec=spec,
        status=status,
        epochs_run=epochs_run,
        margin=-1.5 + 0.4 * gain_db if ended else None,
        psnr_gain_db=gain_db if ended else None,
        input_margin=-1.5,
        seconds=60.0 * epochs_run,
        curve=curve,
        parameters=int(rng.integers(30_000, 2_000_000)),
        macs_per_pixel=int(rng.integers(30_000, 500_000)),
        node="benchmark",
        device="CPU",
        dataset_fingerprint="benchmark",
        error="ResourceExhaustedError: no memory" if status is TrialStatus.FAILED else None,
    )


def _write_samples(path: Path, trial_id: str, rng: np.random.Generator) -> None:
    original = rng.integers(40, 215, (3, SIZE_PX // 8, SIZE_PX // 8, 3)).repeat(8, 1).repeat(8, 2)
    noise = (
        rng.normal(0, 1, (3, len(SAMPLED_QUALITIES), SIZE_PX, SIZE_PX, 3)) * np.array([6, 4, 3])[:, None, None, None]
    )
    pictures = {"degraded": original[:, None] + noise, "restored": original[:, None] + noise / 2}
    np.savez_compressed(
        path / "samples" / f"{trial_id}.npz",
        original=original.astype(np.uint8),
        **{name: np.clip(picture, 0, 255).astype(np.uint8) for name, picture in pictures.items()},
        names=np.array([f"{SYSTEMS[image]}/cell-0000{image}.png" for image in range(3)]),
        qualities=np.array(SAMPLED_QUALITIES),
        kinds=np.array(["fixed", "fixed", "worst"]),
    )


def _facts(size: Size, n_trials: int, photographs: Photographs) -> Mapping[str, Any]:
    means = photographs.jpeg_bytes.mean(axis=0)
    return {
        **{"command": "benchmarks/report.py", "space": "full", "scale": "full", "seed": 0, "n_trials": n_trials},
        **{"reference_quality": 75, "scored_qualities": [25, 50, 75]},
        "space_definition": SPACES["full"].as_facts(),
        "dataset": {
            **{"path": "nowhere", "fingerprint": "benchmark", "description": "made of numpy", "size_px": SIZE_PX},
            **{"n_images": 10 * size.n_images, "split": "data100", "qualities": list(QUALITIES)},
            "systems": dict.fromkeys(SYSTEMS, 10 * size.n_images // len(SYSTEMS)),
            "subsets": {"train": 8 * size.n_images, **dict.fromkeys(SUBSETS, size.n_images)},
            "scored": dict.fromkeys(SUBSETS, size.n_images),
            "mean_jpeg_bytes": {str(q): float(mean) for q, mean in zip(QUALITIES, means, strict=True)},
        },
        "versions": {"python": "3.11"},
        "git_commit": None,
        "left_out": [{"what": "perceptual", "why": "no VGG16 weights"}],
        "created": "2026-01-02T03:04:05+0000",
    }
