"""Comparison panel: a sample image as original, JPEG and restored by some trials, in colour, equalised and as error."""

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from analysis.colour import equalising_curve, to_grey, to_luma
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
    show_error,
    show_pixels,
)
from analysis.samples import Samples

ROW_TITLES = ("colour", "grey, equalised", "error of luma")


@dataclass(frozen=True)
class PanelColumn:
    """The centre of one version of an image.

    colour: uint8 [Z, Z, 3]; equalised: uint8 [Z, Z], grey by the curve that equalises the original's centre;
    error: [Z, Z], luma of the original minus that of this version, in steps of 8 bits; psnr_db: of the whole image.
    """

    title: str
    colour: Pixels
    equalised: Pixels
    error: Errors
    psnr_db: float


def comparison_panel(samples: Mapping[str, Samples], name: str, quality: int) -> list[PanelColumn]:
    """Cut the centres of an image's versions: the original, its JPEG file, and what each of the trials made of it.

    samples: of trials by the title of their columns; each holds the image and the quality, the first one's are shown
    as original and JPEG.
    """
    first = next(iter(samples.values()))
    original, degraded, _ = first.versions(name, quality)
    restored = {title: one.versions(name, quality)[2] for title, one in samples.items()}
    versions = {"original": original, f"JPEG-{quality}": degraded, **restored}
    return [_column(title, original, version) for title, version in versions.items()]


def draw_comparison_panel(columns: list[PanelColumn], title: str) -> Figure:
    """Draw a `comparison_panel`: a row in colour, one in equalised grey, one of errors on one scale."""
    figure = new_figure(2.1 * len(columns) + 0.9, 7.4)
    grid = figure.subplots(len(ROW_TITLES), len(columns), squeeze=False)
    limit = error_limit(column.error for column in columns[1:])
    for column, (colour, equalised, error) in zip(columns, grid.T, strict=True):
        show_pixels(colour, column.colour, column.title, "" if column is columns[0] else psnr_text(column.psnr_db))
        show_pixels(equalised, column.equalised)
        image = show_error(error, column.error, limit)
    for axes, row_title in zip(grid[:, 0], ROW_TITLES, strict=True):
        axes.set_ylabel(row_title, fontsize=FONT_SIZE)
    add_error_scale(figure, image, grid, "original minus version,\nsteps of 8 bits")
    figure.suptitle(title, fontsize=10)
    return figure


def _column(title: str, original: Pixels, version: Pixels) -> PanelColumn:
    curve = equalising_curve(to_grey(centre(original)))
    return PanelColumn(
        title,
        centre(version),
        curve[to_grey(centre(version))],
        to_luma(centre(original)) - to_luma(centre(version)),
        psnr_db(original, version),
    )
