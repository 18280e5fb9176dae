"""Near-duplicates: images that show the same field twice, moved a little, refocused, or shot again."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE_PX = 32  # of the thumbnails that are compared
REACH_PX = 5  # the farthest two fields may lie apart, in pixels of a thumbnail
# Correlations of thumbnails. Of 408 Raabin-WBC images 12 pairs show one field twice, as seen by eye: they have at least
# 0.63 as they lie and 0.66 moved onto each other; of all other pairs the most are 0.56 and 0.60.
ALIKE, SAME = 0.6, 0.65
BLOCK = 512  # images compared at a time: 124 MB at 60,000 images

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
    for one, other in _alike(own.reshape(len(own), -1)):
        if _best_correlation(own[one], own[other]) >= SAME:
            low, high = sorted((first[one], first[other]))
            first[first == high] = low
    return first


def _own_contrasts(thumbnails: NDArray[np.generic], systems: NDArray[np.str_]) -> Contrasts:
    """Return what each thumbnail shows beside what its system's have in common; 0 where one is flat."""
    own = np.empty(thumbnails.shape, np.float32)
    for system in np.unique(systems):
        of_system = systems == system
        shown = _standardise(thumbnails[of_system].astype(np.float32))
        is_flat = ~shown.any(axis=(1, 2))  # shows nothing that another could show too
        shown = _standardise(shown - shown.mean(axis=0))
        shown[is_flat] = 0
        own[of_system] = shown
    return own


def _standardise(thumbnails: Contrasts) -> Contrasts:
    """Give every thumbnail [..., S, S] a mean of 0 and a length of 1; a flat one stays 0."""
    centred = thumbnails - thumbnails.mean(axis=(-2, -1), keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(-2, -1), keepdims=True))
    flat: Contrasts = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-6)
    return flat


def _alike(rows: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of rows [N, S * S] that correlate as they lie, the lower number first."""
    for start in range(0, len(rows), BLOCK):
        correlations = rows[start : start + BLOCK] @ rows[start:].T
        for one, other in np.argwhere(correlations >= ALIKE):
            if one < other:
                yield start + int(one), start + int(other)


def _best_correlation(one: Contrasts, other: Contrasts) -> float:
    """Return the highest correlation of what two thumbnails share when moved over each other."""
    moves = range(-REACH_PX, REACH_PX + 1)
    return max(
        float((_standardise(one[_kept(y), _kept(x)]) * _standardise(other[_kept(-y), _kept(-x)])).sum())
        for y in moves
        for x in moves
    )


def _kept(move: int) -> slice:
    return slice(max(0, move), SIDE_PX + min(0, move))
