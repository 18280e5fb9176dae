"""How much faster are training and restoring where TensorFlow keeps its memory, and how much more does it then hold?

Each network is measured in fresh processes, with the one allocator and the other in turn, by the time of the processor.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from models.footprint import FOOTPRINTS

BACKWARD_FACTOR = 3  # forward once, backward about twice that
RESULT = Path(__file__).resolve().parent / "results" / "allocator.json"
KEEPS = "TF_CPU_ALLOCATOR_USE_BFC"
NETWORKS = ("native11k", "resnet", "jjnet", "denseunet", "memnet")
N_ROUNDS, N_STEPS, N_RESTORED = 3, 6, 4
BATCH_SIZE, CROP_PX, RESTORED_PX = 8, 96, 256


def measure(network: str) -> dict[str, float]:
    """Return a step's and an image's seconds of the processor in this process, and its largest size in MB."""
    from datasets.tables import N_NUMBERS
    from models.backend import prepare_backend

    prepare_backend(n_threads=1)
    from models.build import build_model
    from models.evaluation import restore
    from models.losses import mse
    from models.sizes import network_size
    from models.training import Batch, TrainingPlan, compile_model, train_epoch

    model = build_model(network, start="near_identity", size=network_size(network))
    compile_model(model, TrainingPlan(mse, epochs=1, n_steps=N_STEPS))
    rng = np.random.default_rng(0)
    crops = rng.random((BATCH_SIZE, CROP_PX, CROP_PX, 3), np.float32)
    images = rng.integers(0, 256, (N_RESTORED, RESTORED_PX, RESTORED_PX, 3), np.uint8)
    no_tables = np.zeros(N_NUMBERS, np.float32)

    def batches(n: int) -> Iterator[Batch]:
        yield from [(crops, crops)] * n

    train_epoch(model, batches(2), 2)  # which traces the step
    restore(model, images, no_tables)
    return {
        "step_s": _seconds(lambda: train_epoch(model, batches(N_STEPS), N_STEPS)) / N_STEPS,
        "image_s": _seconds(lambda: restore(model, images, no_tables)) / N_RESTORED,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }


def compare(network: str) -> dict[str, float]:
    """Return how fast a network trains and restores with kept memory, and what it then holds, over without."""
    found: dict[str, list[dict[str, float]]] = {"true": [], "false": []}
    for _ in range(N_ROUNDS):
        for keeps, numbers in found.items():
            command, environment = [sys.executable, __file__, network], {**os.environ, KEEPS: keeps}
            told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            numbers.append(json.loads(told.splitlines()[-1]))
    kept, given_back = (
        {name: float(np.median([row[name] for row in found[keeps]])) for name in found[keeps][0]} for keeps in found
    )
    macs = BACKWARD_FACTOR * FOOTPRINTS[network].macs_per_pixel * BATCH_SIZE * CROP_PX**2
    return {
        "macs_per_s": float(f"{macs / kept['step_s']:.2g}"),
        "training_speed": round(given_back["step_s"] / kept["step_s"], 2),
        "restoring_speed": round(given_back["image_s"] / kept["image_s"], 2),
        "peak_memory": round(kept["peak_mb"] / given_back["peak_mb"], 2),
    }


def main() -> None:
    """Measure, print and write benchmarks/results/allocator.json; or with a network's name, measure it here."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    numbers = {}
    for network in NETWORKS:
        numbers[network] = compare(network)
        print(f"{network}, with kept memory over without: {numbers[network]}", flush=True)
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")},
        "settings": {"n_threads": 1, "batch_size": BATCH_SIZE, "crop_px": CROP_PX, "restored_px": RESTORED_PX},
        "numbers": numbers,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
