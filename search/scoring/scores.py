"""Scores of a restorer: a row per image, input quality and region, and sample pictures, from kept weights."""

import io
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

import keras
import numpy as np

from datasets.encoders.compress import compress, show
from datasets.packed import ByFingerprint, PackedDataset
from models.evaluation import restore, score_regions, to_8_bits
from search.scoring.score_files import Row
from search.space.scale import UNIT_QUALITY, Protocol
from search.space.spec import TrialSpec

N_FIXED_SAMPLES = 2
N_WORST_SAMPLES = 1
N_TIMED = 3
N_AT_ONCE = 8  # images that are scored together
N_KEPT = 8  # orders of images by what JPEG does to them

Done = TypeVar("Done")


def what_to_score(
    spec: TrialSpec, pack: PackedDataset, protocol: Protocol
) -> Iterator[tuple[str, tuple[int, ...], list[int]]]:
    """Yield subset, qualities and images of what a trial is scored on as it ends: validation images.

    JPEG as it is, with which all are compared, is scored at every quality, and on test images too.
    """
    for subset in ("validation", "test") if spec.returns_input else ("validation",):
        images = [int(image) for image in protocol.images_to_score(pack, spec.split, subset)]
        yield subset, tuple(pack.qualities if spec.returns_input else protocol.scored_qualities), images


def score_images(
    model: keras.Model, pack: PackedDataset, images: Iterable[int], qualities: Iterable[int], protocol: Protocol
) -> list[Row]:
    """Restore each image at each quality, whole, and return its rows: both regions, 8-bit and raw scores."""
    chosen = [int(image) for image in images]
    rows = []
    for first in range(0, len(chosen), N_AT_ONCE):
        part = chosen[first : first + N_AT_ONCE]
        originals = pack.originals[part]
        for quality in qualities:
            degraded = np.stack([pack.degraded(image, quality) for image in part])
            restored = restore(model, degraded, pack.told_tables(quality))
            regions = score_regions(originals, restored, protocol.crop_px)
            for place, image in enumerate(part):
                facts = {
                    "image": image,
                    "name": pack.names[image],
                    "system": pack.systems[image],
                    "input_quality": quality,
                    "jpeg_bytes": len(pack.file_bytes(image, quality)),
                    "crop_px": protocol.crop_px,
                }
                rows += [{**facts, "region": region, **scores[place]} for region, scores in regions.items()]
    return rows


def restoring_ms(model: keras.Model, pack: PackedDataset, image: int) -> float:
    """Return the median milliseconds of restoring a whole image, from 8 bits to 8 bits, after one that is not timed."""
    return float(np.median([spent for _, spent in time_restoring(model, pack, N_TIMED * [image])]))


def time_restoring(model: keras.Model, pack: PackedDataset, images: Iterable[int]) -> list[tuple[int, float]]:
    """Time a restorer on whole images, one at a time, after one that is not timed: (image, milliseconds) of each.

    From the decoded JPEG in 8 bits to the restored image in 8 bits, in this process's memory.
    """
    inputs = [(int(image), pack.degraded(int(image), UNIT_QUALITY)) for image in images]
    times = []
    for image, degraded in [*inputs[:1], *inputs]:
        _, spent = timed(lambda shown: to_8_bits(restore(model, shown, pack.told_tables(UNIT_QUALITY))), degraded[None])
        times.append((image, spent))
    return times[1:]


def time_files(pack: PackedDataset, images: Iterable[int]) -> list[tuple[float, float]]:
    """Time writing and reading each image's file, of the quality that restoring is timed at: milliseconds of both.

    One at a time, after one that is not timed, between 8 bits and the bytes of the file.
    """
    encoder, originals = pack.encoder_at(UNIT_QUALITY), [np.asarray(pack.originals[int(image)]) for image in images]
    times = []
    for original in [*originals[:1], *originals]:
        data, encode_ms = timed(compress, original, encoder)
        times.append((encode_ms, timed(show, data, encoder)[1]))
    return times[1:]


def timed(work: Callable[..., Done], *arguments: Any) -> tuple[Done, float]:
    """Return what some work returns, and the milliseconds that it took."""
    started = time.perf_counter()
    done = work(*arguments)
    return done, 1000 * (time.perf_counter() - started)


def sample_pictures(
    model: keras.Model, pack: PackedDataset, scored: Iterable[int], qualities: tuple[int, ...]
) -> bytes:
    """Return sample pictures as the bytes of an .npz file: the first scored images and the worst JPEGs among them."""
    images = [int(image) for image in dict.fromkeys(scored)]
    fixed = images[:N_FIXED_SAMPLES]
    worst = [image for image in _worst_first(ByFingerprint(pack), tuple(images)) if image not in fixed][
        :N_WORST_SAMPLES
    ]
    chosen = [*fixed, *worst]
    columns = [np.stack([pack.degraded(image, quality) for image in chosen]) for quality in qualities]
    degraded = np.stack(columns, axis=1)
    shown = zip(qualities, columns, strict=True)
    restored = np.stack([to_8_bits(restore(model, batch, pack.told_tables(q))) for q, batch in shown], axis=1)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        original=pack.originals[chosen],
        degraded=degraded,
        restored=restored,
        names=np.array([pack.names[image] for image in chosen]),
        qualities=np.array(qualities),
        kinds=np.array(["fixed"] * len(fixed) + ["worst"] * len(worst)),
    )
    return buffer.getvalue()


@lru_cache(N_KEPT)
def _worst_first(key: ByFingerprint, images: tuple[int, ...]) -> list[int]:
    pack = key.pack

    def jpeg_mse(image: int) -> float:
        error = pack.originals[image].astype(np.float32) - pack.degraded(image, UNIT_QUALITY)
        return float(np.mean(np.square(error)))

    return sorted(images, key=jpeg_mse, reverse=True)
