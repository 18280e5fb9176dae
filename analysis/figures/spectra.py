"""Spectra and histograms: at which scales images hold detail, and how often each pixel value occurs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.picture import Drawn, given, take_picture
from analysis.figures.pixels import N_LEVELS, to_luma, to_ycbcr
from analysis.figures.samples import best_title, looked_at, of_best, usual_images
from analysis.figures.style import COLOURS, JPEG_COLOUR, finish, new_figure
from analysis.findings import Findings
from analysis.pictures import Samples

HISTOGRAM_CHANNELS = ("red", "green", "blue", "Y", "Cb", "Cr")
# How the versions of an image are drawn as lines; JPEG's dashes lie on top, for the restored line may be the same.
SIDES: dict[str, dict[str, Any]] = {
    "original": {"color": "#999999", "linewidth": 2.6},
    "JPEG": {"color": JPEG_COLOUR, "linewidth": 1.1, "linestyle": "--", "zorder": 3},
    "restored": {"color": COLOURS[0], "linewidth": 1.1},
}


@given(of_best)
def spectra_and_histograms(findings: Findings, samples: Samples) -> Drawn:
    """Draw at which scales images hold detail, and how often each value occurs (figure 32 of the thesis)."""
    names, quality = usual_images(samples), samples.nearest_quality(looked_at(findings))
    images = f"{len(names)} {'image' if len(names) == 1 else 'images'}"
    title = best_title(findings, f"{samples.title(quality)}, {images}")
    power = draw_lines(mean_spectra(samples, names, quality), title, "frequency, cycles per pixel", "power of luma")
    counts = draw_lines(value_histograms(samples, names, quality), title, "value, 8 bits", "share of the pixels")
    words = {"images": images, "files": samples.title(quality)}
    return [take_picture(name, figure, words) for name, figure in (("spectra", power), ("histograms", counts))]


def radial_spectrum(plane: NDArray[np.float64]) -> pd.DataFrame:
    """Average the power of a picture [H, W] over rings of equal frequency, whatever the direction.

    Returns by frequency, cycles per pixel in steps of one period over the shorter side: power, the mean over the ring
    of the squared amplitude; n, its number of frequencies. The sum of power * n is the mean square of the picture
    (Parseval); frequency 0 is its mean, squared.
    """
    power = np.square(np.abs(np.fft.fft2(plane) / plane.size))
    rows, columns = (np.fft.fftfreq(side) for side in plane.shape)
    ring = np.rint(np.hypot(rows[:, None], columns[None, :]) * min(plane.shape)).astype(int)
    rows_of = pd.DataFrame({"power": power.ravel(), "n": 1}).groupby(ring.ravel())
    table = rows_of.agg({"power": "mean", "n": "sum"})
    return table.set_axis(table.index / min(plane.shape)).rename_axis("frequency")


def windowed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take a picture's mean from it and let it fade to its borders, whose jump would be seen at every frequency.

    Hann's window in both directions, scaled to a mean square of 1, so that even noise keeps its power.
    """
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in plane.shape))
    return np.asarray((plane - plane.mean()) * window / np.sqrt(np.mean(np.square(window))), np.float64)


def mean_spectra(samples: Samples, names: Sequence[str], quality: int) -> dict[str, pd.DataFrame]:
    """Average the spectra of luma over images, of the pictures and of their errors: by frequency, a column a version.

    Only frequencies of 0 < f <= 1/2, where every direction has some.
    """
    found: dict[str, list[pd.DataFrame]] = {"the pictures": [], "their errors: the original minus each": []}
    for name in names:
        lumas = {side: to_luma(one) for side, one in zip(SIDES, samples.versions(name, quality), strict=True)}
        errors = {side: lumas["original"] - luma for side, luma in lumas.items() if side != "original"}
        for tables, planes in zip(found.values(), (lumas, errors), strict=True):
            tables.append(pd.DataFrame({side: radial_spectrum(windowed(p))["power"] for side, p in planes.items()}))
    means = {title: pd.concat(tables).groupby(level=0).mean() for title, tables in found.items()}
    return {title: table[(table.index > 0) & (table.index <= 0.5)] for title, table in means.items()}


def value_histograms(samples: Samples, names: Sequence[str], quality: int) -> dict[str, pd.DataFrame]:
    """Count pixel values over images, by HISTOGRAM_CHANNELS: by value 0..255, the share of pixels of each version."""
    found: dict[str, dict[str, Any]] = {channel: {} for channel in HISTOGRAM_CHANNELS}
    for side, versions in zip(SIDES, zip(*(samples.versions(n, quality) for n in names), strict=True), strict=True):
        pixels = np.stack(versions)
        converted = np.rint(np.clip(to_ycbcr(pixels), 0, N_LEVELS - 1)).astype(np.uint8)
        for channel, values in zip(found, np.moveaxis(np.concatenate([pixels, converted], -1), -1, 0), strict=True):
            found[channel][side] = np.bincount(values.ravel(), minlength=N_LEVELS) / values.size
    return {channel: pd.DataFrame(sides) for channel, sides in found.items()}


def draw_lines(tables: Mapping[str, pd.DataFrame], title: str, x_label: str, y_label: str) -> Figure:
    """Draw a panel for each table, a line for each version, on a logarithmic scale; what is 0 is a gap."""
    n_columns = min(3, len(tables))
    figure = new_figure(10.5, 1.4 + 3.0 * len(tables) / n_columns)
    grid = figure.subplots(-(-len(tables) // n_columns), n_columns, squeeze=False)
    for axes, (name, table) in zip(grid.flat, tables.items(), strict=True):
        for side in table:
            axes.plot(table.index, table[side].where(table[side] > 0), label=side, **SIDES[str(side)])
        axes.set(title=name, xlabel=x_label, ylabel=y_label, yscale="log" if (table > 0).any(axis=None) else "linear")
    finish(figure, title)
    return figure
