"""How numbers and reasons are written in tables."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from analysis.decide import METRIC_TITLES
from analysis.records import BASELINE_LABEL
from analysis.study import BASELINE

UNKNOWN, NOT_RUN, NOT_SCORED, TOO_FEW, NOT_TRIED = "unknown", "not run", "not scored", "too few", "\u2013"
FEW = f" ({TOO_FEW})"  # in place of bounds
MEAN, ALL_IDENTICAL = "mean", "all identical"  # what a cell holds
REGION_WORDS = {"full": "whole images", "crop": "centre crops"}
METRIC_DIGITS = {"mae": ".5f", "mse": ".2e", "psnr_db": ".2f", "ssim": ".4f", "mean_kb": ".2f"}
SPREAD_DIGITS = METRIC_DIGITS | {"mse": ".0e"}
GAIN_DIGITS = {"mae": "+.5f", "mse": "+.1e", "psnr_db": "+.2f", "ssim": "+.4f"}


def is_missing(value: Any) -> bool:
    """Say whether a value of a frame is none: None, NaN or NA."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def write_value(value: Any, form: str = "") -> str:
    """Write a value of a frame by a format of Python or one of FORMATS; unknown where there is none."""
    if is_missing(value) or (isinstance(value, float) and math.isinf(value)):
        return UNKNOWN
    return FORMATS[form](value) if form in FORMATS else format(value, form) if form else str(value)


def write_spread(metric: str, mean: float, sd: float, high: float, n: int) -> str:
    """Write a mean, half of its interval and the standard deviation: "40.20 ±0.56 (0.35)".

    No half where there are too few fields for an interval, "one image" where there is no deviation.
    """
    if is_missing(mean):
        return UNKNOWN
    digits = SPREAD_DIGITS[metric]
    half = "" if is_missing(high) else f" ±{high - mean:{digits}}"
    return f"{mean:{METRIC_DIGITS[metric]}}{half}" + (" (one image)" if n == 1 else f" ({sd:{digits}})")


def write_mean(metric: str, mean: float | None) -> str:
    """Write a mean with the digits that its metric deserves."""
    return write_value(mean, METRIC_DIGITS[metric])


def write_bounds(low: float, high: float | None, form: str, without: str = FEW) -> str:
    """Write the bounds of an interval, high None: the lower one alone, to stand behind its estimate: " (+0.1 to +0.3)";
    without: where it has none."""
    if is_missing(low):
        return without
    return f" ({low:{form}})" if high is None else f" ({low:{form}} to {high:{form}})"


FORMATS: Mapping[str, Callable[[Any], str]] = {
    "metric": lambda metric: METRIC_TITLES[metric],
    "region": lambda region: REGION_WORDS[region],
    "system": lambda system: system or "all",
    "percent": lambda value: f"{value:.1f} %",
    "yes or no": lambda holds: "yes" if holds else "no",
    "kept out": lambda out: "kept out" if out else "stays in",
    "under it": lambda under: "under it" if under else "",
    "predicts": lambda added: "what to add" if added else "the image itself",
    "network": lambda name: BASELINE_LABEL if name == BASELINE else name,
}
