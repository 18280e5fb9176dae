"""A network trained for a family of encoders on one camera's images, and what it reaches on others: for encoders.py."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from encoder_cameras import SEED, Camera, Level, degrade_all, fitted
from numpy.typing import NDArray

from datasets.batches import turn
from datasets.encoders.compress import degrade, described_tables
from datasets.encoders.family import EncoderFamily
from models.architectures.planes import PlaneFilter
from models.build import build_model
from models.evaluation import restore, to_8_bits
from models.losses import LossOptions, make_loss
from models.sizes import network_size
from models.training import Batch, TrainingPlan, set_weights, train
from search.space.scale import NATIVE_TRAINING

NETWORK, WIDTH = "native11k", 32
QUALITIES = range(32, 77)  # of training with JPEG
N_LEVELS = 8  # at which restored images are measured
N_FILES = 3072  # that windows are cut from
CROP_PX, SSIM_WEIGHT = 96, 2.0


class File(NamedTuple):
    """What training windows are cut from: an image turned, as its file shows it, and the file's tables."""

    image: int
    turned: int  # of eight symmetries
    shown: NDArray[np.uint8]
    tables: NDArray[np.float32]


class NetworkRestorer:
    """A network that is told its tables, trained on a camera's training images as files of a family show them.

    qualities: of training, and on which it is measured.
    """

    def __init__(self, camera: Camera, family: EncoderFamily, qualities: range = QUALITIES) -> None:
        self.camera, self.family, self.qualities = camera, family, qualities
        self.ladder = [round(quality) for quality in np.linspace(qualities[0], qualities[-1], N_LEVELS)]
        self.model = build_model(
            NETWORK, start="near_identity", size=network_size(NETWORK, width=WIDTH, told_tables=True)
        )
        kernel = fitted(camera, family.at(50), len(camera.images["train"]), len(camera.images["validation"]))
        for layer in self.model.layers:
            if isinstance(layer, PlaneFilter):
                layer.set_filter(kernel)
        self.start = self.model.get_weights()
        self.files = self._compress()

    def fit(self, n_steps: int) -> float:
        """Train from `start` for so many steps, and return the seconds of a core that a step took."""
        self.model.set_weights(self.start)
        began = time.process_time()
        self._train(n_steps)
        return (time.process_time() - began) / n_steps

    def levels(self, subset: str) -> list[Level]:
        """Return what images of a subset reach at each quality of the ladder, restored."""
        levels = []
        for quality in self.ladder:
            encoder = self.family.at(quality)
            degraded = degrade_all(self.camera.images[subset], encoder)
            restored = restore(self.model, degraded.shown, described_tables(encoder))
            levels.append(self.camera.level(subset, degraded, to_8_bits(restored)))
        return levels

    def _train(self, n_steps: int) -> None:
        loss = make_loss("psnr-ssim", LossOptions(ssim_weight=SSIM_WEIGHT))
        told = {name: NATIVE_TRAINING[name] for name in ("learning_rate", "schedule", "clip_norm", "warm_up")}
        plan = TrainingPlan(loss, epochs=1, n_steps=n_steps, **told)
        (state,) = train(self.model, plan, lambda epoch: self._batches(n_steps), lambda model: (0.0, {}))
        set_weights(self.model, state.weights)

    def _batches(self, n_steps: int) -> Iterator[Batch]:
        rng = np.random.default_rng(SEED)
        for _ in range(n_steps):
            degraded, tables, originals = zip(
                *(self._sample(rng) for _ in range(NATIVE_TRAINING["batch_size"])), strict=True
            )
            yield (_floats(degraded), np.stack(tables)), _floats(originals)

    def _compress(self) -> list[File]:
        """Compress every training image about as often, turned and at a quality drawn at random."""
        rng = np.random.default_rng(SEED)
        images = self.camera.images["training"]
        files = []
        for place in range(N_FILES):
            image, turned = place % len(images), int(rng.integers(8))
            encoder = self.family.at(int(rng.choice(self.qualities)))
            shown = degrade(np.ascontiguousarray(turn(images[image], turned)), encoder)[1]
            files.append(File(image, turned, shown, described_tables(encoder)))
        return files

    def _sample(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
        """Cut a window on chroma's grid."""
        file = self.files[rng.integers(len(self.files))]
        original = turn(self.camera.images["training"][file.image], file.turned)
        top, left = (2 * int(rng.integers((side - CROP_PX) // 2 + 1)) for side in original.shape[:2])
        window = slice(top, top + CROP_PX), slice(left, left + CROP_PX)
        return file.shown[window], file.tables, original[window]


def _floats(images: tuple[NDArray[np.uint8], ...]) -> NDArray[np.float32]:
    return np.divide(np.stack(images), 255, dtype=np.float32)
