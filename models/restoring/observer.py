"""Would a small spot be seen? Spots are put into images before compression and looked for after it.

The observer is the channelised Hotelling observer with Laguerre-Gauss channels (Gallas and Barrett, "Validating the use
of channels to estimate the ideal linear observer", Journal of the Optical Society of America A 20, 2003): the best
linear detector among those that see an image through a few channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [H, W, 3]
Doubles = NDArray[np.float64]

N_CHANNELS = 5
PATCH_PX = 17  # that an observer looks at, around a spot
SPACING_PX = 40  # between spots of one image
# Directions of colour in RGB, of length 1: all channels alike, and the complement of the blue and purple of
# Romanowsky stains, which take red and green away.
COLOURS: dict[str, tuple[float, float, float]] = {
    "luma": (-1 / 3**0.5, -1 / 3**0.5, -1 / 3**0.5),
    "stain": (-0.55, -0.80, -0.24),
}


@dataclass(frozen=True)
class Spot:
    """A Gaussian spot: its full width at half of its height in px, its height in levels along a colour of COLOURS."""

    width_px: float
    levels: float
    colour: str = "luma"

    def profile(self) -> Doubles:
        """Return its shape, [PATCH_PX, PATCH_PX], of height 1."""
        sigma = self.width_px / 2.3548  # full width at half maximum of a Gaussian
        return np.exp(-_squared_radius() / (2 * sigma**2))

    def direction(self) -> Doubles:
        """Return how one level of it changes R, G and B: the mean of its squares is 1."""
        direction = np.array(COLOURS[self.colour])
        return np.asarray(direction * np.sqrt(3) / np.linalg.norm(direction))


def places(height: int, width: int) -> list[tuple[int, int]]:
    """List where spots go, off JPEG's grid by ever other steps: the middle of each."""
    edge = PATCH_PX // 2 + 1
    grid = np.mgrid[edge + 3 : height - edge : SPACING_PX + 3, edge + 6 : width - edge : SPACING_PX + 1]
    return [(int(row), int(column)) for row, column in grid.reshape(2, -1).T]


def with_spots(image: Image, spot: Spot) -> Image:
    """Return an image with a spot at each of its places, rounded to 8 bits."""
    changed = image.astype(np.float64)
    addition = spot.levels * spot.profile()[..., None] * spot.direction()
    for row, column in places(*image.shape[:2]):
        changed[_patch(row, column)] += addition
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


@dataclass(frozen=True)
class Seen:
    """What is left of a spot: the share of its contrast, and how well it is detected (d', of an observer)."""

    contrast: float
    detectability: float


def look_for(spot: Spot, images: Sequence[Image], show: Callable[[Image], Image]) -> Seen:
    """Compress and show images with and without a spot, and say what is left of it."""
    profile, direction = spot.profile(), spot.direction() / 3
    channels = laguerre_gauss(spot.width_px).reshape(N_CHANNELS, -1)
    with_, without, shares = [], [], []
    for image in images:
        shown = [show(one).astype(np.float64) @ direction for one in (image, with_spots(image, spot))]
        for row, column in places(*image.shape[:2]):
            absent, present = (one[_patch(row, column)] for one in shown)
            shares.append(((present - absent) * profile).sum() / (profile**2).sum() / spot.levels)
            without.append(channels @ absent.ravel())
            with_.append(channels @ present.ravel())
    return Seen(float(np.mean(shares)), detectability(np.array(without), np.array(with_)))


def detectability(absent: Doubles, present: Doubles) -> float:
    """Return d' of the Hotelling observer of channel outputs [N, C] without and with a signal."""
    difference = present.mean(axis=0) - absent.mean(axis=0)
    covariance = (np.cov(absent, rowvar=False) + np.cov(present, rowvar=False)) / 2
    return float(np.sqrt(max(difference @ np.linalg.pinv(covariance, hermitian=True) @ difference, 0)))


def laguerre_gauss(width_px: float) -> Doubles:
    """Return Laguerre-Gauss channels of about a spot's width, [C, PATCH_PX, PATCH_PX], each of length 1."""
    scaled = 2 * np.pi * _squared_radius() / (1.5 * width_px + 1) ** 2
    found = []
    for order in range(N_CHANNELS):
        coefficients = np.zeros(order + 1)
        coefficients[order] = 1
        channel = np.exp(-scaled / 2) * np.polynomial.laguerre.lagval(scaled, coefficients)
        found.append(channel / np.linalg.norm(channel))
    return np.array(found)


def _squared_radius() -> Doubles:
    offsets = np.arange(PATCH_PX, dtype=np.float64) - PATCH_PX // 2
    return np.add.outer(offsets**2, offsets**2)


def _patch(row: int, column: int) -> tuple[slice, slice]:
    edge = PATCH_PX // 2
    return slice(row - edge, row + edge + 1), slice(column - edge, column + edge + 1)
