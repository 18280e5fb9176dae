"""Channels: luma and chroma of an image as original, JPEG and restored, and the error of each."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.colour import to_ycbcr
from analysis.figures.canvas import new_figure
from analysis.figures.tile import FONT_SIZE, Errors, add_error_scale, centre, error_limit, show_error, show_plane
from analysis.samples import Samples

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
        for one, plane, head, rms in zip(axes[3:], planes[1:], heads[1:], channel.rms, strict=True):
            image = show_error(one, channel.original - plane, limit, f"original minus {head}", f"RMS {rms:.2f}")
    add_error_scale(figure, image, grid, "error,\nsteps of 8 bits")
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


def _channel(title: str, versions: NDArray[np.float64]) -> Channel:
    original, degraded, restored = versions
    errors = original - versions[1:]
    jpeg_rms, restored_rms = np.sqrt(np.mean(np.square(errors), axis=(1, 2)))
    return Channel(title, centre(original), centre(degraded), centre(restored), (float(jpeg_rms), float(restored_rms)))
