"""Batches for training and validation: aligned crops of degraded and original images, decoded in threads, seeded.

A sample depends on (seed, epoch, its place in the epoch) only, not on threads: training can stop and go on anywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError
from datasets.jpeg import Window
from datasets.packed import PackedDataset
from datasets.prefetch import map_ahead

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]  # degraded, original: [B, crop, crop, 3] in [0, 1]
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]  # the same without B

RANDOM_QUALITIES = (25, 100)  # the thesis' section 3.4: uniform, both ends included
BRIGHTNESS = (0.8, 1.2)  # the thesis' section 3.3
BATCHES_AHEAD = 3


@dataclass(frozen=True)
class BatchSettings:
    """What a batch holds. quality: 1..100 or "random"; crop: "centre" or "random"; augment: flips and brightness."""

    quality: int | str
    batch_size: int
    crop_px: int
    crop: str = "centre"
    augment: bool = False
    seed: int = 0


def training_batches(
    pack: PackedDataset, images: NDArray[np.int64], settings: BatchSettings, epoch: int, n_threads: int = 1
) -> Iterator[Batch]:
    """Yield the batches of an epoch: the images in an order of its own, a random quality drawn per sample."""
    _check_crop(pack, settings)
    order = np.random.default_rng((settings.seed, epoch)).permutation(images)

    def read(place: int) -> Pair:
        return _training_pair(pack, int(order[place]), settings, np.random.default_rng((settings.seed, epoch, place)))

    return _batches(map_ahead(read, range(len(order)), n_threads, BATCHES_AHEAD * settings.batch_size), settings)


def validation_batches(
    pack: PackedDataset, images: NDArray[np.int64], settings: BatchSettings, n_threads: int = 1
) -> Iterator[Batch]:
    """Yield centre crops of the images in their order, never augmented, a random quality fixed for each image."""
    _check_crop(pack, settings)

    def read(image: int) -> Pair:
        quality = _drawn_quality(settings.quality, np.random.default_rng((settings.seed, image)))
        return _pair(pack, image, quality, centre_window(pack.size_px, settings.crop_px))

    return _batches(map_ahead(read, map(int, images), n_threads, BATCHES_AHEAD * settings.batch_size), settings)


def centre_window(size_px: int, crop_px: int) -> Window:
    """Return the rows and columns of the central crop_px x crop_px of an image of size_px x size_px."""
    start = (size_px - crop_px) // 2
    return slice(start, start + crop_px), slice(start, start + crop_px)


def _training_pair(pack: PackedDataset, image: int, settings: BatchSettings, rng: np.random.Generator) -> Pair:
    quality = _drawn_quality(settings.quality, rng)
    sizes = pack.size_px, settings.crop_px
    window = _random_window(*sizes, rng) if settings.crop == "random" else centre_window(*sizes)
    pair = _pair(pack, image, quality, window)
    if not settings.augment:
        return pair
    flips = tuple(slice(None, None, -1 if flipped else 1) for flipped in rng.integers(0, 2, 2))
    brightness = np.float32(rng.uniform(*BRIGHTNESS))
    degraded_crop, original_crop = (np.minimum(side[flips] * brightness, np.float32(1)) for side in pair)
    return degraded_crop, original_crop


def _drawn_quality(quality: int | str, rng: np.random.Generator) -> int:
    return int(rng.integers(*RANDOM_QUALITIES, endpoint=True)) if isinstance(quality, str) else quality


def _random_window(size_px: int, crop_px: int, rng: np.random.Generator) -> Window:
    top, left = rng.integers(0, size_px - crop_px, 2, endpoint=True).tolist()
    return slice(top, top + crop_px), slice(left, left + crop_px)


def _pair(pack: PackedDataset, image: int, quality: int, window: Window) -> Pair:
    return _unit(pack.degraded(image, quality, window)), _unit(pack.originals[image][window])


def _unit(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.divide(pixels, 255, dtype=np.float32)


def _batches(pairs: Iterator[Pair], settings: BatchSettings) -> Iterator[Batch]:
    while chunk := [pair for _, pair in zip(range(settings.batch_size), pairs, strict=False)]:
        yield np.stack([degraded for degraded, _ in chunk]), np.stack([original for _, original in chunk])


def _check_crop(pack: PackedDataset, settings: BatchSettings) -> None:
    if settings.crop_px > pack.size_px:
        raise InputError(f"the crop must fit in the pack's {pack.size_px} px images, got crop_px={settings.crop_px}")
