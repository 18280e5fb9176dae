"""Scores of a restorer: a row per image, input quality and region, and sample pictures, from kept weights."""

import io
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datasets.packed import PackedDataset
from models.evaluation import restore, score_regions, to_8_bits
from search.scale import UNIT_QUALITY, Protocol

Row = dict[str, Any]
N_FIXED_SAMPLES = 2
N_WORST_SAMPLES = 1


def images_to_score(pack: PackedDataset, split: str, subset: str, protocol: Protocol) -> NDArray[np.int64]:
    """Return the images a score is about: the first n_scored of a subset.

    tiny has no test images; those of data101, which tiny never draws from, stand in.
    """
    if split == "tiny" and subset == "test":
        split = "data101"
    return pack.images_of(split, subset)[: protocol.n_scored]


def score_images(
    model: keras.Model, pack: PackedDataset, images: Iterable[int], qualities: Iterable[int], protocol: Protocol
) -> list[Row]:
    """Restore each image at each quality, whole, and return its rows: both regions, 8-bit and raw scores."""
    crop_px = protocol.crop_px
    rows = []
    for image in map(int, images):
        for quality in qualities:
            restored = restore(model, pack.degraded(image, quality)[None])[0]
            facts = {
                "image": image,
                "name": pack.names[image],
                "system": pack.systems[image],
                "input_quality": quality,
                "jpeg_bytes": len(pack.jpeg_bytes(image, quality)),
                "crop_px": crop_px,
            }
            regions = score_regions(pack.originals[image], restored, crop_px)
            rows += [{**facts, "region": region, **scores} for region, scores in regions.items()]
    return rows


def scores_to_bytes(rows: list[Row]) -> bytes:
    """Return rows as the bytes of a parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def scores_from_bytes(data: bytes) -> list[Row]:
    """Read what scores_to_bytes returned."""
    rows: list[Row] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


def sample_pictures(model: keras.Model, pack: PackedDataset, rows: list[Row], qualities: tuple[int, ...]) -> bytes:
    """Return sample pictures as the bytes of an .npz file: the first scored images and the worst JPEGs among them."""
    images = list(dict.fromkeys(row["image"] for row in rows))
    fixed = images[:N_FIXED_SAMPLES]
    worst = [image for image in _worst_first(pack, images) if image not in fixed][:N_WORST_SAMPLES]
    chosen = [*fixed, *worst]
    degraded = np.stack([[pack.degraded(image, quality) for quality in qualities] for image in chosen])
    restored = np.stack([to_8_bits(restore(model, batch)) for batch in degraded])
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


def _worst_first(pack: PackedDataset, images: list[int]) -> list[int]:
    def jpeg_mse(image: int) -> float:
        error = pack.originals[image].astype(np.float32) - pack.degraded(image, UNIT_QUALITY)
        return float(np.mean(np.square(error)))

    return sorted(images, key=jpeg_mse, reverse=True)
