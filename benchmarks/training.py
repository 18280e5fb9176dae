"""What does our training loop cost over TensorFlow alone on arrays in memory, and how fast does one thread train?

And does it keep from tracing its step again, and from growing, after its first epoch?
"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from datasets.batches import BatchSettings, training_batches
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import synthesize
from models.backend import prepare_backend
from models.blur import Tensor
from models.build import build_model
from models.cost import macs_per_pixel
from models.losses import Loss, mse
from models.training import Batch, TrainingPlan, compile_model, train_epoch

N_IMAGES = 40  # of which 24 are for training
QUALITY = 75
BATCH_SIZE = 8
LOOP_CROP_PX = 192
LOOP_ROUNDS = 9
LOOP_NETWORKS = ("resnet", "smallxception", "native10k")
SPEED_CROP_PX = 48
SPEED_BATCHES = 12
SPEED_ROUNDS = 7
SPEED_NETWORKS = ("resnet", "jjnet", "native10k")
LEARNING_RATE = 1e-3
BACKWARD_FACTOR = 3  # forward once, backward about twice that
N_THREADS = 1  # to compute, and one more to read
SEED = 0
RESULT = Path(__file__).resolve().parent / "results" / "training.json"


def measure_loops(pack: PackedDataset, network: str) -> dict[str, float]:
    """Return our loop's speed as a share of the bare loop's, medians of rounds in which each runs one epoch.

    By the clock, where reading may use a core that computing leaves free; and by processor time, where it may not. And
    how often the step was traced, and by how much the process grew, from the first round to the last.
    """
    images = pack.images_of("data101", "train")
    settings = BatchSettings(QUALITY, BATCH_SIZE, LOOP_CROP_PX, seed=SEED)
    arrays = list(training_batches(pack, images, settings, epoch=1))
    model, n_traced = _compiled_and_counted(network)
    step = _bare_step(network)
    bare, ours, traced, resident_mb = [], [], [], []
    for epoch in range(LOOP_ROUNDS + 1):
        bare.append(_seconds(lambda: _bare_epoch(step, arrays)))
        ours.append(_seconds(lambda: _our_epoch(model, pack, images, settings)))
        traced.append(n_traced())
        resident_mb.append(_resident_mb())
        print(f"{network}, round {epoch}: bare {bare[-1][0]:.2f} s, ours {ours[-1][0]:.2f} s", flush=True)
    shares = np.array(bare[1:]) / np.array(ours[1:])  # the first round traces the training step
    by_clock, by_processor = np.median(shares, axis=0)
    return {
        f"{network}_our_speed_over_bare": round(float(by_clock), 3),
        f"{network}_our_speed_over_bare_by_processor_time": round(float(by_processor), 3),
        f"{network}_bare_epoch_s": round(float(np.median([clock_s for clock_s, _ in bare[1:]])), 2),
        f"{network}_traces_after_first_epoch": traced[-1] - traced[0],
        f"{network}_resident_mb_first_epoch": round(resident_mb[0]),
        f"{network}_resident_mb_last_epoch": round(resident_mb[-1]),
    }


def measure_speed() -> dict[str, float]:
    """Return the multiply-accumulates a second of one thread in training, by network, by the clock and its own time."""
    batch: Batch = (_noise(), _noise())
    steps = {name: _bare_step(name) for name in SPEED_NETWORKS}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in SPEED_NETWORKS}
    for _ in range(SPEED_ROUNDS + 1):
        for name, step in steps.items():
            seconds[name].append(_seconds(lambda step=step: _bare_epoch(step, [batch] * SPEED_BATCHES)))
    n_pixels = SPEED_BATCHES * BATCH_SIZE * SPEED_CROP_PX**2
    numbers = {}
    for name in steps:
        macs = macs_per_pixel(name) * n_pixels * BACKWARD_FACTOR
        clock_s, processor_s = np.median(seconds[name][1:], axis=0)
        numbers[f"{name}_macs_per_s"] = float(f"{macs / clock_s:.3g}")
        numbers[f"{name}_macs_per_s_of_processor_time"] = float(f"{macs / processor_s:.3g}")
    return numbers


def main() -> None:
    """Measure, print and write benchmarks/results/training.json."""
    prepare_backend(N_THREADS)
    keras.utils.set_random_seed(SEED)
    with tempfile.TemporaryDirectory() as folder:
        write_pack(synthesize(N_IMAGES, SEED), Path(folder, "pack"), PackSettings(qualities=(QUALITY,)))
        pack = open_pack(Path(folder, "pack"))
        numbers = {key: value for network in LOOP_NETWORKS for key, value in measure_loops(pack, network).items()}
    numbers |= measure_speed()
    packages = ("keras", "tensorflow", "numpy", "pillow")
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "settings": {
            "n_threads": N_THREADS,
            "batch_size": BATCH_SIZE,
            "quality": QUALITY,
            "loop": {"networks": LOOP_NETWORKS, "crop_px": LOOP_CROP_PX, "n_rounds": LOOP_ROUNDS},
            "speed": {"crop_px": SPEED_CROP_PX, "n_batches": SPEED_BATCHES, "n_rounds": SPEED_ROUNDS},
        },
        "numbers": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for name in LOOP_NETWORKS:
        by_clock, by_processor = (numbers[f"{name}_our_speed_over_bare{how}"] for how in ("", "_by_processor_time"))
        print(f"{name}: our loop runs at {by_clock:.3f} of the bare loop's speed, a core left to read with,")
        print(f"and at {by_processor:.3f} where reading and training share a core")
    for name in SPEED_NETWORKS:
        print(f"{name} trains at {numbers[f'{name}_macs_per_s']:.3g} multiply-accumulates a second of one thread")


def _compiled(architecture: str, loss: Loss = mse) -> keras.Model:
    model = build_model(architecture)
    compile_model(model, TrainingPlan(loss, epochs=1, n_steps=1))
    return model


def _compiled_and_counted(architecture: str) -> tuple[keras.Model, Callable[[], int]]:
    """Return a compiled model, and what tells how often its training step was traced."""
    n_traced = 0

    def loss(original: Tensor, restored: Tensor) -> Tensor:
        nonlocal n_traced
        n_traced += 1  # runs when a step is traced, not when it is computed
        return mse(original, restored)

    return _compiled(architecture, loss), lambda: n_traced


def _resident_mb() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6


def _noise() -> NDArray[np.float32]:
    return np.random.default_rng(SEED).random((BATCH_SIZE, SPEED_CROP_PX, SPEED_CROP_PX, 3), np.float32)


Step = Callable[[Tensor, Tensor], Tensor]


def _bare_step(architecture: str) -> Step:
    """Return a training step in TensorFlow alone, the yardstick: gradients, and Adam written out over its variables."""
    model = build_model(architecture)
    weights = [variable.value for variable in model.trainable_variables]
    means, squares = ([tf.Variable(tf.zeros_like(weight)) for weight in weights] for _ in range(2))
    n_steps = tf.Variable(0.0)

    @tf.function
    def step(degraded: Tensor, original: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(original - model(degraded, training=True)))
        n_steps.assign_add(1.0)
        rate = LEARNING_RATE * tf.sqrt(1 - 0.999**n_steps) / (1 - 0.9**n_steps)
        for weight, mean, square, slope in zip(weights, means, squares, tape.gradient(loss, weights), strict=True):
            mean.assign_add(0.1 * (slope - mean))
            square.assign_add(0.001 * (tf.square(slope) - square))
            weight.assign_sub(rate * mean / (tf.sqrt(square) + 1e-7))
        return loss

    return step


def _bare_epoch(step: Step, batches: Sequence[Batch]) -> None:
    losses = [step(tf.constant(degraded), tf.constant(original)) for degraded, original in batches]
    float(losses[-1])


def _our_epoch(model: keras.Model, pack: PackedDataset, images: NDArray[np.int64], settings: BatchSettings) -> None:
    n_steps = -(-len(images) // settings.batch_size)
    train_epoch(model, training_batches(pack, images, settings, 1, N_THREADS), n_steps)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long work takes: by the clock, and in processor time of all this process' threads."""
    clock_s, processor_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock_s, time.process_time() - processor_s


if __name__ == "__main__":
    main()
