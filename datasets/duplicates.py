"""Near-duplicates: images that show the same field twice, moved a little, refocused, or shot again."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.packed import PackedDataset

SIDE_PX = 32  # of the thumbnails that are compared
REACH_PX = 5  # the farthest two fields may lie apart, in pixels of a thumbnail
# Correlations of thumbnails. Of 408 Raabin-WBC images 12 pairs show one field twice, as seen by eye: they have at least
# 0.63 as they lie and 0.66 moved onto each other; of all other pairs the most are 0.56 and 0.60.
ALIKE, SAME = 0.6, 0.65
BLOCK = 2048  # images compared at a time

Thumbnails = NDArray[np.float32]


def group_images(pack: PackedDataset) -> NDArray[np.int64]:
    """Number the fields that a pack shows: [N], the first image of each field; only one system's images may share one.

    Reads every image once and compares all pairs of thumbnails: minutes at the thesis' 60,296 images.
    """
    groups = np.arange(len(pack.names))
    systems = np.array(pack.systems)
    for system in dict.fromkeys(pack.systems):
        images = np.flatnonzero(systems == system)
        found = group_thumbnails(np.stack([thumbnail(pack.originals[image]) for image in images]))
        groups[images] = images[found]
    return groups


def group_thumbnails(thumbnails: Thumbnails) -> NDArray[np.int64]:
    """Number the fields of grey thumbnails [N, S, S]: [N], the first one of each field.

    What all thumbnails have in common, such as a cell in the centre, is taken off first, so it takes more than two.
    """
    shown = _standardise(thumbnails)
    own = _standardise(shown - shown.mean(axis=0))
    own[~shown.any(axis=(1, 2))] = 0  # a flat image shows nothing that another could show too
    first = np.arange(len(own))
    for one, other in _alike(own.reshape(len(own), -1)):
        if _best_correlation(own[one], own[other]) >= SAME:
            low, high = sorted((first[one], first[other]))
            first[first == high] = low
    return first


def thumbnail(image: NDArray[np.uint8]) -> Thumbnails:
    """Return the grey thumbnail of an image [H, W, 3] that fields are compared by: [32, 32]."""
    grey = Image.fromarray(np.asarray(image)).convert("L")
    return np.asarray(grey.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX), np.float32)


def _standardise(thumbnails: Thumbnails) -> Thumbnails:
    """Give every thumbnail [..., S, S] a mean of 0 and a length of 1; a flat one stays 0."""
    centred = thumbnails - thumbnails.mean(axis=(-2, -1), keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(-2, -1), keepdims=True))
    flat: Thumbnails = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-6)
    return flat


def _alike(rows: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of rows [N, S * S] that correlate as they lie, the lower number first."""
    for start in range(0, len(rows), BLOCK):
        correlations = rows[start : start + BLOCK] @ rows[start:].T
        for one, other in np.argwhere(correlations >= ALIKE):
            if one < other:
                yield start + int(one), start + int(other)


def _best_correlation(one: Thumbnails, other: Thumbnails) -> float:
    """Return the highest correlation of what two thumbnails share when moved over each other."""
    moves = range(-REACH_PX, REACH_PX + 1)
    return max(
        float((_standardise(one[_kept(y), _kept(x)]) * _standardise(other[_kept(-y), _kept(-x)])).sum())
        for y in moves
        for x in moves
    )


def _kept(move: int) -> slice:
    return slice(max(0, move), SIDE_PX + min(0, move))
