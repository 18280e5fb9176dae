"""What do the zero-mean kernels of start near_identity, and the gain of the first, bring in a short training?"""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from datasets.batches import Batch, BatchSettings, centre_window, training_batches
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import synthesize
from datasets.tables import tables_of_quality
from models.backend import prepare_backend
from models.build import build_model
from models.evaluation import restore, to_8_bits
from models.losses import make_loss
from models.metrics import measure
from models.training import TrainingPlan, train

NETWORKS = ("resnet", "jjnet")
GAINS = (1, 2, 4, 8)
SEEDS = (0, 1)
N_IMAGES = 120
EPOCHS, EPOCH_IMAGES, BATCH_SIZE, CROP_PX = 4, 192, 8, 48
LEARNING_RATE, SCHEDULE, LOSS = 1e-3, "cosine", "mse"
QUALITIES = (25, 50, 75)
N_VALIDATION, VALIDATION_PX = 8, 96
RESULT = Path(__file__).resolve().parent / "results" / "start.json"


def last_at_zero(architecture: str) -> keras.Model:
    """Return a network of Keras' default start but for its last convolution, which is zero."""
    model = build_model(architecture)
    last = _convolutions(model)[-1]
    last.kernel.assign(np.zeros(last.kernel.shape, np.float32))
    return model


def zero_mean(architecture: str, gain: int) -> keras.Model:
    """Return a network of start near_identity, whose first convolution has this gain."""
    model = build_model(architecture, start="near_identity")
    first = _convolutions(model)[0]
    first.kernel.assign(first.kernel * gain)
    return model


STARTS: dict[str, Callable[[str], keras.Model]] = {
    "last at zero": last_at_zero,
    **{f"zero mean, gain {gain}": lambda name, gain=gain: zero_mean(name, gain) for gain in GAINS},
}


def trained(model: keras.Model, pack: PackedDataset, seed: int) -> keras.Model:
    """Train a model on random crops at random qualities and return it."""
    settings = BatchSettings("random", BATCH_SIZE, CROP_PX, "random", seed=seed)
    images = np.resize(pack.images_of("tiny", "train"), EPOCH_IMAGES)
    n_steps = EPOCH_IMAGES // BATCH_SIZE
    plan = TrainingPlan(make_loss(LOSS), EPOCHS, n_steps, LEARNING_RATE, SCHEDULE)

    def batches(epoch: int) -> Iterator[Batch]:
        return training_batches(pack, images, settings, epoch)

    for _ in train(model, plan, batches, lambda model: (0.0, {})):
        pass
    return model


def gains_db(model: keras.Model, pack: PackedDataset) -> dict[int, float]:
    """Return by how much restored validation crops, rounded to 8 bits, beat their input: mean PSNR gain by quality."""
    images = pack.images_of("tiny", "validation")[:N_VALIDATION]
    window = centre_window(pack.size_px, VALIDATION_PX)
    originals = _unit(pack.originals[images][:, *window])
    gains = {}
    for quality in QUALITIES:
        degraded = np.stack([pack.degraded(image, quality, window) for image in images])
        after = measure(originals, _unit(to_8_bits(restore(model, degraded, tables_of_quality(quality)))))["psnr_db"]
        gains[quality] = float(np.mean(after - measure(originals, _unit(degraded))["psnr_db"]))
    return gains


def compare(pack: PackedDataset) -> dict[str, dict[str, dict[str, float]]]:
    """Return network -> start -> PSNR gain in dB by quality, the mean of them, and that mean's range over seeds."""
    numbers: dict[str, dict[str, dict[str, float]]] = {}
    for network in NETWORKS:
        numbers[network] = {}
        for start, build in STARTS.items():
            by_seed = []
            for seed in SEEDS:
                keras.utils.clear_session()
                keras.utils.set_random_seed(seed)
                by_seed.append(list(gains_db(trained(build(network), pack, seed), pack).values()))
            gains = np.array(by_seed)
            row = dict(zip((f"q{quality}" for quality in QUALITIES), gains.mean(axis=0), strict=True))
            row |= {"mean": gains.mean(), "range_over_seeds": np.ptp(gains.mean(axis=1))}
            numbers[network][start] = {name: round(float(gain), 3) for name, gain in row.items()}
            print(f"{network}, {start}: " + ", ".join(f"{k} {v:+.3f}" for k, v in row.items()) + " dB", flush=True)
    return numbers


def main() -> None:
    """Measure, print and write benchmarks/results/start.json."""
    prepare_backend(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        write_pack(synthesize(N_IMAGES, SEEDS[0]), Path(folder, "pack"), PackSettings(qualities=QUALITIES))
        numbers = compare(open_pack(Path(folder, "pack")))
    packages = ("keras", "tensorflow", "numpy", "pillow")
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "settings": {
            "n_images": N_IMAGES,
            "epochs": EPOCHS,
            "epoch_images": EPOCH_IMAGES,
            "batch_size": BATCH_SIZE,
            "crop_px": CROP_PX,
            "learning_rate": LEARNING_RATE,
            "schedule": SCHEDULE,
            "loss": LOSS,
            "seeds": SEEDS,
            "validation": {"n_images": N_VALIDATION, "crop_px": VALIDATION_PX},
        },
        "psnr_gain_db": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for network, rows in numbers.items():
        best = max(rows, key=lambda start: rows[start]["mean"])
        print(f"{network}: best of {len(rows)} starts is {best}, {rows[best]['mean']:+.2f} dB over its input")


def _convolutions(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def _unit(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.divide(pixels, 255, dtype=np.float32)


if __name__ == "__main__":
    main()
