"""Groups: images that must stand on one side of a split, as they show one field, or belong to one patient or slide."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.grouping.duplicates import Thumbnails, group_thumbnails

N_NAMED = 3  # of what a note lists


@dataclass(frozen=True)
class Groups:
    """The groups of a pack's images. first: int [N], the number of the first image of each one's group.

    by: what grouped them: the number of groups of several images by each way.
    """

    first: NDArray[np.int64]
    by: dict[str, int]
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says of the groups."""
        sizes = Counter(self.first.tolist())
        return {
            "by": self.by,
            "n_groups": len(sizes),
            "n_grouped_images": sum(size for size in sizes.values() if size > 1),
            "largest_group": max(sizes.values()),
        }


def find_groups(rows: Sequence[dict[str, Any]], thumbnails: Thumbnails, labels: Sequence[str] | None = None) -> Groups:
    """Group images of identical pixels, of one field and of one label, whichever system they are of.

    rows: name, system and sha256 of each image; labels: such as the patient of each image.
    """
    names = [row["name"] for row in rows]
    identical = by_key(row["sha256"] for row in rows)
    fields = group_thumbnails(thumbnails, [row["system"] for row in rows])
    by = {"identical_pixels": _n_shared(identical), "near_duplicates": _n_shared(fields)}
    ways = [identical, fields]
    if labels is not None:
        ways.append(by_key(labels))
        by["labels"] = _n_shared(ways[-1])
    return Groups(join(ways), by, tuple(_identical_note(identical, names)))


def join(ways: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the groups of images that any way puts together, directly or through others: the first image of each."""
    first = list(range(len(ways[0])))

    def root(image: int) -> int:
        while first[image] != image:
            first[image] = first[first[image]]
            image = first[image]
        return image

    for way in ways:
        for image, other in enumerate(way.tolist()):
            low, high = sorted((root(image), root(other)))
            first[high] = low
    return np.array([root(image) for image in range(len(first))])


def by_key(keys: Iterable[Hashable]) -> NDArray[np.int64]:
    """Return the groups of images that share a key: the first image of each one's."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, image) for image, key in enumerate(keys)])


def _n_shared(first: NDArray[np.int64]) -> int:
    return sum(size > 1 for size in Counter(first.tolist()).values())


def _identical_note(first: NDArray[np.int64], names: Sequence[str]) -> list[str]:
    copies = [(names[image], names[original]) for image, original in enumerate(first.tolist()) if image != original]
    if not copies:
        return []
    named = ", ".join(f"{copy} is {original}" for copy, original in copies[:N_NAMED])
    more = ", ..." if len(copies) > N_NAMED else ""
    return [f"{len(copies)} images have the same pixels as another one: {named}{more}"]
