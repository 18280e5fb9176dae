"""Near-duplicates: images that show the same field twice, moved a little, refocused, or shot again."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SIDE_PX = 32  # of the thumbnails that are compared
REACH_PX = 5  # the farthest two fields may lie apart, in pixels of a thumbnail
# Correlation of what two thumbnails share when moved onto each other. Of the 121,278 pairs of 408 Raabin-WBC and 85
# other images, 18 show one field twice, as seen by eye, and have at least 0.668; of all other pairs the most is 0.601.
SAME = 0.65
# Pairs worth moving pixel by pixel: alike as they lie, or coarsely when moved. 17 of the 18 are, and 14 others.
ALIKE, COARSELY_ALIKE = 0.6, 0.75
COARSE_MOVES = range(-REACH_PX, REACH_PX + 1, 2)
COARSE_PX, BLUR_PX = 3, 1.0
BLOCK = 512  # images compared at a time: 124 MB at 60,000 images
PAIRS = 1024  # moved onto each other at a time
FLAT = 1e-6  # sum of squares below which there is nothing to compare

Thumbnails = NDArray[np.uint8]  # [N, SIDE_PX, SIDE_PX], grey
Contrasts = NDArray[np.float32]  # [..., S, S], of mean 0


def thumbnail(image: NDArray[np.uint8]) -> Thumbnails:
    """Return the grey thumbnail of an image uint8 [H, W, 3]: uint8 [SIDE_PX, SIDE_PX]."""
    grey = Image.fromarray(np.asarray(image)).convert("L")
    return np.asarray(grey.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))


def group_thumbnails(thumbnails: NDArray[np.generic], systems: Sequence[str] | None = None) -> NDArray[np.int64]:
    """Number the fields that grey thumbnails [N, S, S] show: int [N], the first image of each field.

    What all thumbnails of a system have in common, such as its light or a cell in the centre, is taken off first, so
    it takes more than two; then images of all systems are compared. All pairs are: minutes at 60,000 images.
    """
    own = _own_contrasts(thumbnails, np.array(systems or [""] * len(thumbnails)))
    first = np.arange(len(own))
    for ones, others in _alike(own):
        is_same = _best_correlations(own[ones], own[others]) >= SAME
        for one, other in zip(ones[is_same], others[is_same], strict=True):
            low, high = sorted((first[one], first[other]))
            first[first == high] = low
    return first


def _own_contrasts(thumbnails: NDArray[np.generic], systems: NDArray[np.str_]) -> Contrasts:
    """Return what each thumbnail shows beside what its system's have in common; 0 where one is flat."""
    own = np.empty(thumbnails.shape, np.float32)
    for start in range(0, len(own), BLOCK):
        own[start : start + BLOCK] = _standardise(thumbnails[start : start + BLOCK].astype(np.float32))
    means = {system: own[systems == system].mean(axis=0) for system in np.unique(systems).tolist()}
    for start in range(0, len(own), BLOCK):
        some = own[start : start + BLOCK]
        is_flat = ~some.any(axis=(1, 2))  # shows nothing that another could show too
        some[:] = _standardise(some - np.stack([means[system] for system in systems[start : start + BLOCK].tolist()]))
        some[is_flat] = 0
    return own


def _standardise(thumbnails: Contrasts) -> Contrasts:
    """Give every thumbnail [..., S, S] a mean of 0 and a length of 1; a flat one stays 0."""
    centred = thumbnails - thumbnails.mean(axis=(-2, -1), keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(-2, -1), keepdims=True))
    flat: Contrasts = np.divide(centred, length, out=np.zeros_like(centred), where=length > FLAT)
    return flat


def _alike(own: Contrasts) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs that may show one field, some at a time: their lower and their higher numbers."""
    lying = own.reshape(len(own), -1)
    centres = np.concatenate([_coarse(_blur(own[start : start + BLOCK]), 0, 0) for start in range(0, len(own), BLOCK)])
    for start in range(0, len(own), BLOCK):
        blurred = _blur(own[start : start + BLOCK])
        is_alike = lying[start : start + BLOCK] @ lying[start:].T >= ALIKE
        for move in product(COARSE_MOVES, COARSE_MOVES):
            is_alike |= _coarse(blurred, *move) @ centres[start:].T >= COARSELY_ALIKE
        ones, others = np.nonzero(np.triu(is_alike, 1))
        for some in range(0, len(ones), PAIRS):
            yield start + ones[some : some + PAIRS], start + others[some : some + PAIRS]


def _blur(own: Contrasts) -> Contrasts:
    return np.asarray(ndimage.gaussian_filter(own, (0, BLUR_PX, BLUR_PX)), np.float32)


def _coarse(blurred: Contrasts, down: int, right: int) -> Contrasts:
    """Return every third pixel of the part of thumbnails that any other within reach shows too: [N, pixels]."""
    top, left = REACH_PX + down, REACH_PX + right
    side = SIDE_PX - 2 * REACH_PX
    part = blurred[:, top : top + side : COARSE_PX, left : left + side : COARSE_PX]
    return _standardise(part).reshape(len(blurred), -1)


def _best_correlations(ones: Contrasts, others: Contrasts) -> NDArray[np.float64]:
    """Return the highest correlation of what each two thumbnails [N, S, S] share when moved over each other: [N]."""
    moves = np.arange(-REACH_PX, REACH_PX + 1)
    down, right = (grid.ravel() for grid in np.meshgrid(moves, moves, indexing="ij"))
    padded = (2 * SIDE_PX, 2 * SIDE_PX)
    spectra = np.fft.rfft2(ones, padded) * np.fft.rfft2(others, padded).conj()
    products = np.fft.irfft2(spectra, padded)[:, down, right]  # of ones[y + down] and others[y], summed
    n_shared = (SIDE_PX - np.abs(down)) * (SIDE_PX - np.abs(right))
    sums = [_shared_sums(image.astype(np.float64), *move) for image, move in _sides(ones, others, down, right)]
    squares = [_shared_sums(image.astype(np.float64) ** 2, *move) for image, move in _sides(ones, others, down, right)]
    spreads = [square - total**2 / n_shared for square, total in zip(squares, sums, strict=True)]
    spread = np.sqrt(np.maximum(spreads[0], 0) * np.maximum(spreads[1], 0))
    covariance = products - sums[0] * sums[1] / n_shared
    return np.asarray(np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > FLAT).max(axis=1))


def _sides(
    ones: Contrasts, others: Contrasts, down: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[tuple[Contrasts, tuple[NDArray[np.int64], NDArray[np.int64]]], ...]:
    return (ones, (down, right)), (others, (-down, -right))


def _shared_sums(images: NDArray[np.float64], down: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums of images [N, S, S] over what is left of them when moved: [N, moves]."""
    corners = np.pad(images.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    top, bottom = np.maximum(0, down), SIDE_PX + np.minimum(0, down)
    left, end = np.maximum(0, right), SIDE_PX + np.minimum(0, right)
    sums = corners[:, bottom, end] - corners[:, top, end] - corners[:, bottom, left] + corners[:, top, left]
    return np.asarray(sums, np.float64)
