"""Violins of per-image PSNR by input quality: JPEG as it is beside one trial, on the same images."""

import numpy as np
import pandas as pd
import seaborn
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.figures.canvas import COLOURS, GRID_COLOUR, new_figure
from analysis.labels import BASELINE_LABEL, label
from search.records import TrialRecord

# JPEG as it is, then the trial.
FILLS = ["#bbbbbb", COLOURS[4]]


def psnr_by_quality(
    scores: pd.DataFrame, baseline: TrialRecord, trial: TrialRecord, split: str
) -> tuple[pd.DataFrame, int]:
    """Pair each image's PSNR as JPEG and as restored, full region, at every quality where both were scored.

    Returns a row per image, quality and model (input_quality, image, model, psnr_db), and the number of pairs left out
    because one of the two is not finite.
    """
    rows = scores[(scores["split"] == split) & (scores["region"] == "full")]
    keys = ["input_quality", "image"]
    sides = [
        rows.loc[rows["trial_id"] == record.trial_id, [*keys, "psnr_db"]].rename(columns={"psnr_db": label(record)})
        for record in (baseline, trial)
    ]
    pairs = sides[0].merge(sides[1], on=keys)
    finite = np.isfinite(pairs[[label(baseline), label(trial)]]).all(axis=1)
    table = pairs[finite].melt(id_vars=keys, var_name="model", value_name="psnr_db")
    return table.sort_values(["input_quality", "image", "model"], ignore_index=True), int((~finite).sum())


def draw_psnr_violin(table: pd.DataFrame, n_left_out: int, reference_quality: int, split: str) -> Figure:
    """Draw `psnr_by_quality` with quartiles, and the median of JPEG at the reference quality as a line."""
    figure = new_figure(8.6, 4.8)
    axes = figure.subplots()
    models = sorted(table["model"].unique(), key=lambda model: model != BASELINE_LABEL)
    seaborn.violinplot(
        table,
        x="input_quality",
        y="psnr_db",
        hue="model",
        hue_order=models,
        palette=FILLS,
        split=True,
        inner="quart",
        cut=0,
        density_norm="width",
        linewidth=1,
        legend=False,
        ax=axes,
    )
    handles: list[Artist] = [
        Patch(facecolor=colour, edgecolor="#444444", label=model) for colour, model in zip(FILLS, models, strict=True)
    ]
    is_reference = (table["model"] == BASELINE_LABEL) & (table["input_quality"] == reference_quality)
    if is_reference.any():
        median = table.loc[is_reference, "psnr_db"].median()
        level = f"median of JPEG-{reference_quality}"
        handles.append(axes.axhline(median, color="#666666", linewidth=0.9, linestyle=":", label=level))
    axes.set(xlabel="JPEG quality of the input", ylabel="PSNR of an image, dB")
    axes.grid(axis="y", color=GRID_COLOUR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(handles=handles, loc="outside lower center", ncols=1, frameon=False, fontsize=9)
    left_out = f"; {n_left_out} infinite pairs left out" if n_left_out else ""
    n_images = table["image"].nunique()
    figure.suptitle(f"{n_images} {split} images, whole image, dashes: median, dots: quartiles{left_out}", fontsize=11)
    return figure
