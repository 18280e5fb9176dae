"""Distributions over images of the four metrics: of JPEG as it is, of models, and of what a model changes in an image.

The tables behind all violins: a row per image, place on the x axis, series and metric.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.baseline import baseline_of
from analysis.labels import METRIC_TITLES
from models.names import METRICS
from search.records import TrialRecord

# Shown on a logarithmic axis, as their values span a power of ten or two: an error of 0 has no place on it.
ERRORS = ("mae", "mse")


@dataclass(frozen=True)
class Distribution:
    """Values by place on the x axis and series.

    table: x, series, metric, value; x and series are categories in the order in which they are drawn.
    n_images: different images in it. n_left_out: metric -> values that no axis can show; metrics without are not there.
    """

    table: pd.DataFrame
    n_images: int
    n_left_out: Mapping[str, int]

    def left_out(self) -> str:
        """Say which values are not drawn, empty where all are."""
        if not self.n_left_out:
            return ""
        counts = ", ".join(f"{count} of {METRIC_TITLES[metric]}" for metric, count in self.n_left_out.items())
        return f" Values left out, being not finite or an error of 0 (an image identical to its original): {counts}."


def distribution_of(rows: pd.DataFrame, x: str, series: str, logarithmic: Collection[str] = ERRORS) -> Distribution:
    """Lay rows of scores out as a distribution, x and series being two of their columns.

    Left out are values that are not finite and, of the metrics on a logarithmic axis, those that are not positive.
    """
    parts, n_left_out = [], {}
    places = {"x": _category(rows[x]), "series": _category(rows[series])}
    for metric in METRICS:
        values = rows[metric].to_numpy(np.float64)
        kept = np.isfinite(values) & ((values > 0) if metric in logarithmic else True)
        names = pd.Categorical.from_codes(np.full(len(rows), METRICS.index(metric), np.int8), pd.Index(METRICS))
        parts.append(pd.DataFrame({**places, "metric": names, "value": values})[kept])
        if not kept.all():
            n_left_out[metric] = int((~kept).sum())
    return Distribution(pd.concat(parts, ignore_index=True), rows["image"].nunique(), n_left_out)


def relative_rows(scores: pd.DataFrame, jpeg: TrialRecord, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Turn scores of restored images into what restoring changed: minus those of the JPEG file that was restored.

    Relative reconstruction, section 3.5 of the thesis. Returns the rows whose input has scores, without JPEG as it is,
    and the number of those whose input has none.
    """
    restored = rows[rows["trial_id"] != jpeg.trial_id]
    baseline = baseline_of(scores, [jpeg.trial_id])
    at = baseline.place_qualities(restored["input_quality"]), baseline.place_images(restored)
    known = baseline.known[at]
    with np.errstate(invalid="ignore"):  # inf - inf, where neither side has an error
        changes = {metric: restored[metric].to_numpy(np.float64) - baseline.scores[metric][at] for metric in METRICS}
    return restored.assign(**changes)[known], int((~known).sum())


def _category(column: "pd.Series[Any]") -> "pd.Categorical[Any]":
    """Return words or numbers as categories without unused ones, in the order that a column of categories has."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Categorical(column.cat.remove_unused_categories())
    return pd.Categorical(column)
