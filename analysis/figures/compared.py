"""A sample image beside what JPEG and networks made of it: comparison panel, predicted noise, channels, grey."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.pixels import (
    FONT_SIZE,
    Errors,
    Pixels,
    add_error_scale,
    centre,
    equalising_curve,
    error_limit,
    psnr_db,
    psnr_text,
    rms,
    show_error,
    show_pixels,
    show_plane,
    to_grey,
    to_luma,
    to_ycbcr,
    worst_place,
)
from analysis.figures.style import new_figure
from analysis.pictures import Samples

ROW_TITLES = ("colour", "grey, equalised", "error of luma")


@dataclass(frozen=True)
class PanelColumn:
    """A part of one version of an image.

    colour: uint8 [Z, Z, 3]; equalised: uint8 [Z, Z], grey by the curve that equalises the original's part;
    error: [Z, Z], luma of the original minus that of this version, in steps of 8 bits; psnr_db: of the whole image.
    """

    title: str
    colour: Pixels
    equalised: Pixels
    error: Errors
    psnr_db: float


def comparison_panel(samples: Mapping[str, Samples], name: str, quality: int) -> list[PanelColumn]:
    """Cut an image's versions where its JPEG file errs most: the original, the file, and what trials made of it.

    samples: of trials by the title of their columns; each holds the image and the quality, the first one's are shown
    as original and JPEG.
    """
    first = next(iter(samples.values()))
    original, degraded, _ = first.versions(name, quality)
    restored = {title: one.versions(name, quality)[2] for title, one in samples.items()}
    versions = {"original": original, f"JPEG-{quality}": degraded, **restored}
    place = worst_place(to_luma(original) - to_luma(degraded))
    curve = equalising_curve(to_grey(original[place]))
    return [
        PanelColumn(
            title,
            version[place],
            curve[to_grey(version[place])],
            to_luma(original[place]) - to_luma(version[place]),
            psnr_db(original, version),
        )
        for title, version in versions.items()
    ]


def draw_comparison_panel(columns: list[PanelColumn], title: str) -> Figure:
    """Draw a `comparison_panel`: a row in colour, one in equalised grey, one of errors on one scale."""
    figure = new_figure(2.9 * len(columns) + 0.9, 9.4)
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


CHANNELS = ("Y, luma", "Cb, blueness", "Cr, redness")


@dataclass(frozen=True)
class Channel:
    """The centre of one channel, [Z, Z] in 0..255.5: of the original, its JPEG picture and the restored one.

    rms: of the errors of the JPEG picture and of the restored one over the whole image, in steps of 8 bits.
    """

    title: str
    original: Errors
    degraded: Errors
    restored: Errors
    rms: tuple[float, float]


def split_channels(samples: Samples, name: str, quality: int) -> list[Channel]:
    """Split an image's versions at a quality into Y, Cb and Cr."""
    versions = np.stack([to_ycbcr(version) for version in samples.versions(name, quality)])
    return [_channel(title, versions[..., place]) for place, title in enumerate(CHANNELS)]


def draw_channels(channels: list[Channel], quality: int, title: str) -> Figure:
    """Draw `split_channels`, a row each: three pictures on a scale of the row, two errors on a scale of them all."""
    figure = new_figure(11.4, 7.6)
    grid = figure.subplots(len(channels), 5, squeeze=False)
    limit = error_limit(
        channel.original - side for channel in channels for side in (channel.degraded, channel.restored)
    )
    heads = ("original", f"JPEG-{quality}", "restored")
    for axes, channel in zip(grid, channels, strict=True):
        planes = (channel.original, channel.degraded, channel.restored)
        span = (min(plane.min() for plane in planes), max(plane.max() for plane in planes))
        for one, plane, head in zip(axes[:3], planes, heads, strict=True):
            show_plane(one, plane, span, head, f"black {span[0]:.0f}, white {span[1]:.0f}")
        axes[0].set_ylabel(channel.title, fontsize=FONT_SIZE)
        for one, plane, head, own_rms in zip(axes[3:], planes[1:], heads[1:], channel.rms, strict=True):
            image = show_error(one, channel.original - plane, limit, f"original minus {head}", f"RMS {own_rms:.2f}")
    add_error_scale(figure, image, grid, "error,\nsteps of 8 bits")
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


def _channel(title: str, versions: NDArray[np.float64]) -> Channel:
    original, degraded, restored = versions
    errors = original - versions[1:]
    jpeg_rms, restored_rms = np.sqrt(np.mean(np.square(errors), axis=(1, 2)))
    return Channel(title, centre(original), centre(degraded), centre(restored), (float(jpeg_rms), float(restored_rms)))


def equalised_greys(samples: Samples, name: str, qualities: Sequence[int]) -> dict[str, Pixels]:
    """Cut the centres, uint8 [Z, Z] by title, in grey by the curve that equalises the original's.

    The original comes last, after its JPEG files at these qualities.
    """
    pictures = {f"JPEG-{quality}": samples.versions(name, quality)[1] for quality in qualities}
    original = samples.original[samples.names.index(name)]
    curve = equalising_curve(to_grey(centre(original)))
    return {title: curve[to_grey(centre(picture))] for title, picture in {**pictures, "original": original}.items()}


def draw_equalised_greys(greys: dict[str, Pixels], title: str) -> Figure:
    """Draw `equalised_greys` in a row."""
    figure = new_figure(2.6 * len(greys), 3.05)
    for axes, (name, grey) in zip(figure.subplots(1, len(greys), squeeze=False)[0], greys.items(), strict=True):
        show_pixels(axes, grey, name)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure
