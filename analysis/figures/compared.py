"""A sample image beside what JPEG and networks made of it: comparison panel, predicted noise, channels, grey."""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.pixels import (
    Errors,
    centre,
    equalising_curve,
    psnr_db,
    psnr_text,
    rms,
    to_grey,
    to_luma,
    to_ycbcr,
    worst_place,
)
from analysis.figures.tiles import Tile
from analysis.pictures import Samples

PANEL_ROWS = ("colour", "grey, equalised", "error of luma")
PANEL_SCALE = "original minus version,\nsteps of 8 bits"
CHANNELS = ("Y, luma", "Cb, blueness", "Cr, redness")


def comparison_panel(samples: Mapping[str, Samples], name: str, quality: int) -> list[list[Tile]]:
    """Cut an image's versions where its JPEG file errs most: the original, the file, and what trials made of it.

    samples: of trials by the title of their columns; each holds the image and the quality, the first one's are shown
    as original and JPEG. Returns the rows of PANEL_ROWS: colour with the PSNR of the whole image, grey by the curve
    that equalises the original's part, errors of luma.
    """
    original, degraded, _ = next(iter(samples.values())).versions(name, quality)
    restored = {title: one.versions(name, quality)[2] for title, one in samples.items()}
    versions = {f"JPEG-{quality}": degraded, **restored}
    place = worst_place(to_luma(original) - to_luma(degraded))
    curve = equalising_curve(to_grey(original[place]))
    psnr = [psnr_text(psnr_db(original, version)) for version in versions.values()]
    every = {"original": original, **versions}
    return [
        [Tile(one[place], title, text) for (title, one), text in zip(every.items(), ["", *psnr], strict=True)],
        [Tile(curve[to_grey(one[place])]) for one in every.values()],
        [Tile(to_luma(original[place]) - to_luma(one[place]), is_error=True) for one in every.values()],
    ]


def predicted_noise(samples: Samples, name: str, qualities: Sequence[int]) -> list[list[Tile]]:
    """Show what is lost and what is added for the centre of an image, a row for each of these qualities.

    A row: its JPEG file; lost, the original minus that; added, what the network adds; restored; left, what is lost even
    so. RMS, and the correlation of added with lost (not told where one of them is the same everywhere): of all of it.
    """
    rows = []
    for quality in qualities:
        original, degraded, restored = samples.versions(name, quality)
        lost, added = to_luma(original) - to_luma(degraded), to_luma(restored) - to_luma(degraded)
        rows.append(
            [
                Tile(centre(degraded), f"JPEG-{quality}", psnr_text(psnr_db(original, degraded))),
                _error(lost, "lost: original minus JPEG"),
                _error(added, "added by the network", _correlation(lost, added)),
                Tile(centre(restored), "restored", psnr_text(psnr_db(original, restored))),
                _error(lost - added, "left: original minus restored"),
            ]
        )
    return rows


def split_channels(samples: Samples, name: str, quality: int) -> list[list[Tile]]:
    """Show the centre of an image's versions as Y, Cb and Cr, a row each on a scale of its own, and their errors."""
    heads, rows = ("original", f"JPEG-{quality}", "restored"), []
    versions = np.stack([to_ycbcr(version) for version in samples.versions(name, quality)])
    for planes in np.moveaxis(versions, -1, 0):
        parts = [centre(plane) for plane in planes]
        span = float(np.min(parts)), float(np.max(parts))
        below = f"black {span[0]:.0f}, white {span[1]:.0f}"
        row = [Tile(part, head, below, span) for part, head in zip(parts, heads, strict=True)]
        errors = zip(planes[1:], heads[1:], strict=True)
        rows.append(row + [_error(planes[0] - plane, f"original minus {head}") for plane, head in errors])
    return rows


def equalised_greys(samples: Samples, name: str, qualities: Sequence[int]) -> list[list[Tile]]:
    """Show the centres in grey by the curve that equalises the original's, which comes last, in one row."""
    original = samples.original[samples.names.index(name)]
    pictures = {f"JPEG-{quality}": samples.versions(name, quality)[1] for quality in qualities}
    curve = equalising_curve(to_grey(centre(original)))
    return [[Tile(curve[to_grey(centre(one))], title) for title, one in {**pictures, "original": original}.items()]]


def _error(error: Errors, title: str, more: str = "") -> Tile:
    return Tile(centre(error), title, f"RMS {rms(error):.2f}{more}", is_error=True)


def _correlation(first: Errors, second: Errors) -> str:
    if not first.std() or not second.std():
        return ""
    return f", correlation {round(float(np.corrcoef(first.ravel(), second.ravel())[0, 1]), 2) + 0.0:.2f}"
