"""Evaluation: restore whole images, round them to 8 bits as they would be shown, and score both regions."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from models.metrics import measure
from models.names import METRICS, REPORTED_METRICS

AT_ONCE_PX = 192**2  # one image where it is larger; of wide networks more would be no faster, and slower out of cache

Region = dict[str, float]


def restore(model: keras.Model, degraded: NDArray[np.uint8], tables: NDArray[np.float32]) -> NDArray[np.float32]:
    """Restore images: uint8 [B, H, W, 3] -> float32 [B, H, W, 3], as the model gives them, not clipped.

    tables: float32 [8], the quantisation tables of all of them, for a model that wants to be told. A few images at a
    time, so that memory does not grow with their number.
    """
    n_at_once = max(1, AT_ONCE_PX // (degraded.shape[1] * degraded.shape[2]))
    parts = [degraded[first : first + n_at_once] for first in range(0, len(degraded), n_at_once)]
    return np.concatenate([_restore_at_once(model, part, tables) for part in parts])


def _restore_at_once(
    model: keras.Model, degraded: NDArray[np.uint8], tables: NDArray[np.float32]
) -> NDArray[np.float32]:
    images = np.divide(degraded, 255, dtype=np.float32)
    inputs = [images, np.repeat(tables[None], len(images), axis=0)] if len(model.inputs) > 1 else images
    return np.asarray(model.predict_on_batch(inputs))


def to_8_bits(restored: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clip to [0, 1] and round to 8 bits; what is not a number becomes 0."""
    return np.rint(np.clip(np.nan_to_num(restored), 0, 1) * 255).astype(np.uint8)


def score_regions(originals: NDArray[np.uint8], restored: NDArray[np.float32], crop_px: int) -> dict[str, list[Region]]:
    """Score restored images, float32 [B, H, W, 3], against their originals, uint8 [B, H, W, 3].

    Returns, for the whole images ("full") and their central crop_px x crop_px ("crop"), for each image each metric of
    the image rounded to 8 bits, and under NAME_raw that of the unclipped floats. The worst window, for which no raw
    score is asked anywhere, has none.
    """
    shown = _measure_regions(originals, np.divide(to_8_bits(restored), 255, dtype=np.float32), crop_px)
    raw = _measure_regions(originals, restored, crop_px, METRICS)
    return {
        region: [
            {**_row(shown[region], image), **{f"{name}_raw": score for name, score in _row(raw[region], image).items()}}
            for image in range(len(originals))
        ]
        for region in shown
    }


def score_shown(original: NDArray[np.uint8], shown: NDArray[np.uint8], crop_px: int) -> dict[str, Region]:
    """Score an image of 8 bits, [H, W, 3], as `score_regions` does, without the raw scores, which would be the same."""
    measured = _measure_regions(original[None], np.divide(shown, 255, dtype=np.float32)[None], crop_px)
    return {region: _row(metrics, 0) for region, metrics in measured.items()}


def _measure_regions(
    originals: NDArray[np.uint8],
    images: NDArray[np.float32],
    crop_px: int,
    names: Sequence[str] = REPORTED_METRICS,
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measure float32 [B, H, W, 3] against their originals, in each region: metric -> [B]."""
    top, left = ((side - crop_px) // 2 for side in originals.shape[1:3])
    centre = np.s_[:, top : top + crop_px, left : left + crop_px]
    wanted = np.divide(originals, 255, dtype=np.float32)
    return {"crop": measure(wanted[centre], images[centre], names), "full": measure(wanted, images, names)}


def _row(metrics: dict[str, NDArray[np.float64]], image: int) -> Region:
    return {name: float(values[image]) for name, values in metrics.items()}
