"""Violins: a distribution drawn in a panel for each of the four metrics, one below the other."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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

from analysis.figures.canvas import COLOURS, GRID_COLOUR, HATCHES, new_figure
from analysis.figures.distribution import ERRORS, Distribution
from analysis.labels import BASELINE_LABEL, METRIC_TITLES
from models.names import METRIC_DIRECTIONS, METRICS

JPEG_FILL = "#bbbbbb"
# A violin of more images is drawn from so many quantiles of them, the smallest and the largest value included.
N_QUANTILES = 801
# Of no more, a violin's shape is mostly its smoothing: each image is a point besides.
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

    Where a violin is of few images each is a point besides.
    """
    with warnings.catch_warnings():
        # of an axis whose values are all one, which matplotlib widens as it says
        warnings.filterwarnings("ignore", "Attempting to set identical low and high")
        return _draw(thin(distribution.table), sheet)


def _draw(table: pd.DataFrame, sheet: ViolinSheet) -> Figure:
    series = list(table["series"].cat.categories)
    fills = dict(zip(series, _fills(series), strict=True))
    figure = new_figure(8.6, 8.6 + 0.18 * len(series))
    panels = figure.subplots(len(METRICS), 1, sharex=True)
    for panel, metric in zip(panels, METRICS, strict=True):
        if metric in ERRORS and not sheet.is_change:
            panel.set_yscale("log")
        _draw_metric(panel, table[table["metric"] == metric], fills)
        if metric in sheet.levels:
            panel.axhline(sheet.levels[metric], color="#000000", linewidth=1, linestyle=":")
        if panel.get_yscale() == "log":
            _label_plainly(panel)
        panel.set(xlabel="", ylabel=_value_label(metric, sheet.is_change))
        panel.grid(axis="y", color=GRID_COLOUR, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel(sheet.x_label)
    figure.align_ylabels(panels)
    _draw_legend(figure, fills, sheet)
    points = ", points: images" if _has_few_images(table) else ""
    figure.suptitle(f"{sheet.title}\ndashes: median, dots: quartiles{points}", fontsize=11)
    return figure


def _draw_metric(panel: Axes, table: pd.DataFrame, fills: Mapping[str, str]) -> None:
    shown = {"x": "x", "y": "value", "hue": "series", "hue_order": list(fills), "palette": fills, "legend": False}
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
    if _has_few_images(table):
        grey = {**shown, "palette": dict.fromkeys(fills, "#000000")}
        seaborn.stripplot(table, **grey, dodge=True, jitter=False, size=2.5, ax=panel)


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
