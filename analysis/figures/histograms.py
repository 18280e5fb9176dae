"""Histograms: how often each pixel value occurs in originals, their JPEG pictures and the restored ones."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.colour import N_LEVELS, to_ycbcr
from analysis.figures.canvas import GRID_COLOUR, new_figure
from analysis.figures.tile import FONT_SIZE, SIDES, Pixels
from analysis.samples import Samples

CHANNELS = ("red", "green", "blue", "Y", "Cb", "Cr")


def value_histograms(samples: Samples, names: Sequence[str], quality: int) -> pd.DataFrame:
    """Count pixel values over images, in each of CHANNELS: channel, side, value 0..255, and share of the pixels."""
    versions = [samples.versions(name, quality) for name in names]
    tables = []
    for place, side in enumerate(SIDES):
        channels = _channels(np.stack([version[place] for version in versions]))
        for channel, values in channels.items():
            share = np.bincount(values.ravel(), minlength=N_LEVELS) / values.size
            tables.append(pd.DataFrame({"channel": channel, "side": side, "value": range(N_LEVELS), "share": share}))
    return pd.concat(tables, ignore_index=True)


def draw_value_histograms(table: pd.DataFrame, title: str) -> Figure:
    """Draw `value_histograms`, a panel per channel, on a logarithmic scale; a value that never occurs is a gap."""
    figure = new_figure(10.5, 6.0)
    grid = figure.subplots(2, 3)
    for axes, (channel, rows) in zip(grid.flat, table.groupby("channel", sort=False), strict=True):
        for side, line in rows.groupby("side", sort=False):
            axes.plot(line["value"], line["share"].where(line["share"] > 0), label=side, **SIDES[str(side)])
        axes.set_yscale("log")
        axes.set_title(str(channel), fontsize=FONT_SIZE + 1)
        occurs = rows.loc[rows["share"] > 0, "value"]
        axes.set_xlim(occurs.min() - 1, occurs.max() + 1)
        axes.tick_params(labelsize=FONT_SIZE)
        axes.grid(color=GRID_COLOUR, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("value, 8 bits", fontsize=FONT_SIZE + 1)
    for axes in grid[:, 0]:
        axes.set_ylabel("share of the pixels", fontsize=FONT_SIZE + 1)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


def _channels(pixels: Pixels) -> dict[str, Pixels]:
    converted = np.rint(np.clip(to_ycbcr(pixels), 0, N_LEVELS - 1)).astype(np.uint8)
    return dict(zip(CHANNELS, np.moveaxis(np.concatenate([pixels, converted], axis=-1), -1, 0), strict=True))
