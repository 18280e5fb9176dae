"""The closed-form filter of a pack's training images: what `linear` is, and where native networks start."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from datasets.batches import centre_window, turn
from datasets.encoders.windows import degrade_to_train
from datasets.packed import ByFingerprint, PackedDataset
from datasets.qualities import quality_range
from datasets.sampling import deal_images
from models.ridge import NormalEquations, fit_filter

N_TRAINING, N_VALIDATION = 64, 32  # images: of each 3,800 places are seen at each quality
CROP_PX = 128
N_QUALITIES = 4  # of a range: its ends and what lies between
N_SYMMETRIES = 8
N_KEPT = 16  # sums of a worker's process, which the trials of a search share


def fitted_filter(pack: PackedDataset, split: str, training_quality: int | str) -> NDArray[np.float32]:
    """Return the filter [5, 5, 12, 12] fitted to a split's training images at a quality, or to those of a range.

    A few seconds, then kept in memory. Regularised by, and never harmful in the mean of any camera system and quality
    of, validation images.
    """
    return _fit(ByFingerprint(pack), split, training_quality)


def _fit(key: ByFingerprint, split: str, training_quality: int | str) -> NDArray[np.float32]:
    low, high = quality_range(training_quality)
    qualities = [low] if low == high else np.linspace(low, high, N_QUALITIES).round().astype(int).tolist()
    training, validation = (
        {(system, q): sums for q in qualities for system, sums in _equations(key, split, subset, q).items()}
        for subset in ("train", "validation")
    )
    groups = [group for group in training if group in validation]
    return fit_filter([training[group] for group in groups], [validation[group] for group in groups])


@lru_cache(N_KEPT)
def _equations(key: ByFingerprint, split: str, subset: str, quality: int) -> dict[str, NormalEquations]:
    """Return the normal equations of each camera system at a quality, in one pass over the images' centres.

    Images are turned by each of the eight symmetries in its turn.
    """
    pack = key.pack
    images = deal_images(pack, pack.images_of(split, subset), N_TRAINING if subset == "train" else N_VALIDATION)
    window = centre_window(pack.size_px, min(CROP_PX, pack.size_px))
    found: dict[str, NormalEquations] = {}
    for place, image in enumerate(images.tolist()):
        original = turn(np.asarray(pack.originals[image]), place % N_SYMMETRIES)
        equations = found.setdefault(pack.systems[image], NormalEquations())
        equations.add(degrade_to_train(original, pack.encoder_at(quality), window), original[window])
    return found
