"""Quality curve: mean PSNR and SSIM by input quality, for JPEG as it is and for the trials shown beside it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.baseline import IMAGE
from analysis.figures.canvas import COLOURS, GRID_COLOUR, JPEG_COLOUR, MARKERS, new_figure
from analysis.labels import label
from analysis.pick import Pick
from search.records import TrialRecord

PANELS = {"psnr_db": "mean PSNR, dB", "ssim": "mean SSIM"}


def quality_curve(scores: pd.DataFrame, records: Sequence[TrialRecord], split: str) -> pd.DataFrame:
    """Average PSNR and SSIM by input quality over the images that all records have in common, full region.

    records: JPEG as it is first, then the trials to show. Images of infinite PSNR are left out of its mean.
    Returns trial_id, label, input_quality, psnr_db, ssim, n_images.
    """
    ids = [record.trial_id for record in records]
    rows = scores[scores["trial_id"].isin(ids) & (scores["split"] == split) & (scores["region"] == "full")]
    owners = rows[[*IMAGE, "trial_id"]].drop_duplicates().groupby(IMAGE).size()
    shared = rows["image"].isin(owners[owners == rows["trial_id"].nunique()].reset_index()["image"])
    finite = rows[shared].replace({"psnr_db": {np.inf: np.nan}})
    grouped = finite.groupby(["trial_id", "input_quality"], observed=True)
    means = grouped[list(PANELS)].mean().join(grouped["image"].nunique().rename("n_images")).reset_index()
    means["trial_id"] = means["trial_id"].astype(str)
    means.insert(1, "label", means["trial_id"].map({record.trial_id: label(record) for record in records}))
    means["order"] = means["trial_id"].map(ids.index)
    return means.sort_values(["order", "input_quality"], ignore_index=True).drop(columns="order")


def draw_quality_curve(table: pd.DataFrame, pick: Pick, split: str) -> Figure:
    """Draw a `quality_curve` in two panels, with the reference's level as a line and the pick as a ring."""
    figure = new_figure(8.6, 4.8)
    axes = figure.subplots(1, len(PANELS))
    for panel, (metric, title) in zip(axes, PANELS.items(), strict=True):
        _draw_lines(panel, table, metric)
        _draw_reference(panel, table, metric, pick.reference_quality)
        _draw_pick(panel, table, metric, pick)
        panel.set_xlabel("JPEG quality of the input")
        panel.set_ylabel(title)
        panel.set_xticks(sorted(table["input_quality"].unique()))
        panel.tick_params(axis="x", labelsize=9)
        panel.grid(color=GRID_COLOUR, linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=1, frameon=False, fontsize=9)
    figure.suptitle(f"Mean over {table['n_images'].max()} {split} images, whole image", fontsize=11)
    return figure


def _draw_lines(panel: Axes, table: pd.DataFrame, metric: str) -> None:
    for index, (name, line) in enumerate(table.groupby("label", sort=False)):
        trained = index - 1
        panel.plot(
            line["input_quality"],
            line[metric],
            label=str(name),
            color=COLOURS[trained] if index else JPEG_COLOUR,
            marker=MARKERS[trained] if index else ".",
            linestyle="-" if index else "--",
            markersize=4.5,
            linewidth=1.3,
            zorder=2 if index else 3,
        )


def _draw_reference(panel: Axes, table: pd.DataFrame, metric: str, quality: int) -> None:
    own = table[(table["trial_id"] == table["trial_id"].iloc[0]) & (table["input_quality"] == quality)]
    for level in own[metric]:
        panel.axhline(level, color="#666666", linewidth=0.9, linestyle=":", label=f"level of JPEG-{quality}")


def _draw_pick(panel: Axes, table: pd.DataFrame, metric: str, pick: Pick) -> None:
    picked = table[(table["trial_id"] == pick.trial_id) & (table["input_quality"] == pick.quality)]
    if picked.empty:
        return
    panel.plot(
        picked["input_quality"],
        picked[metric],
        linestyle="none",
        marker="o",
        markersize=13,
        markerfacecolor="none",
        markeredgecolor="#000000",
        markeredgewidth=1.4,
        label=f"the pick: quality {pick.quality}",
    )
