"""Cameras' images, divided by fields, and what encoders and the linear restorer reach on them: for encoders.py."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.batches import centre_window, turn
from datasets.encoders.compress import degrade
from datasets.encoders.encoder import Encoder
from datasets.grouping.duplicates import group_thumbnails, thumbnail
from datasets.grouping.splits import split_images
from datasets.pack_format import plain_jpeg
from datasets.sources.source import centre_crop, find_sources
from models.build import build_model
from models.evaluation import restore, to_8_bits
from models.metrics import measure
from models.names import METRICS
from models.parity import bytes_at_parity, smallest_margin
from models.ridge import NormalEquations, fit_filter

N_TRAINING, N_VALIDATION, N_TEST = 48, 24, 48  # images of a camera at most
CROP_PX = 128  # of training images
FEW = 24, 12  # training and validation images that a filter is fitted to in a search
SEED = 0

Pixels = NDArray[np.uint8]  # [N, H, W, 3]


class Level(NamedTuple):
    """What an encoder reaches: mean bytes, the margin over JPEG-75, and the four means."""

    mean_bytes: float
    margin: float
    means: dict[str, float]


class Degraded(NamedTuple):
    """Images as an encoder's files show them, and the mean bytes of these."""

    mean_bytes: float
    shown: Pixels


@dataclass(frozen=True)
class Camera:
    """The images of a camera by subset, and what JPEG-75 and JPEG-50 reach on each subset."""

    name: str
    images: Mapping[str, Pixels]
    facts: Mapping[str, int]
    levels: dict[str, tuple[float, dict[str, float], dict[str, float]]] = field(default_factory=dict)

    def level(self, subset: str, degraded: Degraded, restored: Pixels | None = None) -> Level:
        """Return what images of a subset reach, as shown or restored."""
        shown = degraded.shown if restored is None else restored
        means = _means(self.images[subset][: len(shown)], shown)
        _, reference, unit = self.reference(subset)
        margin = smallest_margin({name: [value] for name, value in means.items()}, reference, unit)
        return Level(degraded.mean_bytes, float(margin[0]), means)

    def reference(self, subset: str) -> tuple[float, dict[str, float], dict[str, float]]:
        """Return JPEG-75's mean bytes and means, and JPEG-50's means."""
        if subset not in self.levels:
            today, half = (degrade_all(self.images[subset], plain_jpeg(quality)) for quality in (75, 50))
            originals = self.images[subset]
            means_75, means_50 = _means(originals, today.shown), _means(originals, half.shown)
            self.levels[subset] = today.mean_bytes, means_75, means_50
        return self.levels[subset]

    def share(self, subset: str, levels: Sequence[Level]) -> float:
        """Return the bytes at parity of levels at several settings, as a share of JPEG-75's."""
        sizes, margins = ([getattr(level, name) for level in levels] for name in ("mean_bytes", "margin"))
        return float(bytes_at_parity(sizes, margins, self.reference(subset)[0]))


def read_cameras(folder: Path) -> list[Camera]:
    """Read the images of each sub-folder, at their common size, and divide them by fields."""
    sources = find_sources(folder, CROP_PX)
    cameras = []
    for system in sorted({source.system for source in sources}):
        pixels = [source.read() for source in sources if source.system == system]
        size_px = min(min(image.shape[:2]) for image in pixels)
        images = np.stack([centre_crop(image, size_px) for image in pixels])
        groups = group_thumbnails(np.stack([thumbnail(image) for image in images]))
        split = np.array(split_images(len(images), groups)["data100"])
        wanted = {"train": N_TRAINING, "validation": N_VALIDATION, "test": N_TEST}
        rng = np.random.default_rng(SEED)
        places = {subset: np.flatnonzero(split == subset) for subset in wanted}
        chosen = {subset: rng.permutation(found)[: wanted[subset]] for subset, found in places.items()}
        facts = {f"n_{subset}": len(found) for subset, found in chosen.items()}
        facts |= {"size_px": size_px, "n_images": len(images), "n_fields": len(set(groups.tolist()))}
        parts = {subset: images[found] for subset, found in chosen.items()}
        cameras.append(Camera(system, {**parts, "training": images[places["train"]]}, facts))  # all, for a network
    return cameras


def degrade_all(images: Pixels, encoder: Encoder) -> Degraded:
    """Return what an encoder makes of images."""
    files = [degrade(image, encoder) for image in images]
    return Degraded(float(np.mean([len(data) for data, _ in files])), np.stack([shown for _, shown in files]))


def fitted(camera: Camera, encoder: Encoder, n_fitted: int, n_regularised: int) -> NDArray[np.float32]:
    """Return the filter in closed form for an encoder, as `search.trial.closed_form` fits it for a quality."""
    sums = [
        _equations(camera.images[subset][:n], encoder)
        for subset, n in (("train", n_fitted), ("validation", n_regularised))
    ]
    return fit_filter(sums[:1], sums[1:])


def _equations(images: Iterable[Pixels], encoder: Encoder) -> NormalEquations:
    equations = NormalEquations()
    for place, image in enumerate(images):
        original = np.ascontiguousarray(turn(image, place % 8))
        window = centre_window(len(original), CROP_PX)
        equations.add(degrade(original, encoder)[1][window], original[window])
    return equations


def _means(originals: Pixels, shown: Pixels) -> dict[str, float]:
    original, restored = (np.divide(images, 255, dtype=np.float32) for images in (originals, shown))
    return {name: float(np.mean(values)) for name, values in measure(original, restored, METRICS).items()}


class LinearRestorer:
    """The linear restorer as the network that a search keeps, with a filter fitted to each encoder."""

    def __init__(self) -> None:
        self._model = build_model("linear", start="near_identity")
        self._restored: dict[str, Pixels] = {}

    def restore(self, camera: Camera, subset: str, degraded: Degraded, encoder: Encoder, fast: bool = False) -> Pixels:
        """Return restored images of a subset; of files that show the same pixels, such as progressive ones, only once.

        fast: fit to fewer images.
        """
        key = hashlib.sha256(degraded.shown.tobytes()).hexdigest()
        if fast or key not in self._restored:
            kernel = fitted(camera, encoder, *(FEW if fast else (N_TRAINING, N_VALIDATION)))
            self._model.get_layer("filter").set_filter(kernel)
            restored = to_8_bits(restore(self._model, degraded.shown, np.zeros(8, np.float32)))
            if fast:
                return restored
            self._restored[key] = restored
        return self._restored[key]
