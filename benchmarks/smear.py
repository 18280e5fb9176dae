"""How fast is the built-in smear drawn on one core, beside PNG-encoding the same images with Pillow?"""

import io
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.smear import synthesize

N_IMAGES = 60
N_ROUNDS = 5
SEED = 0
RESULT = Path(__file__).resolve().parent / "results" / "smear.json"


def draw() -> list[NDArray[np.uint8]]:
    """Draw the images of one round."""
    return [source.read() for source in synthesize(N_IMAGES, SEED)]


def encode(images: list[NDArray[np.uint8]]) -> None:
    """Encode every image as PNG with Pillow's defaults and drop the bytes: the yardstick."""
    for image in images:
        Image.fromarray(image).save(io.BytesIO(), "PNG")


def measure() -> dict[str, float]:
    """Return images per second of processor time for drawing and for the yardstick, and their ratio: medians of rounds.

    Processor time, not the clock: one core's worth, whatever else the machine does.
    """
    draw_s, encode_s = [], []
    for _ in range(N_ROUNDS):
        start = time.process_time()
        images = draw()
        drawn = time.process_time()
        encode(images)
        draw_s.append(drawn - start)
        encode_s.append(time.process_time() - drawn)
    return {
        "smears_per_s": round(N_IMAGES / float(np.median(draw_s)), 1),
        "pngs_per_s": round(N_IMAGES / float(np.median(encode_s)), 1),
        "smear_over_png_time": round(float(np.median(np.array(draw_s) / np.array(encode_s))), 2),
    }


def main() -> None:
    """Measure, print and write benchmarks/results/smear.json."""
    numbers = measure()
    packages = ("numpy", "scipy", "pillow")
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "settings": {"n_images": N_IMAGES, "n_rounds": N_ROUNDS, "seed": SEED},
        "numbers": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"smears drawn: {numbers['smears_per_s']:.1f} images/s on one core")
    print(f"yardstick, PNG by Pillow: {numbers['pngs_per_s']:.1f} images/s")
    print(f"one smear takes {numbers['smear_over_png_time']:.2f} times its PNG encoding")


if __name__ == "__main__":
    main()
