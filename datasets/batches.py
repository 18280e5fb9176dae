"""Batches for training and validation: aligned crops of degraded and original images, decoded in threads, seeded.

A sample depends on (seed, epoch, its place in the epoch) only, not on threads: training can stop and go on anywhere.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.encoders.windows import decode_encoded, degrade_to_train, encode_window
from datasets.errors import InputError
from datasets.jpeg import Window
from datasets.packed import PackedDataset
from datasets.prefetch import map_ahead
from datasets.qualities import quality_range
from datasets.tables import N_NUMBERS

Pixels = NDArray[np.float32]  # [B, crop, crop, 3] in [0, 1]
Batch = tuple[Pixels | tuple[Pixels, NDArray[np.float32]], Pixels]  # degraded, perhaps with tables [B, 8]; original
Sample = tuple[NDArray[np.uint8], NDArray[np.uint8], float]  # degraded, original: [crop, crop, 3]; brightness

BRIGHTNESS = (0.8, 1.2)  # the thesis' section 3.3
BATCHES_AHEAD = 2
N_SYMMETRIES = 8
WHOLE_PIXEL = np.dtype("V3")
ROWS_A_JOB = 4  # handing single samples to a thread costs a fifth of reading them


@dataclass(frozen=True)
class BatchSettings:
    """What a batch holds.

    quality: 1..100, "random" (25..100, drawn per sample) or a range such as "20-80"; crop: a name of CROPS, where a
    sample is taken; augmentation: a name of AUGMENTATIONS; tables: whether the quantisation tables of each sample come
    with it, as `datasets.tables` describes them. Raises ValueError for an unknown name, listing the known.
    """

    quality: int | str
    batch_size: int
    crop_px: int
    crop: str = "centre"
    augmentation: str = "none"
    seed: int = 0
    tables: bool = False

    def __post_init__(self) -> None:
        quality_range(self.quality)
        for noun, name, known in (("crop", self.crop, CROPS), ("augmentation", self.augmentation, AUGMENTATIONS)):
            if name not in known:
                raise ValueError(f"unknown {noun} {name!r}; known: {', '.join(known)}")


def training_batches(
    pack: PackedDataset, images: NDArray[np.int64], settings: BatchSettings, epoch: int, n_threads: int = 1
) -> Iterator[Batch]:
    """Yield the batches of an epoch: the images in an order of its own, a random quality drawn per sample."""
    _check_crop(pack, settings)
    order = np.random.default_rng((settings.seed, epoch)).permutation(images)

    def read(place: int) -> tuple[Sample, int]:
        # place + 1: numpy takes the seeds (seed, epoch, 0) and (seed, epoch), which drew the order, for the same
        rng = np.random.default_rng((settings.seed, epoch, place + 1))
        return _training_sample(pack, int(order[place]), settings, rng)

    return _batches(pack, read, len(order), settings, n_threads)


def validation_batches(
    pack: PackedDataset,
    images: NDArray[np.int64],
    settings: BatchSettings,
    n_threads: int = 1,
    files: dict[int, bytes] | None = None,
) -> Iterator[Batch]:
    """Yield centre crops of the images in their order, never augmented, a random quality fixed for each image.

    files: takes in a JPEG file of each crop and what it needs around it, some kB, so that whoever keeps it for the next
    time, with the same settings, has each compressed but once, and the rest of the images never decoded.
    """
    _check_crop(pack, settings)
    window = centre_window(pack.size_px, settings.crop_px)

    def read(place: int) -> tuple[Sample, int]:
        image = int(images[place])
        quality = _drawn_quality(settings.quality, np.random.default_rng((settings.seed, image)))
        if files is None:
            return (*_windows(pack, image, quality, window), 1), quality
        original = pack.originals[image]
        encoder = pack.encoder_at(quality)
        if image not in files:
            files[image] = encode_window(original, encoder, window)
        return (decode_encoded(files[image], encoder, original.shape[:2], window), original[window], 1), quality

    return _batches(pack, read, len(images), settings, n_threads)


def centre_window(size_px: int, crop_px: int) -> Window:
    """Return the rows and columns of the central crop_px x crop_px of an image of size_px x size_px."""
    start = (size_px - crop_px) // 2
    return slice(start, start + crop_px), slice(start, start + crop_px)


def _training_sample(
    pack: PackedDataset, image: int, settings: BatchSettings, rng: np.random.Generator
) -> tuple[Sample, int]:
    quality = _drawn_quality(settings.quality, rng)
    window = CROPS[settings.crop](pack.size_px, settings.crop_px, rng)
    return AUGMENTATIONS[settings.augmentation](pack, image, quality, window, rng), quality


def _drawn_quality(quality: int | str, rng: np.random.Generator) -> int:
    low, high = quality_range(quality)
    return low if low == high else int(rng.integers(low, high, endpoint=True))


def _random_window(size_px: int, crop_px: int, rng: np.random.Generator, step_px: int = 1) -> Window:
    """Return a window that starts anywhere on a grid of step_px."""
    n_places = (size_px - crop_px) // step_px
    top, left = (step_px * rng.integers(0, n_places, 2, endpoint=True)).tolist()
    return slice(top, top + crop_px), slice(left, left + crop_px)


CROPS: Mapping[str, Callable[[int, int, np.random.Generator], Window]] = {  # sides of image and crop -> window
    "centre": lambda size_px, crop_px, rng: centre_window(size_px, crop_px),
    "random": _random_window,
    "chroma-grid": partial(_random_window, step_px=2),  # where 4:2:0 has a pixel of chroma
}


def _as_it_is(pack: PackedDataset, image: int, quality: int, window: Window, rng: np.random.Generator) -> Sample:
    return *_windows(pack, image, quality, window), 1


def _flipped_and_brightened(
    pack: PackedDataset, image: int, quality: int, window: Window, rng: np.random.Generator
) -> Sample:
    """Flip and brighten what the JPEG shows, as the thesis did (section 3.3): its blocks are flipped as well."""
    degraded, original = _windows(pack, image, quality, window)
    down, across = rng.integers(0, 2, 2).tolist()
    return _flipped(degraded, down, across), _flipped(original, down, across), rng.uniform(*BRIGHTNESS)


def _flipped(pixels: NDArray[np.uint8], down: bool, across: bool) -> NDArray[np.uint8]:
    rows = pixels[::-1] if down else pixels
    if not across:
        return rows
    whole = np.ascontiguousarray(rows).view(WHOLE_PIXEL)  # moved one by one, channels would take half as long again
    return np.ascontiguousarray(whole[:, ::-1]).view(np.uint8)


def _turned(pack: PackedDataset, image: int, quality: int, window: Window, rng: np.random.Generator) -> Sample:
    """Flip, mirror and transpose the original, one of eight symmetries, before it is compressed."""
    original = turn(pack.originals[image], int(rng.integers(N_SYMMETRIES)))
    return degrade_to_train(original, pack.encoder_at(quality), window), original[window], 1


AUGMENTATIONS: Mapping[str, Callable[[PackedDataset, int, int, Window, np.random.Generator], Sample]] = {
    "none": _as_it_is,
    "flips-brightness": _flipped_and_brightened,
    "symmetries": _turned,
}


def turn(image: NDArray[np.uint8], symmetry: int) -> NDArray[np.uint8]:
    """Return one of the eight symmetries of a square, 0..7, of an image [H, W, 3]; 0 leaves it as it is."""
    turned = image.transpose(1, 0, 2) if symmetry & 4 else image
    return turned[:: -1 if symmetry & 1 else 1, :: -1 if symmetry & 2 else 1]


def _windows(
    pack: PackedDataset, image: int, quality: int, window: Window
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return pack.degraded_again(image, quality, window), pack.originals[image][window]


def _batches(
    pack: PackedDataset,
    read: Callable[[int], tuple[Sample, int]],
    n_samples: int,
    settings: BatchSettings,
    n_threads: int,
) -> Iterator[Batch]:
    """Yield the batches of samples 0..n_samples - 1, read in n_threads threads."""

    def read_rows(job: _Job) -> Batch | None:
        for row in job.rows:
            (*sides, brightness), quality = read(job.first + row)
            for place, pixels in zip((job.degraded, job.original), sides, strict=True):
                place[row] = pixels
                np.divide(place[row], np.float32(255), out=place[row])
                if brightness != 1:
                    np.multiply(place[row], np.float32(brightness), out=place[row])
                if brightness > 1:
                    np.minimum(place[row], 1, out=place[row])
            if job.tables is not None:
                job.tables[row] = pack.told_tables(quality)
        return job.batch() if job.rows.stop == len(job.degraded) else None

    n_ahead = BATCHES_AHEAD * -(-settings.batch_size // ROWS_A_JOB)
    # parts come in order: with the last rows of a batch, all of it is there
    return (batch for batch in map_ahead(read_rows, _jobs(n_samples, settings), n_threads, n_ahead) if batch)


class _Job(NamedTuple):
    """A few rows to fill of a batch, whose first sample is `first`."""

    first: int
    rows: range
    degraded: Pixels
    original: Pixels
    tables: NDArray[np.float32] | None

    def batch(self) -> Batch:
        return (self.degraded if self.tables is None else (self.degraded, self.tables)), self.original


def _jobs(n_samples: int, settings: BatchSettings) -> Iterator[_Job]:
    """Yield the rows of every batch, a few at a time."""
    for first in range(0, n_samples, settings.batch_size):
        n_rows = min(settings.batch_size, n_samples - first)
        shape = (n_rows, settings.crop_px, settings.crop_px, 3)
        sides = np.empty(shape, np.float32), np.empty(shape, np.float32)
        tables = np.empty((n_rows, N_NUMBERS), np.float32) if settings.tables else None
        for row in range(0, n_rows, ROWS_A_JOB):
            yield _Job(first, range(row, min(row + ROWS_A_JOB, n_rows)), *sides, tables)


def _check_crop(pack: PackedDataset, settings: BatchSettings) -> None:
    if settings.crop_px > pack.size_px:
        raise InputError(f"the crop must fit in the pack's {pack.size_px} px images, got crop_px={settings.crop_px}")
