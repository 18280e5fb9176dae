"""Ridge regression in closed form: the 5 x 5 filter at half resolution that takes most off a JPEG's error.

Normal equations are added up image by image, a set for each group of images (a camera system at a quality), so that
groups can be weighed against one another afterwards. Contrasts to the pixel in the middle are what the filter sees:
flat colour passes as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.colour import RGB_TO_YCBCR, YCBCR_TO_RGB
from models.sizes import FILTER_PX, PLANES

Doubles = NDArray[np.float64]

TAPS = FILTER_PX**2 - 1  # without the one in the middle
N_CONTRASTS = TAPS * PLANES
REGULARISATIONS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)  # in units of the mean square of a contrast
N_REWEIGHTINGS = 30
HARMLESS = 0.98  # of a group's own error: what the filter may leave at most before the group weighs more
HEAVIER = 2.0
N_SHRINKINGS = 20
# The squared error in RGB of an error in Y, Cb, Cr of four pixels.
RGB_ERROR: Doubles = np.kron(np.eye(4), YCBCR_TO_RGB.T @ YCBCR_TO_RGB).astype(np.float64)


@dataclass
class NormalEquations:
    """Sums over places at half resolution: contrasts by contrasts, contrasts by errors, errors by errors."""

    gram: Doubles = field(default_factory=lambda: np.zeros((N_CONTRASTS, N_CONTRASTS)))
    moment: Doubles = field(default_factory=lambda: np.zeros((N_CONTRASTS, PLANES)))
    power: Doubles = field(default_factory=lambda: np.zeros((PLANES, PLANES)))
    n_places: int = 0

    def add(self, degraded: NDArray[np.uint8], original: NDArray[np.uint8]) -> Self:
        """Add a pair of images, uint8 [H, W, 3] from the corner of 2 x 2 pixels on; returns itself."""
        shown, wanted = _planes(degraded), _planes(original)
        contrasts, error = _contrasts(shown), _inner(wanted - shown)
        self.gram += contrasts.T @ contrasts
        self.moment += contrasts.T @ error
        self.power += error.T @ error
        self.n_places += len(error)
        return self

    def error(self, filter_: Doubles | None = None) -> float:
        """Return the mean squared error in RGB, of 1, of what a filter [288, 12] restores; of the input without."""
        left = self.power
        if filter_ is not None:
            crossed = filter_.T @ self.moment
            left = left - crossed - crossed.T + filter_.T @ self.gram @ filter_
        return float((left * RGB_ERROR).sum() / (PLANES * max(self.n_places, 1)))


def fit_filter(training: Sequence[NormalEquations], validation: Sequence[NormalEquations]) -> NDArray[np.float32]:
    """Return the filter [5, 5, 12, 12] of least error, relative to each group's own, which harms no group.

    training[g] and validation[g] are the same group's. Each weighs by the inverse of its JPEG's error, and more where
    the filter would leave it worse; the regularisation is the best one on validation. Where no weights keep a group
    from harm, the whole filter is made weaker. Raises ValueError without groups.
    """
    if not training:
        raise ValueError("a filter is fitted to groups of pairs, got none")
    weights = np.array([1 / max(group.error() * group.n_places, 1e-12) for group in training])
    candidates = [_harmless(training, validation, weights, ridge) for ridge in REGULARISATIONS]
    chosen = min(candidates, key=lambda filter_: float(np.mean(np.log(_left(validation, filter_)))))
    kernel = np.zeros((FILTER_PX**2, PLANES, PLANES))
    centre = FILTER_PX**2 // 2
    others = [tap for tap in range(FILTER_PX**2) if tap != centre]
    kernel[others] = chosen.reshape(TAPS, PLANES, PLANES)
    kernel[centre] = -kernel.sum(axis=0)
    return kernel.reshape(FILTER_PX, FILTER_PX, PLANES, PLANES).astype(np.float32)


def _harmless(
    training: Sequence[NormalEquations], validation: Sequence[NormalEquations], weights: Doubles, ridge: float
) -> Doubles:
    """Return the filter of one regularisation, groups weighed until none of them is harmed."""
    for _ in range(N_REWEIGHTINGS):
        chosen = _solve(training, weights, ridge)
        harmed = _left(validation, chosen) > HARMLESS
        if not harmed.any():
            return chosen
        weights = np.where(harmed, HEAVIER * weights, weights)
    for _ in range(N_SHRINKINGS):
        if (_left(validation, chosen) <= 1).all():
            return chosen
        chosen = chosen / 2
    return np.zeros_like(chosen)


def _solve(groups: Iterable[NormalEquations], weights: Doubles, ridge: float) -> Doubles:
    pairs = list(zip(groups, weights, strict=True))
    gram = sum((weight * group.gram for group, weight in pairs), np.zeros((N_CONTRASTS, N_CONTRASTS)))
    moment = sum((weight * group.moment for group, weight in pairs), np.zeros((N_CONTRASTS, PLANES)))
    diagonal = ridge * np.trace(gram) / N_CONTRASTS + np.finfo(np.float64).tiny
    solution: Doubles = np.linalg.solve(gram + diagonal * np.eye(N_CONTRASTS), moment)
    return solution


def _left(groups: Sequence[NormalEquations], filter_: Doubles) -> Doubles:
    """Return the share of each group's error that a filter leaves; 1 for a group without an error."""
    own = np.array([group.error() for group in groups])
    left = np.array([max(group.error(filter_), 1e-12) for group in groups])
    shares: Doubles = np.divide(left, own, out=np.ones_like(own), where=own > 0)
    return shares


def _planes(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return Y, Cb and Cr of 2 x 2 pixels: uint8 [H, W, 3] -> [H / 2, W / 2, 12]; an odd last row is left out."""
    height, width = (side // 2 for side in image.shape[:2])
    colours = np.divide(image[: 2 * height, : 2 * width], 255, dtype=np.float32) @ RGB_TO_YCBCR.T
    corners = colours.reshape(height, 2, width, 2, 3).transpose(0, 2, 1, 3, 4)
    return corners.reshape(height, width, PLANES)


def _inner(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    edge = FILTER_PX // 2
    return planes[edge:-edge, edge:-edge].reshape(-1, PLANES)


def _contrasts(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what lies around each inner place, less what lies there: [N, 24 * 12]."""
    height, width = (side - FILTER_PX + 1 for side in planes.shape[:2])
    middle = FILTER_PX // 2
    centre = planes[middle : middle + height, middle : middle + width]
    rows = [
        planes[row : row + height, column : column + width] - centre
        for row in range(FILTER_PX)
        for column in range(FILTER_PX)
        if (row, column) != (middle, middle)
    ]
    return np.concatenate(rows, axis=-1).reshape(height * width, N_CONTRASTS)
