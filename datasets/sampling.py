"""A few images that stand for many: dealt over camera systems, a field counted once."""

import numpy as np
from numpy.typing import NDArray

from datasets.grouping.duplicates import group_thumbnails, thumbnail
from datasets.packed import PackedDataset

SEED = 0  # of the order within a system, so that neighbours by name, which a slide's images are, do not come together
N_CANDIDATES = 4  # for each image wanted: fields seen twice are looked for among so many


def deal_images(pack: PackedDataset, images: NDArray[np.int64], n_wanted: int | None) -> NDArray[np.int64]:
    """Return n_wanted of the images, ascending, as many of each system as there can be; None or too many: all.

    Of images that show one field the first is taken; others only where there are too few without them.
    """
    if n_wanted is None or n_wanted >= len(images):
        return images
    shuffled = np.random.default_rng(SEED).permutation(images)
    systems = list(dict.fromkeys(pack.systems))
    piles = [[int(i) for i in shuffled if pack.systems[i] == system] for system in systems]
    piles = [_each_field_first(pack, pile, N_CANDIDATES * n_wanted) for pile in piles]
    dealt = [pile[turn] for turn in range(max(map(len, piles))) for pile in piles if turn < len(pile)]
    return np.sort(np.array(dealt[:n_wanted], np.int64))


def _each_field_first(pack: PackedDataset, pile: list[int], n_looked_at: int) -> list[int]:
    """Order a system's images so that those of a field seen before come last."""
    looked_at = pile[:n_looked_at]
    if not looked_at:
        return pile
    if pack.groups is None:  # a pack of an earlier version does not say
        fields = group_thumbnails(np.stack([thumbnail(pack.originals[image]) for image in looked_at]))
    else:
        fields = pack.groups[looked_at]
    _, first_places = np.unique(fields, return_index=True)
    is_first = np.isin(np.arange(len(looked_at)), first_places)
    firsts = [image for image, first in zip(looked_at, is_first, strict=True) if first]
    seen = [image for image, first in zip(looked_at, is_first, strict=True) if not first]
    return firsts + pile[n_looked_at:] + seen
