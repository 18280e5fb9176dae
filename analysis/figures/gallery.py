"""What belongs to no trial: a sheet of sample images, the inputs that JPEG treats worst, VGG16's maps of one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from analysis.figures.pixels import (
    FONT_SIZE,
    Errors,
    Pixels,
    add_error_scale,
    centre,
    error_limit,
    psnr_db,
    psnr_text,
    rms,
    short_name,
    show_error,
    show_pixels,
    show_plane,
    to_luma,
    worst_place,
)
from analysis.figures.style import new_figure
from analysis.pictures import Gallery

N_COLUMNS = 6


@dataclass(frozen=True)
class SheetRow:
    """Up to N_COLUMNS images of one camera system: their names and pictures, uint8 [H, W, 3]."""

    system: str
    names: tuple[str, ...]
    pictures: tuple[Pixels, ...]


def sample_sheet(gallery: Gallery, side_px: int | None = None) -> list[SheetRow]:
    """Put the images of each camera system in rows; of side_px only their centre is taken."""
    rows = []
    for system in sorted(set(gallery.sheet_systems)):
        own = [image for image, of in enumerate(gallery.sheet_systems) if of == system]
        for first in range(0, len(own), N_COLUMNS):
            part = own[first : first + N_COLUMNS]
            pictures = tuple(gallery.sheet[i] if side_px is None else centre(gallery.sheet[i], side_px) for i in part)
            rows.append(SheetRow(system, tuple(gallery.sheet_names[i] for i in part), pictures))
    return rows


def draw_sample_sheet(rows: Sequence[SheetRow], title: str) -> Figure:
    """Draw a `sample_sheet`, the name of each image below it and that of its camera system before the row."""
    n_columns = max(len(row.pictures) for row in rows)
    figure = new_figure(max(1.75 * n_columns + 0.4, 4.0), 2.0 * len(rows) + 0.5)
    for axes, row in zip(figure.subplots(len(rows), n_columns, squeeze=False), rows, strict=True):
        for tile, name, picture in zip(axes, row.names, row.pictures, strict=False):
            show_pixels(tile, picture, below=short_name(name))
        for tile in axes[len(row.pictures) :]:
            tile.set_axis_off()
        axes[0].set_ylabel(short_name(row.system), fontsize=FONT_SIZE + 1)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


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


VERSIONS = ("original", "JPEG", "restored")


@dataclass(frozen=True)
class FeatureMap:
    """One map of V of VERSIONS, in their order.

    versions: float64 [V, h, w]; differences: of each version but the original, the mean absolute difference from the
    original's map, as a share of that map's mean; 0 where that is 0.
    """

    number: int
    versions: NDArray[np.float64]
    differences: tuple[float, ...]


def compare_maps(maps: NDArray[np.float32], numbers: Sequence[int]) -> list[FeatureMap]:
    """Compare maps [V, h, w, K] of versions of an image with those of the original, the first."""
    planes = np.moveaxis(maps.astype(np.float64), -1, 0)
    means = planes[:, 0].mean(axis=(1, 2))
    differences = np.abs(planes[:, 1:] - planes[:, :1]).mean(axis=(2, 3))
    return [
        FeatureMap(number, plane, tuple(float(d / mean) if mean else 0.0 for d in own))
        for number, plane, own, mean in zip(numbers, planes, differences, means, strict=True)
    ]


def draw_feature_maps(maps: Sequence[FeatureMap], title: str) -> Figure:
    """Draw `compare_maps`, a column a map, from nothing in black to its largest value in white."""
    n_versions = len(maps[0].versions)
    figure = new_figure(1.3 * len(maps) + 0.4, 1.55 * n_versions + 0.6)
    grid = figure.subplots(n_versions, len(maps), squeeze=False)
    for axes, one in zip(grid.T, maps, strict=True):
        span = (0.0, float(one.versions.max()) or 1.0)
        below = ("", *(f"{100 * share:.0f} % off" for share in one.differences))
        for tile, plane, text in zip(axes, one.versions, below, strict=True):
            show_plane(tile, plane, span, below=text)
        axes[0].set_title(f"map {one.number}", fontsize=FONT_SIZE)
    for tile, version in zip(grid[:, 0], VERSIONS, strict=False):
        tile.set_ylabel(version, fontsize=FONT_SIZE)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure
