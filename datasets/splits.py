"""How images are divided: data100 and data101 (60/20/20), and tiny, a small part of data101 without a test set."""

import random

from datasets.errors import InputError

SPLITS = {"data100": 100, "data101": 101, "tiny": 101}  # name -> seed
SUBSETS = ("train", "validation", "test")
UNUSED = ""
TINY_IMAGES = 11_999  # the thesis' Table 2: 9,600 to train, 2,399 to validate
LEAST_IMAGES = 6  # below that, a subset would be empty


def split_images(n_images: int) -> dict[str, list[str]]:
    """Return, for each split, the subset of each image ("" where the split leaves it out).

    An image of tiny's train or validation part is in the same part of data101, so data101's test images are new to
    what was trained on either. Raises InputError for fewer than six images.
    """
    if n_images < LEAST_IMAGES:
        raise InputError(f"a pack needs at least {LEAST_IMAGES} images, one or more in every subset, got {n_images}")
    splits = {name: _sixty_twenty_twenty(n_images, SPLITS[name]) for name in ("data100", "data101")}
    return {**splits, "tiny": _tiny(splits["data101"], SPLITS["tiny"])}


def _sixty_twenty_twenty(n_images: int, seed: int) -> list[str]:
    subsets = [UNUSED] * n_images
    n_fifth = n_images // 5
    for rank, image in enumerate(_shuffled(range(n_images), seed)):
        subsets[image] = "test" if rank < n_fifth else "validation" if rank < 2 * n_fifth else "train"
    return subsets


def _tiny(data101: list[str], seed: int) -> list[str]:
    parts = {part: [i for i, subset in enumerate(data101) if subset == part] for part in ("train", "validation")}
    n_tiny = min(TINY_IMAGES, len(parts["train"]) * 5 // 4, len(parts["validation"]) * 5)
    n_validation = n_tiny // 5
    subsets = [UNUSED] * len(data101)
    for part, n_part in (("train", n_tiny - n_validation), ("validation", n_validation)):
        for image in _shuffled(parts[part], seed)[:n_part]:
            subsets[image] = part
    return subsets


def _shuffled(images: range | list[int], seed: int) -> list[int]:
    order = list(images)
    random.Random(seed).shuffle(order)
    return order
