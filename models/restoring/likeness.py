"""Is a file like the images that a model was trained on? A few coarse statistics of each camera system tell.

They are those of means over 8 x 8 pixels, which no JPEG changes much, whatever its quality. What is far from every
system was not seen in training: a restorer may do less good there, or harm. The reverse does not hold.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.colour import RGB_TO_YCBCR

CELL_PX = 8
FAR = 6.0  # standard deviations of a system's images; our judgement, no measurement
LEAST_SPREAD = 0.01  # of 1: systems whose images are all alike would find everything far
STATISTICS = tuple(
    f"{statistic} of {colour}"
    for statistic in ("mean", "spread", "difference of neighbours")
    for colour in ("Y", "Cb", "Cr")
)


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return STATISTICS of an image, uint8 [H, W, 3]: float64 [9] of 1."""
    height, width = (max(1, side // CELL_PX) for side in pixels.shape[:2])
    cut = pixels[: height * CELL_PX, : width * CELL_PX]
    rows = np.add.reduceat(cut, range(0, len(cut), CELL_PX), axis=0, dtype=np.uint32)
    sums = np.add.reduceat(rows, range(0, cut.shape[1], CELL_PX), axis=1)
    n_pixels = min(CELL_PX, len(cut)) * min(CELL_PX, cut.shape[1])
    colours = (sums / (255.0 * n_pixels)) @ RGB_TO_YCBCR.T.astype(np.float64)
    steps = [np.abs(np.diff(colours, axis=axis)).reshape(-1, 3) for axis in (0, 1)]
    differences = np.concatenate([*steps, np.zeros((1, 3))])
    return np.concatenate([colours.mean(axis=(0, 1)), colours.std(axis=(0, 1)), differences.mean(axis=0)])


def statistics_of(systems: Mapping[str, Iterable[NDArray[np.uint8]]]) -> dict[str, Any]:
    """Return what a model file says of its training images: of each system the mean and spread of STATISTICS."""
    found = {}
    for system, images in systems.items():
        rows = np.array([describe(image) for image in images])
        found[system] = {"mean": rows.mean(axis=0).tolist(), "spread": rows.std(axis=0).tolist(), "n": len(rows)}
    return found


def distance(pixels: NDArray[np.uint8], statistics: Mapping[str, Any]) -> tuple[float, str]:
    """Return how far an image is from the nearest system, in standard deviations, and what is farthest of it."""
    own, found = describe(pixels), []
    for row in statistics.values():
        spread = np.maximum(np.array(row["spread"]), LEAST_SPREAD)
        far = np.abs(own - np.array(row["mean"])) / spread
        found.append((float(far.max()), STATISTICS[int(far.argmax())]))
    return min(found, default=(0.0, ""))
