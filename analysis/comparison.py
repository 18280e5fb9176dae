"""Every mean beside JPEG-75's and its own input's of the same images: what tables, curve and pick are read from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.baseline import Baseline, baseline_of
from analysis.moments import Cells, Floats, Places, moments
from models.names import METRIC_DIRECTIONS, METRICS

# One unit of margin is what JPEG loses between the reference quality and this one, as in the monitored margin.
STEP_QUALITY = 50
GROUP = ["trial_id", "split", "region", "input_quality"]
MEASURED = (
    *("mean", "sd", "low", "high", "reference_mean", "n_images", "n_left_out", "step", "margin", "reaches"),
    *("change", "change_sd", "change_low", "change_high", "n_changed", "n_improved"),
)


@dataclass(frozen=True)
class _Sides:
    """One metric of N rows: their own, and JPEG's of the same images at three qualities: the reference, STEP_QUALITY
    and the one that entered."""

    own: Floats
    reference: Floats
    lower: Floats
    entered: Floats


@dataclass(frozen=True)
class _Yardstick:
    """JPEG as it is, with the places of two of its qualities: the reference and STEP_QUALITY."""

    baseline: Baseline
    reference: int
    lower: int

    def paired(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Keep the rows whose images have a score at the reference quality; all where no image has one."""
        known = self.baseline.known[self.reference]
        return rows[known[self.baseline.place_images(rows)]] if known.any() else rows

    def sides(self, rows: pd.DataFrame) -> dict[str, _Sides]:
        """Return each metric's sides."""
        images, entered = self.baseline.place_images(rows), self.baseline.place_qualities(rows["input_quality"])
        return {
            metric: _Sides(
                _numbers(rows[metric].to_numpy(np.float64), metric),
                _numbers(jpeg[self.reference, images], metric),
                _numbers(jpeg[self.lower, images], metric),
                _numbers(jpeg[entered, images], metric),
            )
            for metric, jpeg in self.baseline.scores.items()
        }


def compare(
    scores: pd.DataFrame,
    baseline_ids: Collection[str],
    reference_quality: int,
    by_system: bool = False,
    groups: Mapping[int, int] | None = None,
) -> pd.DataFrame:
    """Average every trial's scores, and those of JPEG as it is over the same images.

    scores: as in `analysis.run.Run`; baseline_ids: the trials that are JPEG as it is, one for each split of the run;
    groups: image -> group of images that belong together, for the intervals.
    Returns a row per metric and GROUP, and per system if asked for:
    mean, reference_mean: over the same images; a score that is no number makes its mean NaN. sd, low, high: over
        images, the latter the 95 % interval of the mean; NaN where a single image or group tells of no spread.
    step: the reference's mean minus JPEG-50's, as a size; margin: (mean - reference_mean) / step, signed so that
        positive is better; both NaN where JPEG-50 is missing or equal.
    reaches: the mean is at least as good as the reference's; False where either is NaN.
    n_images: in the mean; n_left_out: images identical to their original on either side, whose PSNR is infinite.
    change, change_sd, change_low, change_high: of restored minus input, image by image (relative reconstruction in the
        thesis' section 3.5); n_changed: images in it; n_improved: those of them that are better than their input.
    """
    baseline = baseline_of(scores, baseline_ids)
    yardstick = _Yardstick(baseline, baseline.place_quality(reference_quality), baseline.place_quality(STEP_QUALITY))
    keys = [*GROUP[1:], *(["system"] if by_system else [])]
    parts = [
        _compare_trial(yardstick.paired(rows), yardstick, keys, groups).assign(trial_id=str(trial_id))
        for trial_id, rows in scores.groupby("trial_id", sort=True, observed=True)
    ]
    columns = ["trial_id", *keys, *MEASURED, "metric"]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    by_metric = np.argsort(pd.Categorical(table["metric"], METRICS).codes, kind="stable")
    return table.iloc[by_metric].reset_index(drop=True)[columns]


def comparison_notes(comparison: pd.DataFrame) -> list[str]:
    """Say which means leave images out, and which are not numbers."""
    notes = []
    short = comparison[comparison["n_left_out"] > 0]
    if not short.empty:
        worst = short.sort_values("n_left_out", ascending=False).iloc[0]
        notes.append(
            f"PSNR means that leave out images identical to their original, whose PSNR is infinite: {len(short)}. "
            f"The most, {worst['n_left_out']}, at quality {worst['input_quality']} of {worst['trial_id']} "
            f"({worst['split']} split, {worst['region']} region); each cell says how many."
        )
    unknown = comparison[~np.isfinite(comparison["mean"].astype(float)) & (comparison["n_images"] > 0)]
    for trial_id in unknown["trial_id"].unique():
        notes.append(f"Some scores of {trial_id} are not finite numbers: those means count as not reaching JPEG.")
    return notes


def _compare_trial(
    rows: pd.DataFrame, yardstick: _Yardstick, keys: list[str], groups: Mapping[int, int] | None
) -> pd.DataFrame:
    by_cell = rows.groupby(keys, sort=True, observed=True)
    cells = Cells(by_cell.ngroups, by_cell.ngroup().to_numpy(np.int64), _clusters(by_cell, rows["image"], groups))
    words = dict.fromkeys(set(keys) - {"input_quality"}, str)
    index = by_cell.size().index.to_frame(index=False).astype(words)
    sides = yardstick.sides(rows)
    return pd.concat(
        [
            pd.DataFrame({**index, **_compare_metric(sides[metric], cells, metric), "metric": metric})
            for metric in METRICS
        ],
        ignore_index=True,
    )


def _compare_metric(sides: _Sides, cells: Cells, metric: str) -> dict[str, NDArray[Any]]:
    direction = METRIC_DIRECTIONS[metric]
    kept = ~(_is_perfect(sides.own) | _is_perfect(sides.reference) | _is_perfect(sides.lower))
    own = moments(sides.own[kept], cells.of(kept))
    reference, lower = (cells.of(kept).mean(side[kept]) for side in (sides.reference, sides.lower))
    step = np.abs(reference - lower)
    step[step == 0] = np.nan
    gain = direction * (own.mean - reference)
    return {
        **{"mean": own.mean, "sd": own.sd, "low": own.low, "high": own.high, "reference_mean": reference},
        **{"n_images": own.n, "n_left_out": cells.count() - own.n},
        **{"step": step, "margin": gain / step, "reaches": gain >= 0},
        **_change(sides, cells, direction),
    }


def _change(sides: _Sides, cells: Cells, direction: int) -> dict[str, NDArray[Any]]:
    kept = ~(_is_perfect(sides.own) | _is_perfect(sides.entered) | np.isnan(sides.entered))
    change, changed = sides.own[kept] - sides.entered[kept], cells.of(kept)
    found = moments(change, changed)
    return {
        **{"change": found.mean, "change_sd": found.sd, "change_low": found.low, "change_high": found.high},
        **{"n_changed": found.n, "n_improved": changed.count(direction * change > 0)},
    }


def _is_perfect(scores: Floats) -> NDArray[np.bool_]:
    """Say which scores are those of an image identical to its original; see `_numbers`."""
    return np.isinf(scores)


def _numbers(scores: Floats, metric: str) -> Floats:
    """Return scores with NaN for whatever is neither a number nor the infinite PSNR of an identical image."""
    is_odd = np.isinf(scores) & ~((scores > 0) & (metric == "psnr_db"))
    return np.where(is_odd, np.nan, scores) if is_odd.any() else scores


def _clusters(by_cell: Any, images: "pd.Series[Any]", groups: Mapping[int, int] | None) -> Places | None:
    """Return a number for each cell and group of images; an image without a group is one of its own."""
    if groups is None:
        return None
    known = images.map(groups)
    named = pd.MultiIndex.from_arrays([by_cell.ngroup(), known.isna(), known.fillna(images)])
    return np.asarray(named.factorize()[0])
