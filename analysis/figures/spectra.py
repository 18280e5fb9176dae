"""Spectra and histograms: at which scales images hold detail, and how often each pixel value occurs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.pixels import FONT_SIZE, N_LEVELS, SIDES, Pixels, to_luma, to_ycbcr
from analysis.figures.style import new_figure, tidy
from analysis.pictures import Samples

BLOCK_PX = 8


def radial_spectrum(plane: NDArray[np.float64]) -> pd.DataFrame:
    """Average the power of a picture [H, W] over rings of equal frequency, whatever the direction.

    Returns frequency, cycles per pixel, in steps of one period over the shorter side; power, the mean over the ring of
    the squared amplitude; n, its number of frequencies. The sum of power * n is the mean square of the picture
    (Parseval); frequency 0 is its mean, squared.
    """
    power = np.square(np.abs(np.fft.fft2(plane) / plane.size))
    rows, columns = (np.fft.fftfreq(side) for side in plane.shape)
    side_px = min(plane.shape)
    ring = np.rint(np.hypot(rows[:, None], columns[None, :]) * side_px).astype(int).ravel()
    n = np.bincount(ring)
    table = pd.DataFrame({"frequency": np.arange(len(n)) / side_px, "n": n})
    table["power"] = np.bincount(ring, power.ravel()) / np.maximum(n, 1)
    return table[table["n"] > 0].reset_index(drop=True)


def windowed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take a picture's mean from it and let it fade to its borders, whose jump would be seen at every frequency.

    Hann's window in both directions, scaled to a mean square of 1, so that even noise keeps its power.
    """
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in plane.shape))
    faded: NDArray[np.float64] = (plane - plane.mean()) * window / np.sqrt(np.mean(np.square(window)))
    return faded


def mean_spectra(samples: Samples, names: Sequence[str], quality: int) -> pd.DataFrame:
    """Average the spectra of luma over images: frequency, then original, degraded, restored, lost and left.

    lost and left are the errors of the JPEG picture and of the restored one. Only frequencies of 0 < f <= 1/2, where
    every direction has some.
    """
    spectra = []
    for name in names:
        original, degraded, restored = (to_luma(version) for version in samples.versions(name, quality))
        planes = {"original": original, "degraded": degraded, "restored": restored}
        planes |= {"lost": original - degraded, "left": original - restored}
        rings = {side: radial_spectrum(windowed(plane)).set_index("frequency") for side, plane in planes.items()}
        spectra.append(pd.DataFrame({side: table["power"] for side, table in rings.items()}))
    table = sum(spectra[1:], start=spectra[0]) / len(spectra)
    return table[(table.index > 0) & (table.index <= 0.5)].reset_index()


def draw_spectra(table: pd.DataFrame, title: str) -> Figure:
    """Draw `mean_spectra`: the pictures on the left, their errors on the right."""
    figure = new_figure(10.5, 4.4)
    pictures, errors = figure.subplots(1, 2)
    _draw(pictures, table, {"original": "original", "degraded": "JPEG", "restored": "restored"})
    _draw(errors, table, {"lost": "JPEG", "left": "restored"})
    pictures.set_title("the pictures", fontsize=FONT_SIZE + 1)
    errors.set_title("their errors: the original minus each", fontsize=FONT_SIZE + 1)
    pictures.set_ylabel("mean power of luma, squared steps of 8 bits", fontsize=FONT_SIZE + 1)
    figure.legend(*pictures.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


def _draw(axes: Axes, table: pd.DataFrame, sides: dict[str, str]) -> None:
    for column, side in sides.items():
        axes.plot(table["frequency"], table[column].where(table[column] > 0), label=side, **SIDES[side])
    if (table[list(sides)] > 0).any(axis=None):
        axes.set_yscale("log")
    ticks = np.arange(0, 5) / BLOCK_PX
    axes.set_xticks(ticks, ["0", "1/8", "1/4", "3/8", "1/2"])
    axes.set_xlim(0, 0.5)
    axes.set_xlabel("frequency, cycles per pixel", fontsize=FONT_SIZE + 1)
    tidy(axes)


HISTOGRAM_CHANNELS = ("red", "green", "blue", "Y", "Cb", "Cr")


def value_histograms(samples: Samples, names: Sequence[str], quality: int) -> pd.DataFrame:
    """Count pixel values over images, by HISTOGRAM_CHANNELS: channel, side, value 0..255, share of the pixels."""
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
        tidy(axes)
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
    return dict(zip(HISTOGRAM_CHANNELS, np.moveaxis(np.concatenate([pixels, converted], axis=-1), -1, 0), strict=True))
