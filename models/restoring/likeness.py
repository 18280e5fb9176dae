"""Is a file like the images that a model was trained on? Colours and contrast of places of 8 x 8 pixels tell cameras.

The means of such places no JPEG changes much, whatever its quality. Described are their brighter half, which is the
background, their darkest quarter, which is cells, and how neighbours differ, which magnification changes. A file that
is far from every camera system of the training images comes from another: a restorer may do less good there, or harm.
The reverse does not hold: two cameras may be alike in all of these.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.colour import RGB_TO_YCBCR

CELL_PX = 8
# In standard deviations, as Mahalanobis has them. Of 493 images of two real cameras, as photographed or at JPEG-25,
# none that was not described was more than 5.0 from its own camera, and 3 of the other's 493 less than FAR from it.
# Without their own, images of the synthetic smear's three cameras were at least 6.4 from the nearest.
FAR = 5.5
LEAST_SPREAD = 0.003  # of 1: systems whose images are all alike would find everything far
FAINTEST = 1e-3  # contrast, of 1, whose logarithm stands for every fainter one
STATISTICS = tuple(f"{name} of the {part}" for part in ("background", "cells") for name in ("Y", "Cb", "Cr"))
STATISTICS += ("logarithm of the contrast",)


def describe(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return an image's STATISTICS: uint8 [H, W, 3] -> float64 [7], of 1.

    The contrast is the root mean square of the differences of Y between neighbouring places.
    """
    height, width = (side // CELL_PX * CELL_PX or side for side in pixels.shape[:2])
    down, across = min(CELL_PX, height), min(CELL_PX, width)
    cut = pixels[:height, :width].reshape(height // down, down, width // across, across, 3)
    places = cut.mean(axis=(1, 3), dtype=np.float32) / 255 @ RGB_TO_YCBCR.T
    luma, colours = places[..., 0], places.reshape(-1, 3)
    is_bright = colours[:, 0] >= np.median(colours[:, 0])
    is_dark = colours[:, 0] <= np.quantile(colours[:, 0], 0.25)
    differences = np.concatenate([np.diff(luma, axis=axis).ravel() for axis in (0, 1)])
    contrast = np.sqrt(np.square(differences).sum() / max(len(differences), 1))
    means = (colours[is_bright].mean(axis=0), colours[is_dark].mean(axis=0))
    return np.asarray([*means[0], *means[1], np.log(contrast + FAINTEST)], np.float64)


def statistics_of(systems: Mapping[str, Iterable[NDArray[np.uint8]]]) -> dict[str, Any]:
    """Return what a model file says of its training images: of each system the mean and covariance of STATISTICS.

    Of images and of their quarters, so that where a photograph was cut tells nothing. The fewer images, the less is
    made of how statistics go together.
    """
    found = {}
    for system, images in systems.items():
        rows = [[describe(part) for part in (image, *_quarters(image))] for image in images]
        parts = np.concatenate(rows)
        covariance = np.cov(parts, rowvar=False, bias=True)
        variances = np.diag(np.diag(covariance))
        covariance = variances + (covariance - variances) * len(rows) / (len(rows) + len(STATISTICS))
        found[system] = {"mean": parts.mean(axis=0).tolist(), "covariance": covariance.tolist(), "n": len(rows)}
    return found


def distance(pixels: NDArray[np.uint8], statistics: Mapping[str, Any]) -> float:
    """Return how far an image is from the nearest system, in standard deviations (Mahalanobis' distance); 0 of none.

    Raises ValueError, TypeError or LookupError where the statistics cannot be.
    """
    own = describe(pixels)
    return min((_distance(own, row) for row in statistics.values()), default=0.0)


def _distance(own: NDArray[np.float64], row: Mapping[str, Any]) -> float:
    mean = np.array(row["mean"], np.float64)
    if "covariance" in row:
        covariance = np.array(row["covariance"], np.float64)
    else:  # of a model file that has the background's colours alone, and their spread
        covariance = np.diag(np.square(np.array(row["spread"], np.float64)))
    if covariance.shape != (*mean.shape, *mean.shape):
        raise ValueError(f"a covariance of {covariance.shape} of {mean.shape} statistics")
    off = own[: len(mean)] - mean
    return float(np.sqrt(off @ np.linalg.solve(covariance + np.eye(len(mean)) * LEAST_SPREAD**2, off)))


def _quarters(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    height, width = (max(1, side // 2) for side in image.shape[:2])
    return [part for rows in (image[:height], image[-height:]) for part in (rows[:, :width], rows[:, -width:])]
