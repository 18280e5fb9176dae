"""Was an image JPEG before? Its grid of 8 x 8 blocks, its quality and its chroma subsampling, read off the pixels.

The grid: where an image was compressed, more DCT coefficients are zero in the blocks of its grid than in blocks that
lie otherwise. Each pixel votes for the one of the 64 grids in whose block it lies with the most zeros; how unlikely
the winner's votes are by chance is an a-contrario test (Nikoukhah et al., "ZERO: a local JPEG grid origin detector
based on the number of DCT zeros", Image Processing On Line 11, 2021). The quality: on that grid the other coefficients
are multiples of the steps of a quantisation table; that of the Independent JPEG Group that explains them best is named.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded
from scipy.stats import binom

from datasets.encoders.step_tables import standard_steps

Plane = NDArray[np.float32]  # [H, W]

SIDE_PX = 768  # of the centre that is looked at
LEAST_SIDE_PX = 16  # below that there are too few blocks of any grid
ZERO = 0.5  # a coefficient below is zero but for rounding
NEAR = 1.0  # a coefficient that lies this near to a multiple of its step may be one: rounding moves it by 0.3 or so
HIT = 0.95  # share of quantised coefficients that do
LEAST_STEP = 3  # below, every number is near to a multiple
LOG10_FALSE_ALARMS = -2.0  # expected number of grids that chance finds in an image: one in a hundred images
LEAST_EVIDENCE = 10.0  # decimal logarithm of the likelihood ratio at which a comb of coefficients is enough alone
FEW_BLOCKS = 256  # where votes are too few, the coefficients of all grids are looked at
AT_ONCE = 2**18  # coefficients beside their multiples, so that they stay in a cache
EVERY_GRID = {divmod(grid, 8) for grid in range(64)}
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
FACTORS = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}  # by which chroma is smaller: rows, columns
UNKNOWN, GREY = "unknown", "grey"

_k = np.arange(8)
COSINES = np.sqrt(np.where(_k == 0, 1, 2) / 8)[:, None] * np.cos((2 * _k[None] + 1) * _k[:, None] * np.pi / 16)
COSINES = COSINES.astype(np.float32)  # the orthonormal DCT of 8 numbers
ORDER = np.add.outer(_k, _k)  # of a coefficient: low at the top left
LUMA_TABLE, CHROMA_TABLE = 0, 1  # of standard_steps
IS_LOW = (ORDER > 0) & (ORDER <= 6)  # those that survive compression most often

# Of every quality: [100, luma and chroma, 8, 8].
STEPS = np.stack([standard_steps(quality) for quality in range(1, 101)]).astype(np.float32)


@dataclass(frozen=True)
class JpegHistory:
    """What an image tells of an earlier compression.

    log10_false_alarms: of the grid, the lower the surer; grid: row and column of its first corner, 0..7; quality: of
    the table that explains the coefficients best, None where none does; subsampling: "4:2:0", "unknown" ...
    """

    log10_false_alarms: float
    grid: tuple[int, int]
    quality: int | None = None
    subsampling: str = UNKNOWN

    @property
    def was_jpeg(self) -> bool:
        return self.log10_false_alarms <= LOG10_FALSE_ALARMS or self.quality is not None


NOTHING = JpegHistory(np.inf, (0, 0))


def find_history(image: NDArray[np.uint8]) -> JpegHistory:
    """Return what an image uint8 [H, W, 3] tells of an earlier compression."""
    image = _centre(image)
    if min(image.shape[:2]) < LEAST_SIDE_PX:
        return NOTHING
    luma = image.astype(np.float32) @ LUMA
    log10_false_alarms, grid = find_grid(luma)
    is_found = log10_false_alarms <= LOG10_FALSE_ALARMS
    grids = {grid} if is_found else EVERY_GRID if luma.size <= FEW_BLOCKS * 64 else {grid, (0, 0)}
    (evidence, quality), grid = max((find_quality(luma, place), place) for place in grids)
    if evidence >= LEAST_EVIDENCE:
        return JpegHistory(log10_false_alarms, grid, quality, _subsampling(image, grid, quality))
    return JpegHistory(log10_false_alarms, grid)


def describe(history: JpegHistory) -> str:
    """Return a history in words: "JPEG of about quality 85, 4:2:0, cropped off its grid by 3, 5"."""
    words = [f"JPEG of about quality {history.quality}" if history.quality else "JPEG of unknown quality"]
    if history.subsampling != UNKNOWN:
        words.append(history.subsampling)
    if history.grid != (0, 0):
        words.append(f"cropped off its grid by {history.grid[0]}, {history.grid[1]}")
    return ", ".join(words)


def find_grid(luma: Plane) -> tuple[float, tuple[int, int]]:
    """Return the log10 of the false alarms expected of the most voted grid of 8 x 8 blocks, and its corner."""
    most = np.full(luma.shape, -1, np.int16)
    voted = np.full(luma.shape, -1, np.int16)
    for grid in range(64):
        top, left = divmod(grid, 8)
        zeros = np.repeat(np.repeat(_count_zeros(_blocks(luma, top, left)), 8, axis=0), 8, axis=1)
        inside = slice(top, top + zeros.shape[0]), slice(left, left + zeros.shape[1])
        voted[inside][zeros == most[inside]] = -1  # a tie is no vote
        voted[inside][zeros > most[inside]] = grid
        np.maximum(most[inside], zeros, out=most[inside])
    votes = np.bincount(voted[voted >= 0], minlength=64)
    winner = int(votes.argmax())
    # The 64 pixels of a block vote alike: of independent votes there are a 64th.
    by_chance = binom.logsf(votes[winner] // 64 - 1, luma.size // 64, 1 / 64) / np.log(10)
    return float(np.log10(64) + by_chance), (winner // 8, winner % 8)


def find_quality(luma: Plane, grid: tuple[int, int]) -> tuple[float, int]:
    """Return how much better the best quantisation table explains the coefficients than chance, and its quality.

    The former is the log10 of a likelihood ratio.
    """
    coefficients = np.abs(_blocks(luma, *grid)).reshape(-1, 8, 8)
    n_at_once = max(1, AT_ONCE // coefficients.size)
    tables = (STEPS[first : first + n_at_once, LUMA_TABLE] for first in range(0, len(STEPS), n_at_once))
    evidence = np.concatenate([_evidence(coefficients, some, IS_LOW) for some in tables])
    best = int(np.flatnonzero(evidence == evidence.max())[-1])
    return float(evidence[best]), 1 + best


def _subsampling(image: NDArray[np.uint8], grid: tuple[int, int], quality: int) -> str:
    """Return by which factors chroma was made smaller: those whose chroma's coefficients fit the quality best."""
    planes = [image.astype(np.float32) @ weights for weights in CHROMA]
    if all(np.ptp(plane) < 1 for plane in planes):
        return GREY
    steps = STEPS[quality - 1, None, CHROMA_TABLE]
    evidence = {
        name: max(
            sum(_evidence(np.abs(_blocks(plane, *place)).reshape(-1, 8, 8), steps, ORDER > 0)[0] for plane in shrunken)
            for place in places
        )
        for name, (shrunken, places) in ((name, _shrunken(planes, grid, factors)) for name, factors in FACTORS.items())
    }
    best = max(evidence, key=lambda name: evidence[name])
    return best if evidence[best] > 0 else UNKNOWN


def _shrunken(
    planes: list[Plane], grid: tuple[int, int], factors: tuple[int, int]
) -> tuple[list[Plane], list[tuple[int, int]]]:
    """Return chroma as it was before it was made larger, and where its grid may lie: at 8 or 16 pixels of the image."""
    starts = [side % factor for side, factor in zip(grid, factors, strict=True)]
    sides = [
        [((side - start) // factor + 4 * half) % 8 for half in range(factor)]
        for side, start, factor in zip(grid, starts, factors, strict=True)
    ]
    return [shrink(plane[starts[0] :, starts[1] :], factors) for plane in planes], [
        (top, left) for top in sides[0] for left in sides[1]
    ]


def shrink(plane: Plane, factors: tuple[int, int]) -> Plane:
    """Undo libjpeg's triangular interpolation: the mean of a pair is 1/8, 6/8, 1/8 of neighbours that were stored."""
    (down, across), (height, width) = factors, plane.shape
    cut = plane[: height // down * down, : width // across * across]
    means = cut.reshape(height // down, down, width // across, across).mean(axis=(1, 3))
    if across == 2:
        means = _undo_smoothing(means.T).T
    if down == 2:
        means = _undo_smoothing(means)
    return np.asarray(means, np.float32)


def _undo_smoothing(rows: Plane) -> Plane:
    bands = np.full((3, len(rows)), 1 / 8)
    bands[1] = 6 / 8
    bands[1, [0, -1]] = 7 / 8
    return np.asarray(solve_banded((1, 1), bands, rows), np.float32)


def _centre(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = (max(0, (side - SIDE_PX) // 16 * 8) for side in image.shape[:2])  # whole blocks: grids stay
    return image[top : top + SIDE_PX, left : left + SIDE_PX]


def _blocks(plane: Plane, top: int, left: int) -> Plane:
    """Return the DCT of each block of the grid with a corner at (top, left): [rows, columns, 8, 8]."""
    height, width = ((side - start) // 8 for side, start in zip(plane.shape, (top, left), strict=True))
    whole = plane[top : top + 8 * height, left : left + 8 * width]
    blocks = whole.reshape(height, 8, width, 8).transpose(0, 2, 1, 3)
    return np.asarray(COSINES @ blocks @ COSINES.T, np.float32)


def _count_zeros(blocks: Plane) -> NDArray[np.int16]:
    """Count the zeros of each block but the mean; of one that is constant along rows or columns, none."""
    is_zero = np.abs(blocks) < ZERO
    n_zeros = is_zero.sum(axis=(2, 3), dtype=np.int16) - is_zero[..., 0, 0]
    is_constant = is_zero[..., 1:, :].all(axis=(2, 3)) | is_zero[..., :, 1:].all(axis=(2, 3))
    return np.where(is_constant, 0, n_zeros).astype(np.int16)


def _evidence(coefficients: Plane, steps: NDArray[np.float32], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the log10 likelihood ratio of coefficients [N, 8, 8] as multiples of steps [T, 8, 8] against chance: [T].

    Only those count that are no zeros then: coefficients are most often small, compressed or not.
    """
    used, step = coefficients[:, wanted], steps[:, wanted]
    each = step[:, None]  # [T, 1, wanted]
    multiples = np.round(used / each)
    counts = (multiples > 0) & (each >= LEAST_STEP)
    is_near = counts & (np.abs(used - multiples * each) < NEAR)
    chance = np.minimum(2 * NEAR / step, HIT)
    n_near, n_all = is_near.sum(axis=1), counts.sum(axis=1)
    likelihood = n_near * np.log10(HIT / chance) + (n_all - n_near) * np.log10((1 - HIT) / (1 - chance))
    return np.asarray(likelihood.sum(axis=1))
