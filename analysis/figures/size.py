"""Quality and bytes: mean PSNR by mean file size, for JPEG as it is, restored, and for other codecs where tried."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from analysis.figures.canvas import COLOURS, DASHES, GRID_COLOUR, JPEG_COLOUR, MARKERS, new_figure
from analysis.figures.front import on_front
from analysis.figures.lineup import Lineup, shared_rows
from analysis.pick import Pick
from analysis.rivals import CODEC, JPEG, RESTORED, title_of

POINTS = ["name", "kind", "setting", "n_images", "mean_bytes", "psnr_db"]
# JPEG saved otherwise is grey, the order below tells one from another.
GREYS = ("#555555", "#777777", "#999999")
CODEC_COLOURS, RESTORED_COLOURS = COLOURS[2:5], (COLOURS[0], COLOURS[1], COLOURS[5])


def points_of_scores(scores: pd.DataFrame, lineup: Lineup) -> pd.DataFrame:
    """Average bytes and PSNR of JPEG as it is and of restored images at each quality, whole image, as POINTS.

    Over the images that the line-up has in common; those of infinite PSNR are left out of both means.
    """
    rows, _ = shared_rows(scores, lineup)
    whole = rows[(rows["region"] == "full") & np.isfinite(rows["psnr_db"])]
    grouped = whole.groupby(["trial_id", "input_quality"], observed=True)
    table = grouped.agg(n_images=("image", "size"), mean_bytes=("jpeg_bytes", "mean"), psnr_db=("psnr_db", "mean"))
    table = table.reset_index().rename(columns={"input_quality": "setting"})
    is_jpeg = table["trial_id"] == lineup.jpeg.trial_id
    table["name"] = table["trial_id"].astype(str).where(~is_jpeg, JPEG)
    table["kind"] = np.where(is_jpeg, JPEG, RESTORED)
    points: pd.DataFrame = table[POINTS]
    return points


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
        _draw_line(panel, table[table["name"] == name], looks[name])
    for name in numbered.dropna():
        _number(panel, table[table["name"] == name], looks[name]["color"])
    _draw_reference(panel, table, pick.reference_quality)
    picked = table[(table["name"] == pick.trial_id) & (table["setting"] == pick.quality)]
    if not picked.empty:
        (ring,) = panel.plot(picked["mean_bytes"], picked["psnr_db"], linestyle="none", marker="o", color="#000000")
        ring.set(markersize=14, markerfacecolor="none", label=f"the pick: quality {pick.quality}")
    panel.set(xscale="log", xlabel="mean bytes of a file", ylabel="mean PSNR, dB")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter("{x:,.0f}")
    panel.xaxis.set_minor_locator(NullLocator())
    panel.margins(y=0.08)
    panel.grid(color=GRID_COLOUR, linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panel.get_legend_handles_labels()
    n_columns = 1 if max(map(len, labels)) > 60 else 2
    figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=9)
    figure.suptitle(
        f"{table['n_images'].max()} {split} images, whole image; filled: none is smaller and as good", fontsize=11
    )
    return figure


def _draw_line(panel: Axes, line: pd.DataFrame, look: Mapping[str, Any]) -> None:
    row = line.iloc[0].to_dict()
    panel.plot(line["mean_bytes"], line["psnr_db"], label=title_of(row), markerfacecolor="#ffffff", **look)
    front = line[line["on_front"]]
    panel.plot(front["mean_bytes"], front["psnr_db"], label="_front", **{**look, "linestyle": "none"})


def _number(panel: Axes, line: pd.DataFrame, colour: str) -> None:
    """Write the quality beside each point."""
    for kind, quality, n_bytes, psnr_db in line[["kind", "setting", "mean_bytes", "psnr_db"]].itertuples(index=False):
        offset = (4, -11) if kind == JPEG else (4, 5)
        panel.annotate(str(quality), (n_bytes, psnr_db), offset, textcoords="offset points", fontsize=7, color=colour)


def _draw_reference(panel: Axes, table: pd.DataFrame, quality: int) -> None:
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
