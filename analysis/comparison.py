"""Every mean beside JPEG-75's mean of the same images: the numbers that tables, curve and pick are read from."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from models.names import METRIC_DIRECTIONS, METRICS

# One unit of margin is what JPEG loses between the reference quality and this one, as in the monitored margin.
STEP_QUALITY = 50
GROUP = ["trial_id", "split", "region", "input_quality"]
IMAGE = ["split", "region", "image"]


def compare(scores: pd.DataFrame, baseline_ids: Collection[str], reference_quality: int) -> pd.DataFrame:
    """Average every trial's scores, and the reference's over the same images.

    scores: as in `analysis.run.Run`; baseline_ids: the trials that are JPEG as it is, one for each split of the run.
    Returns a row per GROUP and metric:
    mean, reference_mean: over the same images; a NaN score makes its mean NaN.
    step: the reference's mean minus JPEG-50's, as a size; margin: (mean - reference_mean) / step, signed so that
        positive is better; both NaN where JPEG-50 is missing or equal.
    reaches: the mean is at least as good as the reference's; False where either is NaN.
    n_images: in the mean; n_left_out: images identical to their original on either side, whose PSNR is infinite.
    """
    paired = _pair(scores, baseline_ids, reference_quality)
    return pd.concat([_metric_rows(paired, metric) for metric in METRICS], ignore_index=True)


def _pair(scores: pd.DataFrame, baseline_ids: Collection[str], reference_quality: int) -> pd.DataFrame:
    baseline = scores[scores["trial_id"].isin(baseline_ids)]
    reference = _baseline_scores(baseline, reference_quality, "reference")
    lower = _baseline_scores(baseline, STEP_QUALITY, "lower")
    paired = scores.merge(reference, on=IMAGE, how="left" if reference.empty else "inner")
    return paired.merge(lower, on=IMAGE, how="left")


def _baseline_scores(baseline: pd.DataFrame, quality: int, suffix: str) -> pd.DataFrame:
    rows = baseline.loc[baseline["input_quality"] == quality, [*IMAGE, *METRICS]].drop_duplicates(IMAGE)
    return rows.rename(columns={metric: f"{metric}_{suffix}" for metric in METRICS})


def _metric_rows(paired: pd.DataFrame, metric: str) -> pd.DataFrame:
    direction = METRIC_DIRECTIONS[metric]
    sides = {metric: "mean", f"{metric}_reference": "reference_mean", f"{metric}_lower": "lower_mean"}
    values = paired[[*GROUP, *sides]].rename(columns=sides)
    perfect = (values[list(sides.values())] == direction * np.inf).any(axis=1)
    n_all = values.groupby(GROUP, observed=True).size()
    kept = values[~perfect].groupby(GROUP, observed=True)
    rows = kept.mean(skipna=False).reindex(n_all.index)
    rows["n_images"] = kept.size().reindex(n_all.index, fill_value=0)
    rows["n_left_out"] = n_all - rows["n_images"]
    rows["step"] = (rows["reference_mean"] - rows.pop("lower_mean")).abs().replace(0.0, np.nan)
    gain = direction * (rows["mean"] - rows["reference_mean"])
    rows["margin"] = gain / rows["step"]
    rows["reaches"] = gain >= 0
    words = dict.fromkeys(("trial_id", "split", "region"), str)
    return rows.reset_index().astype(words).assign(metric=metric)


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
