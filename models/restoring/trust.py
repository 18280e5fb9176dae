"""Does a file bear out what a restorer makes of it? Its own coefficients tell, without the original.

A stored coefficient is its original but for an error of variance step^2 / 12 (it was rounded to a multiple of the
step), and what rounding to whole levels before that adds. A restorer that knows such images moves coefficients by less
than that error, root mean square over an image: were its estimate the mean of all originals that the file could have,
the variance of its moves and that of what is left would add up to the error's. One that moves them by more adds more
than it takes away, as networks do to the colours of cameras that they never saw. Such moves are shortened, frequency by
frequency; and where the colours of whole blocks are moved too far, so is everything else that the network did.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.colour import RGB_TO_YCBCR
from models.restoring.consistency import BLOCK_PX, Floats, Stored, found_and_read_off, is_certain, mixed

# The variance that rounding adds to a coefficient: where blocks are flat all pixels are rounded alike, by up to half a
# level; elsewhere, of three colours and of chroma's mean.
ROUNDED_FLAT, ROUNDED = BLOCK_PX**2 / 12, 0.25
# From this on, as a multiple of the variance that there can be, a file is said to be unlike the training images: see
# benchmarks/cameras.py.
UNLIKE = 2.0
Excess = tuple[NDArray[np.float64], ...]  # of each plane [8, 8]: the variance of moves over that which there can be


@dataclass(frozen=True)
class Trust:
    """How far a restorer's moves can be right, of each plane and frequency.

    excess: the variance of its moves as a multiple of that of the file's errors; above 1, too much.
    """

    excess: Excess

    @property
    def share_of_all(self) -> float:
        """The share of all that the network did to the image that is kept: 1 unless the file is unlike."""
        return float(np.sqrt(UNLIKE / max(self.colour_excess, UNLIKE)))

    @property
    def shares(self) -> tuple[Floats, ...]:
        """Of each plane [8, 8]: the share of each move that is kept, 1 where it can be right."""
        return tuple((1 / np.maximum(excess, 1)).astype(np.float32) for excess in self.excess)

    @property
    def colour_excess(self) -> float:
        """The largest excess of the mean brightness and colours of blocks, by which cameras differ; 0 of no block."""
        return max((float(excess[0, 0]) for excess in self.excess), default=0.0)


def find_trust(parts: Sequence[tuple[Floats, Stored]]) -> Trust:
    """Compare parts of an image as restored, float32 [h, w, 3] in [0, 1], with what the file stores of them."""
    sums: list[NDArray[np.float64]] = []
    counts: list[int] = []
    for restored, stored in parts:
        ycbcr = mixed([restored[..., channel] for channel in range(3)], 255 * RGB_TO_YCBCR)
        for place, (plane, steps) in enumerate(zip(stored.planes, stored.steps, strict=True)):
            found, read_off = found_and_read_off(ycbcr[place], plane, stored.factors if place else None)
            certain = is_certain(plane[: 8 * found.shape[0], : 8 * found.shape[2]])
            moved = np.square(found - read_off).transpose(0, 2, 1, 3)[certain]
            if place == len(sums):
                sums.append(np.zeros((BLOCK_PX, BLOCK_PX)))
                counts.append(0)
            sums[place] += moved.sum(axis=0, dtype=np.float64) / _variance(steps)
            counts[place] += len(moved)
    return Trust(tuple(total / max(count, 1) for total, count in zip(sums, counts, strict=True)))


def _variance(steps: NDArray[np.int64]) -> NDArray[np.float64]:
    rounded = np.full(steps.shape, ROUNDED)
    rounded[0, 0] = ROUNDED_FLAT
    return np.asarray(steps.astype(np.float64) ** 2 / 12 + rounded)
