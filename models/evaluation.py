"""Evaluation: restore whole images, round them to 8 bits as they would be shown, and score both regions."""

import keras
import numpy as np
from numpy.typing import NDArray

from models.metrics import measure

Region = dict[str, float]


def restore(model: keras.Model, degraded: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Restore images: uint8 [B, H, W, 3] -> float32 [B, H, W, 3], as the model gives them, not clipped."""
    restored: NDArray[np.float32] = np.asarray(model.predict_on_batch(np.divide(degraded, 255, dtype=np.float32)))
    return restored


def to_8_bits(restored: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clip to [0, 1] and round to 8 bits; what is not a number becomes 0."""
    return np.rint(np.clip(np.nan_to_num(restored), 0, 1) * 255).astype(np.uint8)


def score_regions(original: NDArray[np.uint8], restored: NDArray[np.float32], crop_px: int) -> dict[str, Region]:
    """Score a restored image, float32 [H, W, 3], against its original, uint8 [H, W, 3].

    Returns, for the whole image ("full") and its central crop_px x crop_px ("crop"), each metric of the image rounded
    to 8 bits, and under NAME_raw that of the unclipped floats.
    """
    both = np.stack([np.divide(to_8_bits(restored), 255, dtype=np.float32), restored])
    return {
        region: {f"{name}{suffix}": float(values[side]) for name, values in metrics.items() for side, suffix in SIDES}
        for region, metrics in _measure_regions(original, both, crop_px).items()
    }


def score_shown(original: NDArray[np.uint8], shown: NDArray[np.uint8], crop_px: int) -> dict[str, Region]:
    """Score an image of 8 bits as `score_regions` does, without the raw scores, which would be the same."""
    measured = _measure_regions(original, np.divide(shown, 255, dtype=np.float32)[None], crop_px)
    return {region: {name: float(value) for name, (value,) in metrics.items()} for region, metrics in measured.items()}


def _measure_regions(
    original: NDArray[np.uint8], images: NDArray[np.float32], crop_px: int
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measure float32 [B, H, W, 3] against one original, in each region: metric -> [B]."""
    top, left = ((side - crop_px) // 2 for side in original.shape[:2])
    centre = np.s_[:, top : top + crop_px, left : left + crop_px]
    originals = np.repeat(np.divide(original, 255, dtype=np.float32)[None], len(images), axis=0)
    return {"crop": measure(originals[centre], images[centre]), "full": measure(originals, images)}


SIDES = ((0, ""), (1, "_raw"))
