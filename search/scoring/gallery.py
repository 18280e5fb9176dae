"""The gallery of a run, pictures that belong to no trial: a sheet of samples, the worst inputs, VGG16's maps."""

import io
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.packed import PackedDataset
from search.space.scale import UNIT_QUALITY

N_SHEET = 12
SHEET_BYTES = 4_000_000  # of pixels; of large images there are fewer
N_WORST = 3
N_MAPS = 8
Restore = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]  # [B, H, W, 3] -> the same
See = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # [B, H, W, 3] -> feature maps [B, h, w, C]


def choose_sheet(pack: PackedDataset, seed: int) -> list[int]:
    """Draw the images of the sheet by lot, the camera systems in turn: N_SHEET, or as many as SHEET_BYTES hold.

    Every system has one, unless there are more than N_SHEET.
    """
    order = np.random.default_rng(seed).permutation(len(pack.names))
    by_system: dict[str, list[int]] = {system: [] for system in sorted(set(pack.systems))}
    for image in map(int, order):
        by_system[pack.systems[image]].append(image)
    n_wanted = max(len(by_system), SHEET_BYTES // pack.originals[0].nbytes)
    turns = zip_longest(*by_system.values())
    return [image for turn in turns for image in turn if image is not None][: min(n_wanted, N_SHEET)]


def gallery_arrays(
    pack: PackedDataset, sheet: Sequence[int], worst: Sequence[int], restore: Restore | None
) -> dict[str, Any]:
    """Return the sheet's originals, and the worst inputs as originals, JPEG pictures and, given a restorer, restored.

    uint8 [N, H, W, 3] each, with names and systems.
    """
    gallery: dict[str, Any] = {
        "quality": UNIT_QUALITY,
        "sheet": pack.originals[list(sheet)],
        "sheet_names": np.array([pack.names[image] for image in sheet], np.str_),
        "sheet_systems": np.array([pack.systems[image] for image in sheet], np.str_),
        "worst_original": pack.originals[list(worst)],
        "worst_names": np.array([pack.names[image] for image in worst], np.str_),
        "worst_systems": np.array([pack.systems[image] for image in worst], np.str_),
    }
    degraded = [pack.degraded(image, UNIT_QUALITY) for image in worst]
    gallery["worst_degraded"] = np.stack(degraded) if degraded else gallery["worst_original"]
    if restore is not None and degraded:
        gallery["worst_restored"] = restore(gallery["worst_degraded"])
    return gallery


def add_maps(gallery: dict[str, Any], see: See) -> dict[str, Any]:
    """Add feature maps of the worst input, its JPEG picture and the restored one: those strongest in the original.

    maps: float32 [V, h, w, N_MAPS], V being 3, or 2 where nothing was restored; map_numbers: which of the C they are.
    """
    sides = [side for side in ("worst_original", "worst_degraded", "worst_restored") if side in gallery]
    seen = see(np.stack([gallery[side][0] for side in sides]))
    strongest = np.argsort(-seen[0].mean(axis=(0, 1)), kind="stable")[:N_MAPS]
    return {**gallery, "maps": seen[..., strongest], "map_numbers": strongest}


def gallery_to_bytes(gallery: dict[str, Any]) -> bytes:
    """Return a gallery as the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **gallery)
    return buffer.getvalue()
