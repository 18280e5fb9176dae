"""How far is the estimate of training memory from the peak that a fresh process has? The search places trials by it."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from models.footprint import FOOTPRINTS, training_memory_mb

RESULT = Path(__file__).resolve().parent / "results" / "memory.json"
EVERY = [("mse", 8, 192), ("mse", 4, 96), ("mse", 8, 48)]
SOME = [("mae", 8, 192), ("hf", 8, 192), ("perceptual", 8, 192), ("mse", 4, 192), ("mse", 16, 192)]
SOME_NETWORKS = ("resnet", "memnet", "unet", "smallxception")
N_STEPS = 3
N_THREADS = 1


def measure(network: str, loss: str, batch_size: int, crop_px: int) -> float:
    """Return the peak of a fresh process over the built network, in MB, of its resident memory while it trains."""
    setting = (network, loss, str(batch_size), str(crop_px))
    command = [sys.executable, __file__, *setting]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    """Measure, print and write benchmarks/results/memory.json."""
    settings = [(name, *setting) for setting in EVERY for name in FOOTPRINTS]
    settings += [(name, *setting) for setting in SOME for name in SOME_NETWORKS]
    rows = []
    for setting in settings:
        measured, estimated = measure(*setting), training_memory_mb(*setting)
        names = ("network", "loss", "batch_size", "crop_px")
        numbers = {"measured_mb": round(measured), "estimated_mb": round(estimated)}
        rows.append({**dict(zip(names, setting, strict=True)), **numbers, "ratio": round(estimated / measured, 2)})
        print(*rows[-1].values(), flush=True)
    ratios = [row["ratio"] for row in rows]
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("keras", "tensorflow", "numpy")},
        "settings": {"n_threads": N_THREADS, "n_steps": N_STEPS},
        "numbers": {"smallest_ratio": min(ratios), "largest_ratio": max(ratios), "rows": rows},
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"the estimate is {min(ratios):.2f} to {max(ratios):.2f} of what was measured")


def _train(network: str, loss: str, batch_size: int, crop_px: int) -> float:
    import numpy as np

    from models.backend import prepare_backend
    from models.build import build_model
    from models.losses import make_loss
    from models.training import TrainingPlan, compile_model

    prepare_backend(N_THREADS)
    model = build_model(network)
    images = np.random.default_rng(0).random((batch_size, crop_px, crop_px, 3), np.float32)
    before = _status_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    compile_model(model, TrainingPlan(make_loss(loss), epochs=1, n_steps=1))
    for _ in range(N_STEPS):
        model.train_on_batch(images, images)
    return _status_mb("VmHWM") - before


def _status_mb(field: str) -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(_train(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    else:
        main()
