"""Violins: distributions over images of the four metrics, of JPEG as it is, of models, and of what a model changes."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from analysis.cells import baseline_of
from analysis.decide import METRIC_TITLES
from analysis.figures.style import COLOURS, HATCHES, new_figure, tidy
from analysis.records import BASELINE_LABEL
from models.names import METRIC_DIRECTIONS, METRICS
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


JPEG_FILL = "#bbbbbb"
# A violin of more images is drawn from so many quantiles of them, the smallest and the largest value included.
N_QUANTILES = 801
# Of no more, a violin's shape is mostly its smoothing: each image is a point instead.
FEW_IMAGES = 20
LINE_COLOUR = "#444444"


@dataclass(frozen=True)
class ViolinSheet:
    """What stands around violins. title: above; x_label: below.

    levels: metric -> a value to draw as a line through its panel, and level: what that is.
    is_change: the values are differences, on linear axes.
    """

    title: str
    x_label: str
    levels: Mapping[str, float] = field(default_factory=dict)
    level: str = ""
    is_change: bool = False


def thin(table: pd.DataFrame) -> pd.DataFrame:
    """Replace the values of a violin of more than N_QUANTILES images by as many evenly spaced quantiles of them.

    Median, quartiles, ends and shape stay: no image is drawn by lot.
    """
    keys = ["x", "series", "metric"]
    parts = []
    for place, values in table.groupby(keys, observed=True)["value"]:
        drawn = values.to_numpy()
        if len(drawn) > N_QUANTILES:
            drawn = np.quantile(drawn, np.linspace(0, 1, N_QUANTILES))
        parts.append(pd.DataFrame({**dict(zip(keys, place, strict=True)), "value": drawn}))
    thinned = pd.concat([table.iloc[:0], *parts], ignore_index=True)
    return thinned.astype({key: table[key].dtype for key in keys})


def draw_violins(distribution: Distribution, sheet: ViolinSheet) -> Figure:
    """Draw a distribution with quartiles; series stand beside each other, two of them as the halves of a violin.

    Where a violin would be of few images each is a point instead.
    """
    with warnings.catch_warnings():
        # of an axis whose values are all one, which matplotlib widens as it says
        warnings.filterwarnings("ignore", "Attempting to set identical low and high")
        return _draw(thin(distribution.table), sheet)


def _draw(table: pd.DataFrame, sheet: ViolinSheet) -> Figure:
    series = list(table["series"].cat.categories)
    fills = dict(zip(series, _fills(series), strict=True))
    metrics = [metric for metric in METRICS if (table["metric"] == metric).any()]
    figure = new_figure(8.6, 0.6 + 2.0 * len(metrics) + 0.18 * len(series))
    panels = np.atleast_1d(figure.subplots(len(metrics), 1, sharex=True))
    for panel, metric in zip(panels, metrics, strict=True):
        if metric in ERRORS and not sheet.is_change:
            panel.set_yscale("log")
        _draw_metric(panel, table[table["metric"] == metric], fills)
        if metric in sheet.levels:
            panel.axhline(sheet.levels[metric], color="#000000", linewidth=1, linestyle=":")
        if panel.get_yscale() == "log":
            _label_plainly(panel)
        panel.set(xlabel="", ylabel=_value_label(metric, sheet.is_change))
        tidy(panel, "y")
    panels[-1].set_xlabel(sheet.x_label)
    figure.align_ylabels(panels)
    _draw_legend(figure, fills, sheet)
    reading = "points: images" if _has_few_images(table) else "dashes: median, dots: quartiles"
    figure.suptitle(f"{sheet.title}\n{reading}", fontsize=11)
    return figure


def _draw_metric(panel: Axes, table: pd.DataFrame, fills: Mapping[str, str]) -> None:
    shown = {"x": "x", "y": "value", "hue": "series", "hue_order": list(fills), "palette": fills, "legend": False}
    if _has_few_images(table):
        seaborn.stripplot(table, **shown, dodge=len(fills) > 1, jitter=False, size=4, linewidth=0.5, ax=panel)
        return
    seaborn.violinplot(
        table,
        **shown,
        saturation=1,
        split=len(fills) == 2,
        inner="quart",
        cut=0,
        gridsize=64,
        density_norm="width",
        linewidth=0.8,
        ax=panel,
    )
    _hatch(panel, fills)


def _has_few_images(table: pd.DataFrame) -> bool:
    return bool(table.groupby(["x", "series", "metric"], observed=True).size().max() <= FEW_IMAGES)


def _hatch(panel: Axes, fills: Mapping[str, str]) -> None:
    hatches = {to_hex(fill): hatch for fill, hatch in zip(fills.values(), _hatches(fills), strict=True)}
    for body in panel.collections:
        colours = np.atleast_2d(body.get_facecolor())
        if isinstance(body, PolyCollection) and colours.size:
            body.set_hatch(hatches[to_hex(colours[0].tolist())])


def _fills(series: Sequence[str]) -> list[str]:
    """Return a colour for each series, pale enough for lines and hatches to be seen on it."""
    pale = (to_hex((0.6 * np.array(to_rgb(colour)) + 0.4).tolist()) for colour in COLOURS)
    return [JPEG_FILL if name == BASELINE_LABEL else next(pale) for name in series]


def _hatches(series: Mapping[str, str]) -> list[str]:
    hatches = iter(HATCHES)
    return ["" if name == BASELINE_LABEL else next(hatches) for name in series]


def _label_plainly(panel: Axes) -> None:
    """Name values such as 0.005 on a logarithmic axis, more of them where it is short."""
    low, high = panel.get_ylim()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > 5 * low else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_locator(NullLocator())


def _value_label(metric: str, is_change: bool) -> str:
    name = METRIC_TITLES[metric]
    if is_change:
        return f"change of {name}\n{'above' if METRIC_DIRECTIONS[metric] > 0 else 'below'} 0: better"
    return f"{name}\n{'higher' if METRIC_DIRECTIONS[metric] > 0 else 'lower'} is better"


def _draw_legend(figure: Figure, fills: Mapping[str, str], sheet: ViolinSheet) -> None:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=fill, edgecolor=LINE_COLOUR, hatch=hatch, label=name)
        for (name, fill), hatch in zip(fills.items(), _hatches(fills), strict=True)
    ]
    if sheet.levels:
        handles.append(Line2D([], [], color="#000000", linewidth=1, linestyle=":", label=sheet.level))
    longest = max(len(str(handle.get_label())) for handle in handles)
    n_columns = 1 if longest > 40 else min(len(handles), 4)
    figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=9)
