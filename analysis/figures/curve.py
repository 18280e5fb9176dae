"""Quality curve: mean PSNR and SSIM with intervals by input quality, for JPEG as it is and the trials beside it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.comparison import compare
from analysis.figures.canvas import COLOURS, DASHES, GRID_COLOUR, JPEG_COLOUR, MARKERS, new_figure
from analysis.figures.lineup import Lineup, shared_rows
from analysis.labels import label
from analysis.pick import Pick
from analysis.strict import StrictPick

PANELS = {"psnr_db": "mean PSNR, dB", "ssim": "mean SSIM"}
# Between the models at one quality, in steps of JPEG quality, so that their intervals stand side by side.
ASIDE = 0.5


def quality_curve(
    scores: pd.DataFrame, lineup: Lineup, reference_quality: int, groups: Mapping[int, int] | None = None
) -> pd.DataFrame:
    """Average PSNR and SSIM by input quality over the images that a line-up has in common, whole image.

    groups: as in `analysis.comparison.compare`. Returns place (in the line-up, 0 is JPEG as it is), trial_id, label,
    input_quality, metric, mean, low, high (the 95 % interval; NaN where a single image tells of none), n_images and
    n_left_out (infinite PSNR, in no mean).
    """
    rows, _ = shared_rows(scores, lineup)
    cells = compare(rows[rows["region"] == "full"], [lineup.jpeg.trial_id], reference_quality, groups=groups)
    table = cells[cells["metric"].isin(list(PANELS))].copy()
    places = {record.trial_id: place for place, record in enumerate(lineup.records)}
    table["place"] = table["trial_id"].map(places)
    table["label"] = table["trial_id"].map({record.trial_id: label(record) for record in lineup.records})
    columns = ["place", "trial_id", "label", "input_quality", "metric", "mean", "low", "high", "n_images", "n_left_out"]
    return table.sort_values(["place", "input_quality", "metric"], ignore_index=True)[columns]


def draw_quality_curve(table: pd.DataFrame, pick: Pick, strict: StrictPick, split: str) -> Figure:
    """Draw a `quality_curve` in two panels, with the reference's level as a line, the pick by means as a ring and what
    the strict rule shows as a square."""
    figure = new_figure(10.0, 4.4 + 0.2 * table["place"].nunique())
    for panel, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        own = table[table["metric"] == metric]
        n_places = table["place"].nunique()
        for place, line in own.groupby("place"):
            _draw_line(panel, line, int(str(place)), n_places)
        _draw_reference(panel, own, pick.reference_quality)
        by_means = own[(own["trial_id"] == pick.trial_id) & (own["input_quality"] == pick.quality)]
        _mark(panel, by_means, n_places, "o", f"the pick: quality {pick.quality}")
        shown = own[own["trial_id"].isin(strict.trial_ids) & (own["input_quality"] == strict.quality)]
        _mark(panel, shown, n_places, "s", f"the strict rule's: quality {strict.quality}")
        panel.set(xlabel="JPEG quality of the input", ylabel=title, xticks=sorted(table["input_quality"].unique()))
        panel.tick_params(axis="x", labelsize=9)
        panel.grid(color=GRID_COLOUR, linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
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
