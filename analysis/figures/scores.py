"""Figures of means: the quality curve, and quality against bytes beside other codecs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from analysis.cells import average
from analysis.codecs import CODEC, JPEG, RESTORED, title_of
from analysis.decide import Pick
from analysis.figures.style import (
    COLOURS,
    DASHES,
    JPEG_COLOUR,
    MARKERS,
    Compared,
    new_figure,
    shared_rows,
    tidy,
)
from analysis.records import label
from analysis.statistics import on_front
from analysis.strict import StrictPick

PANELS = {"psnr_db": "mean PSNR, dB", "ssim": "mean SSIM"}
# Between the models at one quality, in steps of JPEG quality, so that their intervals stand side by side.
ASIDE = 0.5


def quality_curve(
    scores: pd.DataFrame, shown: Compared, reference_quality: int, groups: Mapping[int, int] | None = None
) -> pd.DataFrame:
    """Average PSNR and SSIM by input quality over the images that what is compared has in common, whole image.

    groups: as in `analysis.cells.average`. Returns place (0 is JPEG as it is), trial_id, label,
    input_quality, metric, mean, low, high (the 95 % interval; NaN where a single image tells of none), n_images and
    n_left_out (infinite PSNR, in no mean).
    """
    rows, _ = shared_rows(scores, shown)
    cells = average(rows[rows["region"] == "full"], [shown.jpeg.trial_id], reference_quality, groups=groups)
    table = cells[cells["metric"].isin(list(PANELS))].copy()
    places = {record.trial_id: place for place, record in enumerate(shown.records)}
    table["place"] = table["trial_id"].map(places)
    table["label"] = table["trial_id"].map({record.trial_id: label(record) for record in shown.records})
    columns = ["place", "trial_id", "label", "input_quality", "metric", "mean", "low", "high", "n_images", "n_left_out"]
    return table.sort_values(["place", "input_quality", "metric"], ignore_index=True)[columns]


def draw_quality_curve(table: pd.DataFrame, pick: Pick, strict: StrictPick, split: str) -> Figure:
    """Draw a `quality_curve` in two panels, with the reference's level as a line, the pick by means as a ring and what
    the strict rule demonstrates as a square."""
    figure = new_figure(10.0, 4.4 + 0.2 * table["place"].nunique())
    for panel, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        own = table[table["metric"] == metric]
        n_places = table["place"].nunique()
        for place, line in own.groupby("place"):
            _draw_line(panel, line, int(str(place)), n_places)
        _draw_reference(panel, own, pick.reference_quality)
        by_means = own[(own["trial_id"] == pick.trial_id) & (own["input_quality"] == pick.quality)]
        _mark(panel, by_means, n_places, "o", f"the pick: quality {pick.quality}")
        demonstrated = own[own["trial_id"].isin(strict.trial_ids) & (own["input_quality"] == strict.quality)]
        _mark(panel, demonstrated, n_places, "s", f"the strict rule's: quality {strict.quality}")
        panel.set(xlabel="JPEG quality of the input", ylabel=title, xticks=sorted(table["input_quality"].unique()))
        panel.tick_params(axis="x", labelsize=9)
        tidy(panel)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=1, frameon=False, fontsize=9)
    n_images = table["n_images"].max()
    figure.suptitle(f"Mean over {n_images} {split} images with its 95 % interval, whole image", fontsize=11)
    return figure


def _aside(place: int, n_places: int) -> float:
    return (place - (n_places - 1) / 2) * ASIDE


def _draw_line(panel: Axes, line: pd.DataFrame, place: int, n_places: int) -> None:
    trained = place - 1
    panel.errorbar(
        line["input_quality"] + _aside(place, n_places),
        line["mean"],
        np.stack([line["mean"] - line["low"], line["high"] - line["mean"]]),
        label=str(line["label"].iloc[0]),
        color=COLOURS[trained] if place else JPEG_COLOUR,
        marker=MARKERS[trained] if place else ".",
        linestyle=DASHES[trained] if place else "--",
        markersize=4.5,
        linewidth=1.2,
        elinewidth=1.0,
        capsize=2,
        zorder=2 if place else 3,
    )


def _draw_reference(panel: Axes, line: pd.DataFrame, quality: int) -> None:
    own = line[(line["place"] == 0) & (line["input_quality"] == quality)]
    for level in own["mean"]:
        panel.axhline(level, color="#666666", linewidth=0.9, linestyle=":", label=f"level of JPEG-{quality}")


def _mark(panel: Axes, rows: pd.DataFrame, n_places: int, marker: str, label: str) -> None:
    if rows.empty:
        return
    x = rows["input_quality"] + (rows["place"] - (n_places - 1) / 2) * ASIDE
    (ring,) = panel.plot(x, rows["mean"], linestyle="none", marker=marker, color="#000000", label=label)
    ring.set(markersize=13 if marker == "o" else 15, markerfacecolor="none", markeredgewidth=1.4)


POINTS = ["name", "kind", "setting", "n_images", "mean_bytes", "psnr_db"]
# JPEG saved otherwise is grey, the order below tells one from another.
GREYS = ("#555555", "#777777", "#999999")
CODEC_COLOURS, RESTORED_COLOURS = COLOURS[2:5], (COLOURS[0], COLOURS[1], COLOURS[5])


def quality_and_bytes(points: pd.DataFrame, restorers: list[str]) -> pd.DataFrame:
    """Choose what to draw of POINTS: JPEG as it is, other codecs, and the restorers named, in this order.

    Returns POINTS and on_front: nothing else takes at most as many bytes at an equal or better mean PSNR.
    """
    shown = points[(points["kind"] != RESTORED) | points["name"].isin(restorers)].copy()
    shown["on_front"] = on_front(shown["mean_bytes"], shown["psnr_db"])
    order = {JPEG: 0, CODEC: 1, RESTORED: 2}
    ranks = {name: rank for rank, name in enumerate(restorers)}
    shown["order"] = shown["kind"].map(order) + shown["name"].map(ranks).fillna(0) / (len(restorers) + 1)
    return shown.sort_values(["order", "name", "setting"], ignore_index=True)[[*POINTS, "on_front"]]


def draw_quality_and_bytes(table: pd.DataFrame, pick: Pick, split: str) -> Figure:
    """Draw `quality_and_bytes`: what is on the front is filled; dotted lines cross at the reference."""
    figure = new_figure(8.6, 5.0 + 0.2 * table["name"].nunique())
    panel = figure.subplots()
    looks = _looks(table)
    numbered = table.drop_duplicates("kind").set_index("kind")["name"].reindex([JPEG, RESTORED])
    for name in looks:
        _draw_points(panel, table[table["name"] == name], looks[name])
    for name in numbered.dropna():
        _number(panel, table[table["name"] == name], looks[name]["color"])
    _draw_crossing(panel, table, pick.reference_quality)
    picked = table[(table["name"] == pick.trial_id) & (table["setting"] == pick.quality)]
    if not picked.empty:
        (ring,) = panel.plot(picked["mean_bytes"], picked["psnr_db"], linestyle="none", marker="o", color="#000000")
        ring.set(markersize=14, markerfacecolor="none", label=f"the pick: quality {pick.quality}")
    panel.set(xscale="log", xlabel="mean bytes of a file", ylabel="mean PSNR, dB")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter("{x:,.0f}")
    panel.xaxis.set_minor_locator(NullLocator())
    panel.margins(y=0.08)
    tidy(panel)
    handles, labels = panel.get_legend_handles_labels()
    n_columns = 1 if max(map(len, labels)) > 60 else 2
    figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=9)
    figure.suptitle(
        f"{table['n_images'].max()} {split} images, whole image; filled: none is smaller and as good", fontsize=11
    )
    return figure


def _draw_points(panel: Axes, line: pd.DataFrame, look: Mapping[str, Any]) -> None:
    title = title_of(str(line["name"].iloc[0]), str(line["kind"].iloc[0]))
    panel.plot(line["mean_bytes"], line["psnr_db"], label=title, markerfacecolor="#ffffff", **look)
    front = line[line["on_front"]]
    panel.plot(front["mean_bytes"], front["psnr_db"], label="_front", **{**look, "linestyle": "none"})


def _number(panel: Axes, line: pd.DataFrame, colour: str) -> None:
    """Write the quality beside each point."""
    for kind, quality, n_bytes, psnr_db in line[["kind", "setting", "mean_bytes", "psnr_db"]].itertuples(index=False):
        offset = (4, -11) if kind == JPEG else (4, 5)
        panel.annotate(str(quality), (n_bytes, psnr_db), offset, textcoords="offset points", fontsize=7, color=colour)


def _draw_crossing(panel: Axes, table: pd.DataFrame, quality: int) -> None:
    own = table[(table["name"] == JPEG) & (table["setting"] == quality)]
    for row in own.itertuples():
        label = f"JPEG-{quality}: above and left of the crossing is smaller and better"
        panel.axhline(float(str(row.psnr_db)), color="#666666", linewidth=0.9, linestyle=":", label=label)
        panel.axvline(float(str(row.mean_bytes)), color="#666666", linewidth=0.9, linestyle=":")


def _looks(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Give each name a colour of its kind, and a dash and a marker of its own within it."""
    looks: dict[str, dict[str, Any]] = {}
    of_kind: dict[str, int] = {}
    for name, kind in table[["name", "kind"]].drop_duplicates().itertuples(index=False, name=None):
        family = "grey" if kind == CODEC and str(name).startswith("jpeg-") and name != "jpeg-xl" else str(kind)
        place = of_kind.get(family, 0)
        of_kind[family] = place + 1
        palette = {JPEG: (JPEG_COLOUR,), "grey": GREYS, CODEC: CODEC_COLOURS, RESTORED: RESTORED_COLOURS}[family]
        shift = {JPEG: 0, "grey": 1, CODEC: 3, RESTORED: 0}[family]
        looks[name] = {
            "color": palette[place % len(palette)],
            "marker": "." if family == JPEG else MARKERS[(place + shift) % len(MARKERS)],
            "linestyle": "-" if family == RESTORED else DASHES[(place + 1) % len(DASHES)],
            "linewidth": 1.8 if family == RESTORED else 1.0,
            "markersize": 8 if family == JPEG else 5,
        }
    return looks
