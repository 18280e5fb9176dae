"""How long does scoring a restored image take, metrics compiled together against one by one?"""

import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from models.backend import prepare_backend
from models.evaluation import score_regions
from models.metrics import METRICS

SIDE_PX, CROP_PX, N_IMAGES = 360, 192, 8
N_ROUNDS = 7
RESULT = Path(__file__).resolve().parent / "results" / "scoring.json"


def one_by_one(originals: np.ndarray, restored: np.ndarray) -> None:
    """Measure both regions, rounded and raw, image by image and metric by metric."""
    edge = (SIDE_PX - CROP_PX) // 2
    for original, image in zip(originals, restored, strict=True):
        wanted = original.astype(np.float32)[None] / np.float32(255)
        shown = np.rint(np.clip(image, 0, 1) * 255)[None] / np.float32(255)
        for region in (slice(None), slice(edge, edge + CROP_PX)):
            for side in (shown, image[None]):
                for metric in METRICS.values():
                    float(metric(wanted[:, region, region], side[:, region, region])[0])


def _median_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(N_ROUNDS + 1):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times[1:]))  # the first one compiles


def main() -> None:
    """Measure, print and write benchmarks/results/scoring.json."""
    prepare_backend(1)
    rng = np.random.default_rng(0)
    originals = rng.integers(0, 256, (N_IMAGES, SIDE_PX, SIDE_PX, 3), np.uint8)
    restored = (originals / 255 + rng.normal(0, 0.01, originals.shape)).astype(np.float32)
    apart, together = (
        _median_s(lambda: one_by_one(originals, restored)) / N_IMAGES,
        _median_s(lambda: score_regions(originals, restored, CROP_PX)) / N_IMAGES,
    )
    numbers = {
        "one_by_one_ms_an_image": round(1000 * apart, 1),
        "together_ms_an_image": round(1000 * together, 1),
        "speed_over_one_by_one": round(apart / together, 2),
    }
    machine = {"processor": platform.machine(), "n_cpus": os.cpu_count()}
    versions = {"python": platform.python_version()} | {
        name: version(name) for name in ("keras", "tensorflow", "numpy")
    }
    RESULT.write_text(json.dumps({"machine": machine, "versions": versions, "numbers": numbers}, indent=2) + "\n")
    print(numbers)


if __name__ == "__main__":
    main()
