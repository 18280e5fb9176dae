"""Batches for training and validation: aligned crops of degraded and original images, decoded in threads, seeded.

A sample depends on (seed, epoch, its place in the epoch) only, not on threads: training can stop and go on anywhere.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError
from datasets.jpeg import Window
from datasets.packed import PackedDataset
from datasets.prefetch import map_ahead

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]  # degraded, original: [B, crop, crop, 3] in [0, 1]
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]  # a row of each

RANDOM_QUALITIES = (25, 100)  # the thesis' section 3.4: uniform, both ends included
BRIGHTNESS = (0.8, 1.2)  # the thesis' section 3.3
BATCHES_AHEAD = 3
ROWS_A_JOB = 4  # handing single samples to a thread costs a fifth of reading them


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

    def fill(place: int, pair: Pair) -> None:
        # place + 1: numpy seeds (seed, epoch, 0) as (seed, epoch), which drew the order
        rng = np.random.default_rng((settings.seed, epoch, place + 1))
        _fill_training_pair(pack, int(order[place]), settings, rng, pair)

    return _batches(fill, len(order), settings, n_threads)


def validation_batches(
    pack: PackedDataset, images: NDArray[np.int64], settings: BatchSettings, n_threads: int = 1
) -> Iterator[Batch]:
    """Yield centre crops of the images in their order, never augmented, a random quality fixed for each image."""
    _check_crop(pack, settings)
    window = centre_window(pack.size_px, settings.crop_px)

    def fill(place: int, pair: Pair) -> None:
        image = int(images[place])
        quality = _drawn_quality(settings.quality, np.random.default_rng((settings.seed, image)))
        for pixels, unit in zip(_windows(pack, image, quality, window), pair, strict=True):
            _to_unit(pixels, unit)

    return _batches(fill, len(images), settings, n_threads)


def centre_window(size_px: int, crop_px: int) -> Window:
    """Return the rows and columns of the central crop_px x crop_px of an image of size_px x size_px."""
    start = (size_px - crop_px) // 2
    return slice(start, start + crop_px), slice(start, start + crop_px)


def _fill_training_pair(
    pack: PackedDataset, image: int, settings: BatchSettings, rng: np.random.Generator, pair: Pair
) -> None:
    quality = _drawn_quality(settings.quality, rng)
    sizes = pack.size_px, settings.crop_px
    window = _random_window(*sizes, rng) if settings.crop == "random" else centre_window(*sizes)
    windows = _windows(pack, image, quality, window)
    flips = tuple(slice(None, None, -1 if flipped else 1) for flipped in rng.integers(0, 2, 2))
    brightness = np.float32(rng.uniform(*BRIGHTNESS))
    for pixels, unit in zip(windows, pair, strict=True):
        _to_unit(pixels[flips] if settings.augment else pixels, unit)
        if settings.augment:
            np.minimum(unit * brightness, 1, out=unit)


def _drawn_quality(quality: int | str, rng: np.random.Generator) -> int:
    return int(rng.integers(*RANDOM_QUALITIES, endpoint=True)) if isinstance(quality, str) else quality


def _random_window(size_px: int, crop_px: int, rng: np.random.Generator) -> Window:
    top, left = rng.integers(0, size_px - crop_px, 2, endpoint=True).tolist()
    return slice(top, top + crop_px), slice(left, left + crop_px)


def _windows(
    pack: PackedDataset, image: int, quality: int, window: Window
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return pack.degraded(image, quality, window), pack.originals[image][window]


def _to_unit(pixels: NDArray[np.uint8], unit: NDArray[np.float32]) -> None:
    np.divide(pixels, 255, out=unit, dtype=np.float32)


def _batches(
    fill: Callable[[int, Pair], None], n_samples: int, settings: BatchSettings, n_threads: int
) -> Iterator[Batch]:
    """Yield batches that the threads fill in place: stacking finished samples would touch the memory twice."""

    def fill_rows(job: tuple[int, range, Batch]) -> Batch | None:
        first, rows, (degraded, original) = job
        for row in rows:
            fill(first + row, (degraded[row], original[row]))
        return (degraded, original) if rows.stop == len(degraded) else None

    n_ahead = BATCHES_AHEAD * -(-settings.batch_size // ROWS_A_JOB)
    for batch in map_ahead(fill_rows, _jobs(n_samples, settings), n_threads, n_ahead):
        if batch:  # jobs come back in order, so the last one of a batch means all of them
            yield batch


def _jobs(n_samples: int, settings: BatchSettings) -> Iterator[tuple[int, range, Batch]]:
    """Yield the place of a batch's first sample, some of the batch's rows, and the batch, still empty."""
    for first in range(0, n_samples, settings.batch_size):
        n_rows = min(settings.batch_size, n_samples - first)
        shape = (n_rows, settings.crop_px, settings.crop_px, 3)
        batch = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for row in range(0, n_rows, ROWS_A_JOB):
            yield first, range(row, min(row + ROWS_A_JOB, n_rows)), batch


def _check_crop(pack: PackedDataset, settings: BatchSettings) -> None:
    if settings.crop_px > pack.size_px:
        raise InputError(f"the crop must fit in the pack's {pack.size_px} px images, got crop_px={settings.crop_px}")
