"""How images are divided: data100 and data101 (60/20/20), and tiny, a small part of data101 without a test set."""

import random
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError

SPLITS = {"data100": 100, "data101": 101, "tiny": 101}  # name -> seed
SUBSETS = ("train", "validation", "test")
GROUPED, RANDOM = "grouped", "random"
UNUSED = ""
TINY_IMAGES = 11_999  # the thesis' Table 2: 9,600 to train, 2,399 to validate
LEAST_IMAGES = 6  # below that, a subset would be empty

Item = TypeVar("Item")
Unit = list[int]  # images that stand on one side


def split_images(n_images: int, groups: NDArray[np.int64] | None = None) -> dict[str, list[str]]:
    """Return, for each split, the subset of each image ("" where the split leaves it out).

    groups: int [N], a number that the images of a group share; they are in the same subset. Without, and where no two
    images share one, the images are divided as in the thesis. An image of tiny's train or validation part is in the
    same part of data101, so data101's test images are new to what was trained on either.

    Raises InputError for fewer than six images, or groups so large that a subset would be empty.
    """
    if n_images < LEAST_IMAGES:
        raise InputError(f"a pack needs at least {LEAST_IMAGES} images, one or more in every subset, got {n_images}")
    units = _units(range(n_images) if groups is None else groups.tolist())
    splits = {name: _sixty_twenty_twenty(n_images, units, SPLITS[name]) for name in ("data100", "data101")}
    return {**splits, "tiny": _tiny(splits["data101"], SPLITS["tiny"])}


def _units(groups: Sequence[int]) -> list[Unit]:
    """List the images of each group, in the order of their first images."""
    units: dict[int, Unit] = {}
    for image, group in enumerate(groups):
        units.setdefault(group, []).append(image)
    return list(units.values())


def _sixty_twenty_twenty(n_images: int, units: list[Unit], seed: int) -> list[str]:
    """Deal shuffled groups: to test while they fit into its fifth, then to validation while they fit, else to train."""
    room = {"test": n_images // 5, "validation": n_images // 5, "train": n_images}
    dealt: dict[str, list[Unit]] = {subset: [] for subset in room}
    for unit in _shuffled(units, seed):
        subset = next(subset for subset, n_free in room.items() if len(unit) <= n_free)
        room[subset] -= len(unit)
        dealt[subset].append(unit)
    for subset in ("test", "validation"):
        if not dealt[subset]:  # every group is larger than a fifth
            if len(dealt["train"]) < 2:
                raise InputError(
                    f"the images form only {len(units)} groups, and each must stand on one side of a split: bring "
                    f"images of more patients or slides, group them otherwise, or take --split {RANDOM}"
                )
            smallest = min(dealt["train"], key=len)
            dealt["train"].remove(smallest)
            dealt[subset].append(smallest)
    subsets = [UNUSED] * n_images
    for subset, of_subset in dealt.items():
        for image in (image for unit in of_subset for image in unit):
            subsets[image] = subset
    return subsets


def _tiny(data101: list[str], seed: int) -> list[str]:
    parts = {part: [i for i, subset in enumerate(data101) if subset == part] for part in ("train", "validation")}
    n_tiny = min(TINY_IMAGES, len(parts["train"]) * 5 // 4, len(parts["validation"]) * 5)
    n_validation = max(1, n_tiny // 5)
    subsets = [UNUSED] * len(data101)
    for part, n_part in (("train", max(1, n_tiny - n_validation)), ("validation", n_validation)):
        for image in _shuffled(parts[part], seed)[:n_part]:
            subsets[image] = part
    return subsets


def _shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    order = list(items)
    random.Random(seed).shuffle(order)
    return order
