"""How many images a second does packing take, does it slow down as a pack grows, how much memory does it need, and
what does an interruption cost?

Source files are BMP, as the thesis' are: mosaics of parts of drawn smears, so that no two show one field. Rates are per
second of processor time, a core's worth whatever else the machine does; the wall clock is noted beside them.
"""

import argparse
import itertools
import json
import os
import platform
import resource
import shutil
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.cores import n_cores
from datasets.pack import QUALITIES, Packing, PackSettings, write_pack
from datasets.packed import open_pack
from datasets.smear import SIZE_PX, SYSTEMS, synthesize
from datasets.sources.source import find_sources

N_DRAWN, SEED = 60, 0
N_PARTS_A_SIDE = 6
N_PARTS = 6  # of the pack, whose rates are compared
RESULTS = Path(__file__).resolve().parent / "results"


def write_sources(folder: Path, n_images: int) -> None:
    """Write n_images BMP files, each a mosaic of parts of the smears, which are drawn but once."""
    side = SIZE_PX // N_PARTS_A_SIDE
    drawn = np.stack([source.read() for source in synthesize(N_DRAWN, SEED)])
    parts = drawn.reshape(N_DRAWN, N_PARTS_A_SIDE, side, N_PARTS_A_SIDE, side, 3).swapaxes(2, 3)
    parts = parts.reshape(-1, side, side, 3)
    rng = np.random.default_rng(SEED)
    for number in range(n_images):
        chosen = parts[rng.integers(len(parts), size=(N_PARTS_A_SIDE, N_PARTS_A_SIDE))]
        path = folder / SYSTEMS[number % len(SYSTEMS)] / f"{number:06d}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chosen.swapaxes(1, 2).reshape(SIZE_PX, SIZE_PX, 3)).save(path)


def measure(folder: Path, n_images: int) -> dict[str, object]:
    """Pack the sources and return rates, each part's too, and the most memory that this process had."""
    marks: list[tuple[int, float, float]] = []

    def progress(done: int, total: int) -> None:
        if done in (1, total) or done % (total // N_PARTS) == 0:
            marks.append((done, time.process_time(), time.perf_counter()))

    start = time.perf_counter()
    images = find_sources(folder / "source", SIZE_PX)
    found = time.perf_counter()
    write_pack(images, folder / "pack", PackSettings(SIZE_PX), Packing("benchmark", progress=progress))
    ended = time.perf_counter()
    parts = [(after[0] - before[0]) / (after[1] - before[1]) for before, after in itertools.pairwise(marks)]
    halves = [np.mean(half) for half in (parts[: N_PARTS // 2], parts[N_PARTS // 2 :])]
    done, processor_s, wall_s = (last - first for first, last in zip(marks[0], marks[-1], strict=True))
    return {
        "n_images": n_images,
        "images_per_core_second": round(done / processor_s, 1),
        "images_per_core_second_by_part": [round(rate, 1) for rate in parts],
        "second_half_over_first": round(float(halves[1] / halves[0]), 3),
        "images_per_wall_second": round(done / wall_s, 1),
        "finding_s": round(found - start, 1),
        "grouping_and_closing_wall_s": round(ended - marks[-1][2], 1),
        "grouping_and_closing_processor_s": round(time.process_time() - marks[-1][1], 1),
        "most_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "pack_mb": round(sum(path.stat().st_size for path in (folder / "pack").iterdir()) / 1e6),
        "n_images_in_pack": len(open_pack(folder / "pack").names),
    }


class _InterruptedError(Exception):
    """Stands for what may end a packing half-way."""


def restart(folder: Path, n_images: int) -> dict[str, object]:
    """Pack the sources again, break off half-way, go on; return what that took, and whether the pack is the same."""
    images = find_sources(folder / "source", SIZE_PX)

    def break_off(done: int, total: int) -> None:
        if done == total // 2:
            raise _InterruptedError

    settings, again = PackSettings(SIZE_PX), folder / "again"
    with suppress(_InterruptedError):
        write_pack(images, again, settings, Packing("restart", progress=break_off))
    said: list[str] = []
    started = time.process_time(), time.perf_counter()
    write_pack(images, again, settings, Packing("restart", say=said.append))
    packs = [open_pack(folder / name) for name in ("pack", "again")]
    return {
        "broken_off_at": n_images // 2,
        "said": next(line for line in said if "going on" in line),
        "going_on_processor_s": round(time.process_time() - started[0], 1),
        "going_on_wall_s": round(time.perf_counter() - started[1], 1),
        "same_bytes": packs[0].fingerprint == packs[1].fingerprint,
    }


def main() -> None:
    """Measure, print and write benchmarks/results/pack-IMAGES.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=6000, help="60296, the thesis' number, take 52 GB of disk")
    parser.add_argument("--no-restart", action="store_true", help="leave out what an interruption costs")
    options = parser.parse_args()
    n_images = options.images
    folder = Path(tempfile.mkdtemp())
    try:
        write_sources(folder / "source", n_images)
        numbers = measure(folder, n_images)
        if not options.no_restart:
            numbers["restart"] = restart(folder, n_images)
    finally:
        shutil.rmtree(folder)
    result = {
        "machine": {
            "processor": platform.machine(),
            "system": platform.system(),
            "n_cpus": os.cpu_count(),
            "n_cores_used": n_cores(),
            "load_average_at_end": round(os.getloadavg()[0], 1),
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("numpy", "pillow")},
        "settings": {"size_px": SIZE_PX, "qualities": QUALITIES, "n_drawn": N_DRAWN, "seed": SEED},
        "numbers": numbers,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"pack-{n_images}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
