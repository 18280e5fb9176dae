"""Predicted noise: what a network adds to a JPEG picture, beside what JPEG took from it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from analysis.colour import to_luma
from analysis.figures.canvas import new_figure
from analysis.figures.tile import (
    FONT_SIZE,
    Errors,
    Pixels,
    add_error_scale,
    centre,
    error_limit,
    psnr_db,
    psnr_text,
    rms,
    show_error,
    show_pixels,
)
from analysis.samples import Samples

N_COLUMNS = 5


@dataclass(frozen=True)
class NoiseRow:
    """One image at one quality: its centre, colours uint8 [Z, Z, 3], and errors [Z, Z] of luma in steps of 8 bits.

    lost: the original minus its JPEG picture; added: what the network adds to that; left: what is lost even so.
    correlation: of added with lost over the whole image, None where one of them is the same everywhere; rms: of lost,
    added and left over the whole image; psnr_db: of JPEG and restored.
    """

    quality: int
    degraded: Pixels
    restored: Pixels
    lost: Errors
    added: Errors
    left: Errors
    correlation: float | None
    rms: tuple[float, float, float]
    psnr_db: tuple[float, float]


def predicted_noise(samples: Samples, name: str, qualities: Sequence[int]) -> list[NoiseRow]:
    """Work out what is lost and what is added for an image, at each of these qualities."""
    return [_row(quality, *samples.versions(name, quality)) for quality in qualities]


def draw_predicted_noise(rows: Sequence[NoiseRow], title: str) -> Figure:
    """Draw `predicted_noise`, a row per quality, all errors on one scale."""
    figure = new_figure(2.1 * N_COLUMNS + 0.9, 2.5 * len(rows) + 0.7)
    grid = figure.subplots(len(rows), N_COLUMNS, squeeze=False)
    limit = error_limit(error for row in rows for error in (row.lost, row.added, row.left))
    for (degraded, lost, added, restored, left), row in zip(grid, rows, strict=True):
        show_pixels(degraded, row.degraded, f"JPEG-{row.quality}", psnr_text(row.psnr_db[0]))
        show_error(lost, row.lost, limit, "lost: original minus JPEG", f"RMS {row.rms[0]:.2f}")
        show_error(added, row.added, limit, "added by the network", _added_text(row))
        show_pixels(restored, row.restored, "restored", psnr_text(row.psnr_db[1]))
        image = show_error(left, row.left, limit, "left: original minus restored", f"RMS {row.rms[2]:.2f}")
    add_error_scale(figure, image, grid, "error of luma,\nsteps of 8 bits")
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


def _row(quality: int, original: Pixels, degraded: Pixels, restored: Pixels) -> NoiseRow:
    lost, added = to_luma(original) - to_luma(degraded), to_luma(restored) - to_luma(degraded)
    return NoiseRow(
        quality,
        centre(degraded),
        centre(restored),
        centre(lost),
        centre(added),
        centre(lost - added),
        _correlation(lost, added),
        (rms(lost), rms(added), rms(lost - added)),
        (psnr_db(original, degraded), psnr_db(original, restored)),
    )


def _correlation(first: Errors, second: Errors) -> float | None:
    if not first.std() or not second.std():
        return None
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _added_text(row: NoiseRow) -> str:
    correlation = "" if row.correlation is None else f", correlation {round(row.correlation, 2) + 0.0:.2f}"
    return f"RMS {row.rms[1]:.2f}{correlation}"
