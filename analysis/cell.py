"""What a cell of a table says: a mean with its spread, or why there is none."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from search.spec import TrialStatus

Row = Mapping[Any, Any]  # of a table: column -> value

MEAN = "mean"
# What a cell holds when it holds no mean.
NOT_RUN = "not run"
NOT_SCORED = "not scored"
ALL_IDENTICAL = "all identical"

REACHES = "✓"
FORMATS = {"mae": "{:.5f}", "mse": "{:.2e}", "psnr_db": "{:.2f}", "ssim": "{:.4f}"}
SPREAD_FORMATS = FORMATS | {"mse": "{:.0e}"}
SPREAD = "A cell: the mean ± half of its 95 % interval over images (their standard deviation)."
LEFT_OUT = "(-1): one image is left out, which is identical to its original and so has an infinite PSNR."


def left_out_legend(table: pd.DataFrame) -> tuple[str, ...]:
    """Explain the number of images left out, where a cell of the table has one."""
    return (LEFT_OUT,) if (table["n_left_out"] > 0).any() else ()


def holds(status: str, n_images: int, n_left_out: int) -> str:
    """Say what a cell holds: a mean over images, or why there is none."""
    if n_images:
        return MEAN
    if n_left_out:
        return ALL_IDENTICAL
    return status if status in (TrialStatus.DIVERGED, TrialStatus.FAILED, NOT_RUN) else NOT_SCORED


def show_mean(metric: str, value: float | None) -> str:
    """Write a mean with the digits that its metric deserves."""
    return "unknown" if pd.isna(value) else FORMATS[metric].format(value)


def show_spread(row: Row) -> str:
    """Write the mean of a row of `analysis.comparison.compare` with its spread: "40.20 ±0.56 (0.35)".

    "(-2)" tells that two images are left out of the mean, "(one image)" that there is nothing to tell a spread from.
    """
    left_out = f" (-{row['n_left_out']})" if row["n_left_out"] else ""
    return show_measured(row["metric"], row["mean"], row["sd"], row["high"] - row["mean"]) + left_out


def show_change(row: Row) -> str:
    """Write the change from input to restored with its spread, always signed: "+0.95 ±0.02 (0.30)"."""
    if not row["n_changed"]:
        return "unknown"
    text = show_measured(row["metric"], row["change"], row["change_sd"], row["change_high"] - row["change"])
    return text if text.startswith("-") else f"+{text}"


def show_measured(metric: str, mean: float, sd: float, reach: float) -> str:
    """Write a mean, half of its interval and the standard deviation; what is not a number is left away."""
    if pd.isna(mean):
        return "unknown"
    form = SPREAD_FORMATS[metric]
    half = "" if pd.isna(reach) else f" ±{form.format(reach)}"
    return FORMATS[metric].format(mean) + half + (" (one image)" if pd.isna(sd) else f" ({form.format(sd)})")


def show_signed(value: float | None) -> str:
    """Write a number with its sign, three digits after the point."""
    return "none" if pd.isna(value) else f"{value:+.3f}"


def show_percent(value: float) -> str:
    """Write a percentage."""
    return "unknown" if pd.isna(value) else f"{value:.1f} %"
