"""Worst inputs: the images that JPEG treats worst, where in them it does so, and what restoring makes of that place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.colour import to_luma
from analysis.figures.canvas import new_figure
from analysis.figures.tile import (
    FONT_SIZE,
    ZOOM_PX,
    Errors,
    Pixels,
    add_error_scale,
    error_limit,
    psnr_db,
    psnr_text,
    rms,
    short_name,
    show_error,
    show_pixels,
)
from analysis.gallery import Gallery


@dataclass(frozen=True)
class WorstRow:
    """One of the worst inputs.

    mse: of its JPEG picture, whole, of values in [0, 1]. place: rows and columns of the square of ZOOM_PX where luma
    errs most; the versions, uint8 [Z, Z, 3], are cut there. lost, left: luma of the original minus that of the JPEG
    picture and of the restored one, in steps of 8 bits. psnr_db: of both, whole. Without a restorer its parts are None.
    """

    name: str
    system: str
    mse: float
    whole: Pixels
    place: tuple[slice, slice]
    degraded: Pixels
    restored: Pixels | None
    lost: Errors
    left: Errors | None
    psnr_db: tuple[float, float | None]


def worst_inputs(gallery: Gallery) -> list[WorstRow]:
    """Cut from each of the worst inputs the square where its JPEG picture errs most."""
    return [_row(gallery, image) for image in range(len(gallery.worst_original))]


def worst_place(error: Errors, side_px: int = ZOOM_PX) -> tuple[slice, slice]:
    """Return the rows and columns of the first side_px square with the largest sum of squared errors [H, W]."""
    sums = np.zeros((error.shape[0] + 1, error.shape[1] + 1))
    sums[1:, 1:] = np.square(error).cumsum(axis=0).cumsum(axis=1)
    rows, columns = (min(side_px, side) for side in error.shape)
    squares = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    top, left = (int(place) for place in np.unravel_index(np.argmax(squares), squares.shape))
    return slice(top, top + rows), slice(left, left + columns)


def draw_worst_inputs(rows: Sequence[WorstRow], quality: int, title: str) -> Figure:
    """Draw `worst_inputs`, a row each: the whole, then the marked square as JPEG and restored, and their errors."""
    has_restored = rows[0].restored is not None
    n_columns = 5 if has_restored else 3
    figure = new_figure(2.1 * n_columns + 0.9, 2.5 * len(rows) + 0.7)
    grid = figure.subplots(len(rows), n_columns, squeeze=False)
    limit = error_limit(error for row in rows for error in (row.lost, row.left) if error is not None)
    for axes, row in zip(grid, rows, strict=True):
        show_pixels(
            axes[0],
            row.whole,
            f"{short_name(row.name)}\n{short_name(row.system)}",
            f"MSE {row.mse:.2e} as JPEG-{quality}",
        )
        axes[0].add_patch(_frame(row.place))
        show_pixels(axes[1], row.degraded, f"JPEG-{quality}", psnr_text(row.psnr_db[0]))
        image = show_error(axes[2], row.lost, limit, f"original minus JPEG-{quality}", f"RMS {rms(row.lost):.2f} here")
        if row.restored is not None and row.left is not None and row.psnr_db[1] is not None:
            show_pixels(axes[3], row.restored, "restored", psnr_text(row.psnr_db[1]))
            show_error(axes[4], row.left, limit, "original minus restored", f"RMS {rms(row.left):.2f} here")
    add_error_scale(figure, image, grid, "error of luma,\nsteps of 8 bits")
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


def _row(gallery: Gallery, image: int) -> WorstRow:
    original, degraded = gallery.worst_original[image], gallery.worst_degraded[image]
    restored = None if gallery.worst_restored is None else gallery.worst_restored[image]
    lost = to_luma(original) - to_luma(degraded)
    place = worst_place(lost)
    return WorstRow(
        name=gallery.worst_names[image],
        system=gallery.worst_systems[image],
        mse=float(np.mean(np.square(original.astype(np.float64) - degraded))) / 255**2,
        whole=original,
        place=place,
        degraded=degraded[place],
        restored=None if restored is None else restored[place],
        lost=lost[place],
        left=None if restored is None else (to_luma(original) - to_luma(restored))[place],
        psnr_db=(psnr_db(original, degraded), None if restored is None else psnr_db(original, restored)),
    )


def _frame(place: tuple[slice, slice]) -> Rectangle:
    rows, columns = place
    corner = (columns.start - 0.5, rows.start - 0.5)
    width, height = columns.stop - columns.start, rows.stop - rows.start
    return Rectangle(corner, width, height, fill=False, edgecolor="black", linewidth=1.2)
