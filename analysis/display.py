"""The same tables as text for people: every cell a string, ready for a page, a Markdown file or a terminal."""

from collections.abc import Sequence

import pandas as pd

from analysis.labels import BASELINE_LABEL, METRIC_TITLES, heading
from analysis.pick import N_REQUIREMENTS
from analysis.tables.quality import MEAN, NOT_SCORED
from models.names import METRICS
from search.records import TrialRecord
from search.spec import TrialStatus

REACHES = "✓"
FORMATS = {"mae": "{:.5f}", "mse": "{:.2e}", "psnr_db": "{:.2f}", "ssim": "{:.4f}"}


def show_quality(table: pd.DataFrame, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Lay a `quality_table` out with a row per quality and metric and a column per record, in that order.

    A cell ends in REACHES where the trial's mean is at least as good as the reference's; "(-2)" tells that two images
    are left out. Qualities at which none of the trained trials was scored are left to the CSV file.
    """
    trained = [record.trial_id for record in records if not record.spec.is_baseline]
    scored = table.loc[table["trial_id"].isin(trained) & (table["holds"] == MEAN), "input_quality"].unique()
    shown = table[table["input_quality"].isin(scored)] if len(scored) else table
    cells = {
        (row["input_quality"], row["metric"], row["trial_id"]): (
            _cell(row["metric"], row["mean"], row["n_left_out"], row["reaches"])
            if row["holds"] == MEAN
            else row["holds"]
        )
        for row in shown.to_dict("records")
    }
    rows = []
    for quality in shown["input_quality"].unique():
        for metric in METRICS:
            row = {"quality": str(quality), "metric": METRIC_TITLES[metric]}
            row |= {heading(record): cells[quality, metric, record.trial_id] for record in records}
            rows.append(row)
    return pd.DataFrame(rows)


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


def show_sizes(table: pd.DataFrame, reference_quality: int) -> pd.DataFrame:
    """Lay a `size_table` out, a row per quality."""
    return pd.DataFrame(
        {
            "quality": table["input_quality"].astype(str),
            "mean size, kB": table["mean_kb"].map("{:.2f}".format),
            f"saved against JPEG-{reference_quality}": table["saved_percent"].map(_percent),
            "saved against raw": table["saved_raw_percent"].map(_percent),
            "images": table["n_images"].astype(str),
        }
    )


def show_trials(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a `trials_table` out with what tells one trial from another; the CSV file holds the whole spec."""
    epochs = [f"{run}/{allowed}" for run, allowed in zip(table["epochs_run"], table["epochs_allowed"], strict=True)]
    return pd.DataFrame(
        {
            "trial": table["trial_id"],
            "status": table["status"],
            "epochs": epochs,
            "margin": table["margin"].map(_signed),
            "its input's": table["input_margin"].map(_signed),
            "PSNR gain, dB": table["psnr_gain_db"].map(_signed),
            "network": table["architecture"].replace("identity", BASELINE_LABEL),
            "loss": table["loss"],
            "activation": table["output_activation"],
            "trained at": table["training_quality"].astype(str),
            "parameters": table["parameters"].map("{:,}".format),
            "seconds": table["seconds"].map("{:.0f}".format),
        }
    )


def show_requirements(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a `requirements_table` out, a row per region."""
    rows = []
    for region, group in table.groupby("region"):
        row = {"region": str(region)}
        row |= {
            METRIC_TITLES[metric]: _mean(metric, mean)
            for metric, mean in zip(group["metric"], group["mean"], strict=True)
        }
        rows.append(row | {"images": str(group["n_images"].min())})
    return pd.DataFrame(rows)


def show_candidates(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out `analysis.pick.candidates`: every finalist at every quality that could be picked."""
    return pd.DataFrame(
        {
            "quality": table["input_quality"].astype(str),
            "trial": table["trial_id"],
            "means reached": table["n_reached"].map(_reached),
            "smallest margin": table["smallest_margin"].map(_signed),
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
            "required": [_mean(*cell) for cell in zip(rows["metric"], rows["reference_mean"], strict=True)],
            "margin": rows["margin"].map(_signed),
            "images": rows["n_images"].astype(str),
        }
    )


def _cell(metric: str, mean: float, n_left_out: int, reaches: bool) -> str:
    left_out = f" (-{n_left_out})" if n_left_out else ""
    return _mean(metric, mean) + left_out + (f" {REACHES}" if reaches else "")


def _summary_cell(at_quality: pd.DataFrame, record: TrialRecord) -> str:
    rows = at_quality[at_quality["trial_id"] == record.trial_id]
    full = rows[rows["region"] == "full"].set_index("metric")
    if full.empty:
        no_scores = record.status in (TrialStatus.DIVERGED, TrialStatus.FAILED)
        return record.status.value if no_scores else NOT_SCORED
    means = [_mean(metric, full["mean"][metric]) for metric in ("psnr_db", "ssim")]
    return f"{means[0]} {means[1]} {int(rows['reaches'].sum())}/{N_REQUIREMENTS}"


def _mean(metric: str, value: float) -> str:
    return "unknown" if pd.isna(value) else FORMATS[metric].format(value)


def _reached(n_reached: int) -> str:
    return f"{n_reached} of {N_REQUIREMENTS}" + (f" {REACHES}" if n_reached == N_REQUIREMENTS else "")


def _signed(value: float | None) -> str:
    return "none" if value is None or pd.isna(value) else f"{value:+.3f}"


def _percent(value: float) -> str:
    return "unknown" if pd.isna(value) else f"{value:.1f} %"
