"""Is a file like the images that a model was trained on? The colour of its background tells cameras apart.

The background is the brighter half of all places of 8 x 8 pixels, whose means no JPEG changes much, whatever its
quality. A file that is far from every camera system of the training images comes from another: a restorer may do less
good there, or harm. The reverse does not hold: two cameras may have one background.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.colour import RGB_TO_YCBCR

CELL_PX = 8
# In standard deviations. Of the synthetic smear's three cameras 45 images, whole, at JPEG-25 or corners of 120 px, were
# at most 4.3 from the nearest; without their own, none of 60 images was less than 6.2 from it.
FAR = 5.0
LEAST_SPREAD = 0.003  # of 1: systems whose images are all alike would find everything far
STATISTICS = ("Y", "Cb", "Cr")


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean Y, Cb and Cr of an image's background: uint8 [H, W, 3] -> float64 [3], of 1."""
    height, width = (side // CELL_PX * CELL_PX or side for side in pixels.shape[:2])
    down, across = min(CELL_PX, height), min(CELL_PX, width)
    cut = pixels[:height, :width].reshape(height // down, down, width // across, across, 3)
    colours = cut.mean(axis=(1, 3), dtype=np.float32).reshape(-1, 3) / 255 @ RGB_TO_YCBCR.T
    is_bright = colours[:, 0] >= np.median(colours[:, 0])
    return np.asarray(colours[is_bright].mean(axis=0), np.float64)


def statistics_of(systems: Mapping[str, Iterable[NDArray[np.uint8]]]) -> dict[str, Any]:
    """Return what a model file says of its training images: of each system the mean and spread of STATISTICS."""
    found = {}
    for system, images in systems.items():
        rows = np.array([describe(image) for image in images])
        found[system] = {"mean": rows.mean(axis=0).tolist(), "spread": rows.std(axis=0).tolist(), "n": len(rows)}
    return found


def distance(pixels: NDArray[np.uint8], statistics: Mapping[str, Any]) -> float:
    """Return how far an image's background is from that of the nearest system, in standard deviations; 0 of none."""
    own = describe(pixels)
    return min(
        (
            float(np.max(np.abs(own - np.array(row["mean"])) / np.maximum(np.array(row["spread"]), LEAST_SPREAD)))
            for row in statistics.values()
        ),
        default=0.0,
    )
