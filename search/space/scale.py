"""Scales: how long trials train and how much is scored, from a laptop demo to the thesis' full protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.packed import PackedDataset
from datasets.sampling import deal_images
from models.plugins import Plugin
from search.space.spaces import for_natives
from search.space.values import By

SCORED_QUALITIES = (25, 50, 75)
MONITORED_QUALITIES = (25, 40, 50, 60, 75, 90)  # those that the pack has
REFERENCE_QUALITY = 75
UNIT_QUALITY = 50  # a margin of 1 is as far as JPEG-75 is from JPEG-50
CROP_SHARE = 192 / 360  # the thesis scores the central 192 px of 360


@dataclass(frozen=True)
class Protocol:
    """What is measured of every trial of a run, the same for all: numbers of images, sides in pixels.

    n_scored: validation images scored when a trial ends; n_tested: test images for finalists; None is all of them.
    n_compared: the most of these test images on which other codecs are tried; n_stopped: the most validation images
    scored of a trial that did not train to its end. least_viewable_ssim: what the mean SSIM of files that nobody
    restores must reach; None: they may look as they like.
    """

    n_monitored: int
    monitor_px: int
    n_scored: int | None
    n_tested: int | None = None
    n_compared: int = 256
    n_stopped: int = 256
    crop_px: int = 192
    scored_qualities: tuple[int, ...] = SCORED_QUALITIES
    least_viewable_ssim: float | None = None

    def for_images(self, size_px: int) -> "Protocol":
        """Return the protocol for images of a side: regions no larger than the image."""
        crop_px = self.crop_px if size_px > self.crop_px else round(size_px * CROP_SHARE)
        return replace(self, crop_px=crop_px, monitor_px=min(self.monitor_px, size_px))

    def for_stopped(self) -> "Protocol":
        """Return the protocol for trials that did not train to their end."""
        return replace(self, n_scored=min(self.n_stopped, self.n_scored or self.n_stopped))

    def images_to_monitor(self, pack: PackedDataset, split: str) -> NDArray[np.int64]:
        """Return the validation images that every trial is watched on, dealt over camera systems."""
        return deal_images(pack, pack.images_of(split, "validation"), self.n_monitored)

    def images_to_score(self, pack: PackedDataset, split: str, subset: str) -> NDArray[np.int64]:
        """Return the images a score is about: of a subset as many as the protocol says, dealt over camera systems.

        tiny has no test images; those of data101, which tiny never draws from, stand in.
        """
        if split == "tiny" and subset == "test":
            split = "data101"
        n_wanted = self.n_tested if subset == "test" else self.n_scored
        return deal_images(pack, pack.images_of(split, subset), n_wanted)

    def images_to_compare(self, pack: PackedDataset, split: str, seed: int) -> NDArray[np.int64]:
        """Return the test images on which other codecs are tried: all that are scored, or a random n_compared."""
        images = self.images_to_score(pack, split, "test")
        if len(images) <= self.n_compared:
            return images
        return np.sort(np.random.default_rng(seed).choice(images, self.n_compared, replace=False))


@dataclass(frozen=True)
class TrialSetup:
    """What every trial of a run is measured with: the threads it may use, VGG16's weights and a plugin if any."""

    protocol: Protocol
    n_threads: int = 1
    vgg16_weights: Path | None = None
    plugin: Plugin | None = None


@dataclass(frozen=True)
class Scale:
    """A scale. fields: what it fixes of every spec; grace_epochs, reduction_factor: ASHA's first rung and ratio.

    n_confirmed: how many of the best are trained again with n_seeds other seeds. final_split: the split of the final
    round, and final_top, how many of the best it takes; has_final_qualities: whether it trains them at each quality, or
    at their own alone. fits_budget: whether trials have fewer epochs where a time budget has no room for three that
    follow each other.
    """

    name: str
    fields: Mapping[str, Any]
    n_trials: int | None
    grace_epochs: int
    reduction_factor: int
    n_finalists: int
    protocol: Protocol
    n_confirmed: int = 3
    n_seeds: int = 2
    final_split: str = "data100"
    final_top: int = 3
    has_final_qualities: bool = True
    fits_budget: bool = False

    def with_epochs(self, epochs: int) -> "Scale":
        """Return the scale whose trials have so many epochs at most."""
        return replace(self, fields={**self.fields, "epochs": epochs})


# How native networks are trained at every scale; `benchmarks/restorers.py ablations` tries each of these alone.
NATIVE_TRAINING: Mapping[str, Any] = {
    "batch_size": 8,
    "learning_rate": 2e-3,
    "crop": "chroma-grid",
    "augmentation": "symmetries",
    "schedule": "cosine",
    "start": "near_identity",
    "clip_norm": 1.0,
    "warm_up": 0.05,
    "ema": None,
    "told_tables": True,
}
USUAL_TRAINING: Mapping[str, Any] = {
    "batch_size": 8,
    "learning_rate": 1e-3,
    "crop": "centre",
    "augmentation": "none",
    "schedule": "constant",
    "start": "thesis",
    "clip_norm": None,
    "warm_up": 0.0,
    "ema": None,
    "told_tables": None,
}


def _images(of_native10k: int) -> dict[str, int]:
    """Return how many images an epoch has, so that it takes about as long for every native network."""
    shares = {"native1k": 2.0, "native10k": 1.0, "native11k": 1.0, "native41k": 0.25}
    return {name: round(share * of_native10k) for name, share in shares.items()}


def _training(natives: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a scale: those of native networks where they differ from the others'."""
    natives, usual = {**NATIVE_TRAINING, **natives}, {**USUAL_TRAINING, **usual}
    fields = {name: for_natives(natives.get(name, value), value) for name, value in usual.items()}
    images = natives.get("epoch_images")
    return fields | ({"epoch_images": By("architecture", usual["epoch_images"], _images(images))} if images else {})


SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "demo": Scale(
            name="demo",
            # an epoch of a native network takes about as long as one of the others, which cost ten times as much
            fields={
                "split": "tiny",
                "epochs": 8,
                "normalisation": "re-estimated",
                **_training(
                    {"epoch_images": 768, "crop_px": 96},
                    {
                        "epoch_images": 192,
                        "crop_px": 48,
                        "crop": "random",
                        "augmentation": "flips-brightness",
                        "schedule": "cosine",
                        "start": "near_identity",
                    },
                ),
            },
            n_trials=12,
            grace_epochs=2,
            reduction_factor=2,
            n_finalists=2,
            protocol=Protocol(n_monitored=8, monitor_px=96, n_scored=16, n_stopped=8, n_compared=32),
            n_confirmed=1,
            final_split="tiny",
            final_top=1,
            has_final_qualities=False,
        ),
        "small": Scale(  # hours on two cores, or on an old card
            name="small",
            fields={
                "split": "tiny",
                "epochs": 48,
                "normalisation": "re-estimated",
                **_training(
                    {"epoch_images": 2304, "crop_px": 96},
                    {
                        "epoch_images": 512,
                        "crop_px": 96,
                        "crop": "random",
                        "augmentation": "flips-brightness",
                        "schedule": "cosine",
                        "start": "near_identity",
                    },
                ),
            },
            n_trials=None,
            grace_epochs=6,
            reduction_factor=2,
            n_finalists=2,
            protocol=Protocol(n_monitored=24, monitor_px=128, n_scored=48, n_compared=48),
            n_confirmed=2,
            final_split="tiny",
            final_top=2,
            has_final_qualities=False,
            fits_budget=True,
        ),
        "tiny": Scale(  # the thesis' section 3.4 and Table 5
            name="tiny",
            fields={
                "split": "tiny",
                "epochs": 30,
                "normalisation": "re-estimated",
                **_training({"crop_px": 96}, {"crop_px": 192}),
            },
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
                "normalisation": "re-estimated",
                **_training({"crop_px": 96}, {"crop_px": 192, "augmentation": "flips-brightness"}),
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
