"""Feature maps: what VGG16's last convolution sees of an original, of its JPEG picture and of the restored one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.canvas import new_figure
from analysis.figures.tile import FONT_SIZE, show_plane

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
