"""What the TensorFlow backend computes of small images, for every backend to agree with: tests/fixtures/backend.npz.

Made anew by `python -m tests.backend_fixture`, on TensorFlow, when a network, a loss or a metric changes on purpose.
"""

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.build import ARCHITECTURES, build_model
from models.losses import LOSSES, make_loss, mse, perceptual, vgg16_features
from models.metrics import METRICS
from models.sizes import NetworkSize
from models.training import TrainingPlan, compile_model, train, train_epoch

FIXTURE = Path(__file__).parent / "fixtures" / "backend.npz"
TRAINED = ("resnet", "smallxception")
AVERAGED = ("native11k",)  # trained with all that native networks are trained with
TOLD = NetworkSize(8, 1, downscale=4, told_tables=True)
SIDES = (34, 37)


def compute() -> dict[str, NDArray[np.float32]]:
    """Return, by name, what this process' backend makes of the same images with the same weights."""
    degraded, original = images()
    found = {f"network {name}": _restored(_model(name), degraded) for name in ARCHITECTURES}
    tables = np.linspace(0, 1, 8, dtype=np.float32)[None]
    told = _drawn(build_model("native1k", size=TOLD))
    found["network told tables"] = np.asarray(keras.ops.convert_to_numpy(told([degraded, tables])))
    for name in LOSSES:
        loss = perceptual(_drawn(vgg16_features(None))) if name == "perceptual" else make_loss(name)
        found[f"loss {name}"] = np.asarray(keras.ops.convert_to_numpy(loss(original, degraded)))
    for name, metric in METRICS.items():
        values = metric(keras.ops.convert_to_tensor(original), keras.ops.convert_to_tensor(degraded))
        found[f"metric {name}"] = np.asarray(keras.ops.convert_to_numpy(values))
    for name in TRAINED:
        model = _model(name)
        compile_model(model, TrainingPlan(mse, epochs=1, n_steps=2, learning_rate=1e-4))
        train_epoch(model, [(degraded, original)] * 2, 2)
        found[f"trained {name}"] = _restored(model, degraded)
    for name in AVERAGED:
        found[f"averaged {name}"] = _averaged(name)
    return found


def images() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image with noise on it, and without, float32 [1, 34, 37, 3] in [0, 1]."""
    rng = np.random.default_rng(0)
    original = rng.uniform(0.1, 0.9, (1, *SIDES, 3)).astype(np.float32)
    return original + rng.normal(0, 0.03, original.shape).astype(np.float32), original


def _averaged(architecture: str) -> NDArray[np.float32]:
    """Return what the average of a network's weights restores after two steps."""
    degraded, original = images()
    seen: list[NDArray[np.float32]] = []

    def watch(model: keras.Model) -> tuple[float, dict[str, float | None]]:
        seen.append(_restored(model, degraded))
        return 0.0, {}

    rate = {"learning_rate": 1e-4, "schedule": "cosine", "warm_up": 0.5, "clip_norm": 1.0}
    plan = TrainingPlan(make_loss("psnr-ssim"), epochs=1, n_steps=2, ema=0.9, **rate)  # type: ignore[arg-type]
    list(train(_model(architecture), plan, lambda epoch: [(degraded, original)] * 2, watch))
    return seen[0]


def _model(architecture: str) -> keras.Model:
    return _drawn(build_model(architecture))


def _drawn(model: keras.Model) -> keras.Model:
    """Give a model weights that numpy draws, such that features keep the size of their inputs."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if len(weight.shape) == 4:
            n_inputs = np.prod(weight.shape[:2] if "depthwise" in weight.path else weight.shape[:3])
            values = rng.normal(0, 1 / np.sqrt(n_inputs), weight.shape)
        else:
            values = rng.uniform(0.5, 1.5, weight.shape) if weight.name in ("gamma", "moving_variance") else None
        weight.assign(np.zeros(weight.shape) if values is None else values)
    return model


def _restored(model: keras.Model, degraded: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(model(degraded)))


if __name__ == "__main__":
    FIXTURE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FIXTURE, **compute())  # type: ignore[arg-type]
