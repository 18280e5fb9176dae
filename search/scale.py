"""Scales: how long trials train and how much is scored, from a laptop demo to the thesis' full protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.packed import PackedDataset

SCORED_QUALITIES = (25, 50, 75)
REFERENCE_QUALITY = 75
UNIT_QUALITY = 50  # a margin of 1 is as far as JPEG-75 is from JPEG-50
CROP_SHARE = 192 / 360  # the thesis scores the central 192 px of 360


@dataclass(frozen=True)
class Protocol:
    """What is measured of every trial of a run, the same for all: numbers of images, sides in pixels.

    n_scored: validation images scored when a trial ends, and test images for finalists; None is all of them.
    n_compared: the most of these test images on which other codecs are tried.
    """

    n_monitored: int
    monitor_px: int
    n_scored: int | None
    n_compared: int = 256
    crop_px: int = 192
    scored_qualities: tuple[int, ...] = SCORED_QUALITIES

    def for_images(self, size_px: int) -> "Protocol":
        """Return the protocol for images of a side: regions no larger than the image."""
        crop_px = self.crop_px if size_px > self.crop_px else round(size_px * CROP_SHARE)
        return replace(self, crop_px=crop_px, monitor_px=min(self.monitor_px, size_px))

    def images_to_score(self, pack: PackedDataset, split: str, subset: str) -> NDArray[np.int64]:
        """Return the images a score is about: the first n_scored of a subset.

        tiny has no test images; those of data101, which tiny never draws from, stand in.
        """
        if split == "tiny" and subset == "test":
            split = "data101"
        return pack.images_of(split, subset)[: self.n_scored]

    def images_to_compare(self, pack: PackedDataset, split: str, seed: int) -> NDArray[np.int64]:
        """Return the test images on which other codecs are tried: all that are scored, or a random n_compared."""
        images = self.images_to_score(pack, split, "test")
        if len(images) <= self.n_compared:
            return images
        return np.sort(np.random.default_rng(seed).choice(images, self.n_compared, replace=False))


@dataclass(frozen=True)
class Bench:
    """What every trial of a run is measured with: the threads it may use, and the file of VGG16's weights if any."""

    protocol: Protocol
    n_threads: int = 1
    vgg16_weights: Path | None = None


@dataclass(frozen=True)
class Scale:
    """A scale. fields: what it fixes of every spec; grace_epochs, reduction_factor: ASHA's first rung and ratio."""

    name: str
    fields: Mapping[str, Any]
    n_trials: int | None
    grace_epochs: int
    reduction_factor: int
    n_finalists: int
    protocol: Protocol


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "demo": Scale(
            name="demo",
            fields={
                "split": "tiny",
                "epochs": 16,
                "epoch_images": 192,
                "crop_px": 48,
                "crop": "random",
                "augmentation": "flips-brightness",
                "schedule": "cosine",
                "start": "near_identity",
            },
            n_trials=8,
            grace_epochs=2,
            reduction_factor=2,
            n_finalists=1,
            protocol=Protocol(n_monitored=6, monitor_px=96, n_scored=8),
        ),
        "tiny": Scale(  # the thesis' section 3.4 and Table 5
            name="tiny",
            fields={"split": "tiny", "epochs": 30, "crop_px": 192},
            n_trials=None,
            grace_epochs=2,
            reduction_factor=3,
            n_finalists=3,
            protocol=Protocol(n_monitored=64, monitor_px=192, n_scored=None),
        ),
        "full": Scale(  # the thesis' section 3.4 and Table 6; its longest training took 299 epochs (Table 7)
            name="full",
            fields={
                "split": "data100",
                "epochs": 300,
                "patience": 50,
                "crop_px": 192,
                "augmentation": "flips-brightness",
            },
            n_trials=None,
            grace_epochs=10,
            reduction_factor=3,
            n_finalists=3,
            protocol=Protocol(n_monitored=64, monitor_px=192, n_scored=None),
        ),
    }
)


def choose_scale(name: str, n_gpus: float) -> tuple[Scale, str | None]:
    """Return the scale of a name, and a sentence where "auto" had to choose.

    Raises ValueError for an unknown name, listing the known ones.
    """
    if name == "auto":
        chosen, why = ("tiny", "a GPU") if n_gpus else ("demo", "no GPU")
        return SCALES[chosen], f"scale {chosen}, because there is {why} here; --scale chooses another"
    if name not in SCALES:
        raise ValueError(f"unknown scale {name!r}; known: auto, {', '.join(SCALES)}")
    return SCALES[name], None
