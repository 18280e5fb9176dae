"""What one trial is: a `TrialSpec`, checked when it is built, with an identity that is the same everywhere."""

import hashlib
import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from datasets.encoders.family import EncoderFamily, find_family
from datasets.pack_format import plain_jpeg
from datasets.qualities import RANDOM as RANDOM
from datasets.qualities import quality_range
from models.footprint import footprint
from models.names import (
    ARCHITECTURES,
    LOSSES,
    OUTPUT_ACTIVATIONS,
    PERCEPTUAL,
    PRECISIONS,
    STARTS,
    UNTRAINED,
    WEIGHTED_LOSSES,
    is_of_plugin,
)
from models.sizes import SIZE_FIELDS, NetworkSize, network_size

SPLITS = ("tiny", "data100", "data101")
CROPS = ("centre", "random", "chroma-grid")
AUGMENTATIONS = ("none", "flips-brightness", "symmetries")
SCHEDULES = ("constant", "cosine")
NORMALISATIONS = ("moving", "re-estimated")
IDENTITY = "identity"
JOINED = "+"  # between the names of encoders
LEAST_CROP_PX, LEAST_PERCEPTUAL_CROP_PX = 16, 32  # VGG16 halves an image five times


class TrialStatus(StrEnum):
    """How a trial ended. Every ended trial has a record, whatever its status."""

    COMPLETED = "completed"  # all epochs, or its plateau
    STOPPED = "stopped"  # by the early-stopping rule, for a weak showing
    PAUSED = "paused"  # scored where the search ended; --resume trains it on, and its next record replaces this one
    DIVERGED = "diverged"  # non-finite, or more than 10 dB under its own input
    DEAD = "dead"  # returns its input
    FAILED = "failed"  # raised an error, kept in the record
    UNKNOWN = "unknown"  # in some way that only a newer version knows; no trial of this one ends so


@dataclass(frozen=True)
class TrialSpec:
    """Everything that decides a trial's outcome on a given dataset, and nothing else.

    training_quality: JPEG quality 1..100, "random" (25..100, drawn per sample), or a range such as "20-80".
    epoch_images: training images shown in an epoch; None shows every one.
    crop_px: side of the training crop in pixels; crop says where it is taken.
    patience: epochs without a lower validation loss that end the trial; None trains all epochs.
    clip_norm: largest norm of the whole gradient; None does not clip.
    global_residual: whether the network predicts what to add to its input, or the restored image itself.
    restore_best: whether it is scored with the weights of its best margin, or with its last.
    precision, xla: how a GPU computes it; both change the last digits.
    width, depth, kernel_px, downscale, told_tables: of a native network, where they are not those of its name.
    ssim_weight: of 1 - SSIM, for the losses that have it. warm_up: share of the steps in which the rate rises.
    ema: how much of the average of weights is kept at each step, None averages none. normalisation: "moving" has batch
    normalisation judged by its moving statistics, "re-estimated" by those of a few training batches.
    learning_rate: of native10k; those of other native networks follow from it by their sizes.
    encoder: the family of encoders, such as "jpeg-c0.6", that writes the files, see `datasets.encoders.family`; None is
    JPEG as the pack holds it.
    encoders: names of families joined by "+", on whose files a network is pretrained, a part of each epoch on each;
    encoder is the one that it is watched on. pretrained: the id of the trial whose weights this one begins with.
    parent: the id of the trial whose state this one goes on from, None for one of its own.
    Raises ValueError with the rule, what was found and what to do.
    """

    architecture: str
    loss: str = "mse"
    output_activation: str = "none"
    training_quality: int | str = 75
    split: str = "tiny"
    learning_rate: float = 1e-3
    batch_size: int = 8
    epochs: int = 30
    patience: int | None = None
    epoch_images: int | None = None
    crop_px: int = 192
    crop: str = "centre"
    augmentation: str = "none"
    schedule: str = "constant"
    clip_norm: float | None = None
    global_residual: bool = True
    start: str = "thesis"
    restore_best: bool = True
    precision: str = "float32"
    xla: bool = False
    seed: int = 0
    parent: str | None = None
    width: int | None = None
    depth: int | None = None
    kernel_px: int | None = None
    downscale: int | None = None
    told_tables: bool | None = None
    ssim_weight: float | None = None
    warm_up: float = 0.0
    ema: float | None = None
    normalisation: str = "moving"
    encoder: str | None = None
    encoders: str | None = None
    pretrained: str | None = None

    def __post_init__(self) -> None:
        if not is_of_plugin(self.architecture):
            _require_known("network", self.architecture, ARCHITECTURES)
        if not is_of_plugin(self.loss):
            _require_known("loss", self.loss, LOSSES)
        _require_known("output activation", self.output_activation, OUTPUT_ACTIVATIONS)
        _require_known("split", self.split, SPLITS)
        _require_known("crop", self.crop, CROPS)
        _require_known("augmentation", self.augmentation, AUGMENTATIONS)
        _require_known("schedule", self.schedule, SCHEDULES)
        _require_known("start", self.start, STARTS)
        _require_known("precision", self.precision, PRECISIONS)
        _require_known("normalisation", self.normalisation, NORMALISATIONS)
        quality_range(self.training_quality)
        if self.encoder is not None:
            find_family(self.encoder)
        if self.encoders is not None and self.encoder not in self.encoders.split(JOINED):
            raise ValueError(f"encoder must be one of the encoders {self.encoders}, got {self.encoder!r}")
        network_size(self.architecture, **self._size_changes)
        _require_at_least("batch_size", self.batch_size, 1)
        _require_at_least("epochs", self.epochs, 1 if self.is_trained else 0)
        _require_at_least("crop_px", self.crop_px, LEAST_CROP_PX)
        if self.loss == PERCEPTUAL and self.crop_px < LEAST_PERCEPTUAL_CROP_PX:
            raise ValueError(f"the perceptual loss needs a crop_px of 32 or more, got {self.crop_px}")
        _require_at_least("seed", self.seed, 0)
        for field in ("epoch_images", "patience"):
            if getattr(self, field) is not None:
                _require_at_least(field, getattr(self, field), 1)
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate must be between 0 and 1, got {self.learning_rate!r}")
        for field in ("clip_norm", "ssim_weight"):
            value = getattr(self, field)
            if value is not None and not value > 0:
                raise ValueError(f"{field} must be positive or None, got {value!r}")
        if self.ssim_weight is None and self.loss in WEIGHTED_LOSSES:
            raise ValueError(f"the loss {self.loss} needs an ssim_weight, such as 2.0")
        if self.ssim_weight is not None and self.loss not in WEIGHTED_LOSSES:
            raise ValueError(
                f"ssim_weight belongs to the losses {', '.join(WEIGHTED_LOSSES)} alone, "
                f"got {self.ssim_weight!r} with {self.loss}"
            )
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"warm_up must be a share of the steps from 0 to below 1, got {self.warm_up!r}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema must be between 0 and 1 or None, got {self.ema!r}")

    @property
    def is_baseline(self) -> bool:
        """True of what everything is compared with: files as they are stored today, returned as they are."""
        return self.architecture == IDENTITY and self.encoder is None

    @property
    def returns_input(self) -> bool:
        """True of files that nobody restores, whatever writes them."""
        return self.architecture == IDENTITY

    @property
    def family(self) -> EncoderFamily | None:
        """What writes the files, None: what the pack holds."""
        return find_family(self.encoder) if self.encoder is not None else None

    @property
    def is_trained(self) -> bool:
        """False of what has no epochs: JPEG as it is, and the linear filter in closed form."""
        return self.architecture not in UNTRAINED

    @property
    def size(self) -> NetworkSize | None:
        """The size of a native network, None of others."""
        return network_size(self.architecture, **self._size_changes)

    @property
    def families(self) -> tuple[EncoderFamily | None, ...]:
        """What writes the files that it is trained on: its family, of a network that is pretrained several."""
        return (self.family,) if self.encoders is None else tuple(map(find_family, self.encoders.split(JOINED)))

    def encoder_at(self, quality: int) -> str:
        """Name what writes the files of a quality."""
        return (self.family.at(quality) if self.family else plain_jpeg(quality)).name

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates of one restored pixel."""
        return footprint(self.architecture, self.size).macs_per_pixel

    @property
    def _size_changes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SIZE_FIELDS}

    @property
    def trial_id(self) -> str:
        """The readable name used in logs, files and tables; its tail is a hash of the whole spec.

        Only what differs from the default is hashed: a field that comes later leaves the names of earlier trials alone.
        """
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        differing = {field.name: own[field.name] for field in fields(self) if own[field.name] != field.default}
        tail = hashlib.sha256(json.dumps(differing, sort_keys=True).encode()).hexdigest()[:8]
        encoder = () if self.encoder is None else (self.encoder,)
        if self.architecture == IDENTITY:
            return "-".join((IDENTITY, *encoder, tail))
        if not self.is_trained:
            return "-".join((self.architecture, *encoder, f"q{self.training_quality}", f"s{self.seed}", tail))
        predicts = () if self.global_residual else ("direct",)
        axes = (*encoder, *predicts, self.loss, self.output_activation, f"q{self.training_quality}", f"s{self.seed}")
        return "-".join((self.architecture, *axes, tail))


def _require_known(noun: str, name: object, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"unknown {noun} {name!r}; known: {', '.join(known)}")


def _require_at_least(field: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{field} must be a whole number of at least {least}, got {value!r}")


BASELINE = TrialSpec(architecture=IDENTITY, epochs=0)
FILTER = TrialSpec(architecture="linear", epochs=0)
