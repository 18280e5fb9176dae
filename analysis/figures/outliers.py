"""Outliers of relative SSIM: images that restoring serves far worse than others, and their share by camera system."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.style import COLOURS, HATCHES, MARKERS, new_figure, tidy

# Below the lower quartile by so many times the distance between the quartiles: "far out" of Tukey, Exploratory Data
# Analysis (1977). The thesis gives no rule for the 0.4 % that it calls outliers.
FAR_OUT = 3.0
N_POINTS = 500
WIDTH = 0.8  # of the bars of one quality


@dataclass(frozen=True)
class Outliers:
    """images: a row per outlier, worst change first: input_quality, system, image, name, change.

    boxes: a row per quality: median, q1, q3, lowest (of those that are no outliers), highest, fence, n_images,
    n_outliers. shares: a row per quality and system: n_images, n_outliers, share (0..1). n_left_out: changes that are
    not finite, in nothing of this.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame
    shares: pd.DataFrame
    n_left_out: int


def ssim_outliers(changes: pd.DataFrame) -> Outliers:
    """Find the images whose SSIM restoring changes for the worse by far more than that of others, at each quality.

    changes: rows of one trial in one region, as `analysis.figures.violins.relative_rows` returns them.
    """
    named = changes.rename(columns={"ssim": "change"})[["input_quality", "system", "image", "name", "change"]]
    table = named[np.isfinite(named["change"])].astype({"system": str})
    change = table.groupby("input_quality")["change"]
    q1, q3 = change.transform(lambda values: values.quantile(0.25)), change.transform(lambda v: v.quantile(0.75))
    fence = q1 - FAR_OUT * (q3 - q1)
    far_out = table["change"] < fence
    boxes = change.agg(median="median", highest="max", n_images="size").assign(
        q1=q1.groupby(table["input_quality"]).first(),
        q3=q3.groupby(table["input_quality"]).first(),
        fence=fence.groupby(table["input_quality"]).first(),
        lowest=table[~far_out].groupby("input_quality")["change"].min(),
        n_outliers=far_out.groupby(table["input_quality"]).sum(),
    )
    shares = far_out.groupby([table["input_quality"], table["system"]]).agg(n_images="size", n_outliers="sum")
    shares["share"] = shares["n_outliers"] / shares["n_images"]
    worst = table[far_out].sort_values("change", ignore_index=True)
    return Outliers(worst, boxes.reset_index(), shares.reset_index(), len(named) - len(table))


def draw_ssim_outliers(found: Outliers, title: str) -> Figure:
    """Draw `ssim_outliers`: the changes with their outliers, and the share of outliers by camera system."""
    figure = new_figure(10.0, 4.8)
    left, right = figure.subplots(1, 2)
    qualities = found.boxes["input_quality"].tolist()
    systems = sorted(found.shares["system"].unique())
    _draw_boxes(left, found, systems)
    _draw_shares(right, found, systems)
    left.set_ylabel("change of SSIM by restoring\nbelow 0: made worse")
    right.set_ylabel("outliers, % of the system's images")
    for panel in (left, right):
        panel.set_xticks(range(len(qualities)), [str(quality) for quality in qualities])
        panel.set_xlabel("JPEG quality of the input")
        tidy(panel, "y")
    handles: list[Any] = [_handle(place) for place in range(len(systems))]
    beside = {tuple: HandlerTuple(ndivide=None)}
    figure.legend(handles, systems, handler_map=beside, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def _handle(place: int) -> tuple[Line2D, Patch]:
    points = Line2D([], [], linestyle="none", markerfacecolor="none", marker=_of(MARKERS, place), color=_colour(place))
    return points, Patch(facecolor=_colour(place), hatch=_of(HATCHES, place), edgecolor="#444444")


def _draw_boxes(panel: Axes, found: Outliers, systems: list[str]) -> None:
    drawn: list[dict[str, Any]] = [
        {"med": row.median, "q1": row.q1, "q3": row.q3, "whislo": row.lowest, "whishi": row.highest, "fliers": []}
        for row in found.boxes.itertuples()
    ]
    panel.bxp(drawn, positions=range(len(drawn)), widths=0.5, showfliers=False, medianprops={"color": "#000000"})
    panel.axhline(0, color="#000000", linewidth=1, linestyle=":")
    at = {quality: place for place, quality in enumerate(found.boxes["input_quality"])}
    for place, system in enumerate(systems):
        own = found.images[found.images["system"] == system]
        x = own["input_quality"].map(at) + (place - (len(systems) - 1) / 2) * 0.12
        (points,) = panel.plot(x, own["change"], linestyle="none", marker=_of(MARKERS, place), color=_colour(place))
        points.set(markersize=4, markerfacecolor="none")
        points.set_rasterized(len(own) > N_POINTS)


def _draw_shares(panel: Axes, found: Outliers, systems: list[str]) -> None:
    width = WIDTH / len(systems)
    for place, system in enumerate(systems):
        own = found.shares[found.shares["system"] == system].set_index("input_quality")
        own = own.reindex(found.boxes["input_quality"])
        x = np.arange(len(own)) + (place - (len(systems) - 1) / 2) * width
        shares, hatch = 100 * own["share"].fillna(0), _of(HATCHES, place)
        bars = panel.bar(x, shares, width, linewidth=0.6, color=_colour(place), hatch=hatch, edgecolor="#444444")
        counts = ["" if np.isnan(n) else f"{k:.0f}/{n:.0f}" for k, n in own[["n_outliers", "n_images"]].to_numpy(float)]
        panel.bar_label(bars, counts, fontsize=7, rotation=90, padding=2)
    panel.margins(y=0.25)
    panel.set_ylim(bottom=0, top=max(panel.get_ylim()[1], 1.0))


def _colour(place: int) -> str:
    return _of(COLOURS, place)


def _of(choices: tuple[str, ...], place: int) -> str:
    return choices[place % len(choices)]
