"""The same tables as text for people: every cell a string, ready for a page, a Markdown file or a terminal."""

import math
from collections.abc import Sequence

import pandas as pd

from analysis.cell import FORMATS, NOT_SCORED, REACHES, show_mean, show_signed
from analysis.labels import METRIC_TITLES, heading
from analysis.pick import N_REQUIREMENTS
from search.records import TrialRecord
from search.spec import TrialStatus


def show_summary(comparison: pd.DataFrame, records: Sequence[TrialRecord], split: str) -> pd.DataFrame:
    """Lay out one row per quality and one column per record: mean PSNR, mean SSIM, and how many of the 8 means reach.

    PSNR and SSIM are of the full region; the count is over four metrics and both regions.
    """
    on_split = comparison[comparison["split"] == split]
    trained = on_split["trial_id"].isin([record.trial_id for record in records if not record.spec.is_baseline])
    qualities = sorted((on_split[trained] if trained.any() else on_split)["input_quality"].unique(), reverse=True)
    rows = []
    for quality in qualities:
        at_quality = on_split[on_split["input_quality"] == quality]
        row = {"quality": str(quality)}
        row |= {heading(record): _summary_cell(at_quality, record) for record in records}
        rows.append(row)
    return pd.DataFrame(rows)


def show_candidates(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out `analysis.pick.candidates`: every finalist at every quality that could be picked."""
    return pd.DataFrame(
        {
            "quality": table["input_quality"].astype(str),
            "trial": table["trial_id"],
            "means reached": table["n_reached"].map(_reached),
            "smallest margin": table["smallest_margin"].map(show_signed),
            "where": table["region"] + ": " + table["metric"].map(METRIC_TITLES),
            "images": table["n_images"].astype(str),
        }
    )


def show_evidence(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay out the evidence of a pick, a row per region and metric."""
    return pd.DataFrame(
        {
            "region": rows["region"],
            "metric": rows["metric"].map(METRIC_TITLES),
            "restored": [
                _cell(*cell)
                for cell in rows[["metric", "mean", "n_left_out", "reaches"]].itertuples(index=False, name=None)
            ],
            "required": [show_mean(*cell) for cell in zip(rows["metric"], rows["reference_mean"], strict=True)],
            "gain over the required (95 % interval)": [
                _gain(*cell) for cell in rows[["metric", "gain", "gain_low", "gain_high"]].itertuples(index=False)
            ],
            "margin": rows["margin"].map(show_signed),
            "images": rows["n_images"].astype(str),
        }
    )


def _gain(metric: str, gain: float, low: float, high: float) -> str:
    form = FORMATS[metric].replace(":", ":+")
    reach = f"{form.format(low)} to {form.format(high)}" if math.isfinite(low) else "unknown"
    return "unknown" if pd.isna(gain) else f"{form.format(gain)} ({reach})"


def _cell(metric: str, mean: float, n_left_out: int, reaches: bool) -> str:
    left_out = f" (-{n_left_out})" if n_left_out else ""
    return show_mean(metric, mean) + left_out + (f" {REACHES}" if reaches else "")


def _summary_cell(at_quality: pd.DataFrame, record: TrialRecord) -> str:
    rows = at_quality[at_quality["trial_id"] == record.trial_id]
    full = rows[rows["region"] == "full"].set_index("metric")
    if full.empty:
        no_scores = record.status in (TrialStatus.DIVERGED, TrialStatus.FAILED)
        return record.status.value if no_scores else NOT_SCORED
    means = [show_mean(metric, full["mean"][metric]) for metric in ("psnr_db", "ssim")]
    return f"{means[0]} {means[1]} {int(rows['reaches'].sum())}/{N_REQUIREMENTS}"


def _reached(n_reached: int) -> str:
    return f"{n_reached} of {N_REQUIREMENTS}" + (f" {REACHES}" if n_reached == N_REQUIREMENTS else "")
