"""How much faster is a packed pair read than a BMP and a JPEG file, alone and as batches, at equal threads?"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.batches import Batch, BatchSettings, centre_window, training_batches
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.prefetch import map_ahead
from datasets.smear import SIZE_PX, synthesize

N_IMAGES = 128
N_PROCESSES = 12  # decoding takes half as long again in some processes, by where the decoder's buffers come to lie
N_ROUNDS = 3  # in each
SEED = 0
SETTINGS = BatchSettings(quality=75, batch_size=16, crop_px=192)
THREADS = (1, 2)
AHEAD = 3 * SETTINGS.batch_size
WINDOW = centre_window(SIZE_PX, SETTINGS.crop_px)
RESULT = Path(__file__).resolve().parent / "results" / "batches.json"

Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def write_files(pack: PackedDataset, folder: Path) -> None:
    """Write each pair of the pack as the two files it stands for."""
    for image in range(N_IMAGES):
        Image.fromarray(np.asarray(pack.originals[image])).save(folder / f"{image}.bmp")
        (folder / f"{image}.jpg").write_bytes(pack.jpeg_bytes(image, int(SETTINGS.quality)))


def pairs_of_files(folder: Path, n_threads: int) -> Iterator[Pixels]:
    """Yield the central windows of every JPEG file and its BMP file."""

    def read(image: int) -> Pixels:
        return read_file(folder / f"{image}.jpg"), read_file(folder / f"{image}.bmp")

    return map_ahead(read, range(N_IMAGES), n_threads, AHEAD)


def pairs_of_pack(pack: PackedDataset, n_threads: int) -> Iterator[Pixels]:
    """Yield the same windows from the pack."""

    def read(image: int) -> Pixels:
        return pack.degraded(image, int(SETTINGS.quality), WINDOW), pack.originals[image][WINDOW].copy()

    return map_ahead(read, range(N_IMAGES), n_threads, AHEAD)


def batches_of_files(folder: Path, n_threads: int) -> Iterator[Batch]:
    """Yield batches as a plain reader makes them: every file to an array, cropped, float32 in [0, 1], stacked."""

    def read(image: int) -> Batch:
        degraded, original = (read_file(folder / f"{image}{suffix}") for suffix in (".jpg", ".bmp"))
        return degraded.astype(np.float32) / np.float32(255), original.astype(np.float32) / np.float32(255)

    pairs = map_ahead(read, range(N_IMAGES), n_threads, AHEAD)
    while chunk := list(islice(pairs, SETTINGS.batch_size)):
        yield np.stack([degraded for degraded, _ in chunk]), np.stack([original for _, original in chunk])


def batches_of_pack(pack: PackedDataset, n_threads: int) -> Iterator[Batch]:
    """Yield the batches that a training gets."""
    return training_batches(pack, np.arange(N_IMAGES), SETTINGS, epoch=0, n_threads=n_threads)


def read_file(path: Path) -> NDArray[np.uint8]:
    """Return the central window of an image file."""
    with Image.open(path) as image:
        return np.asarray(image)[WINDOW]


def seconds(reading: Iterable[object]) -> float:
    """Return the wall time of reading everything."""
    start = time.perf_counter()
    for _ in reading:
        pass
    return time.perf_counter() - start


def measure(folder: Path, n_threads: int) -> list[list[float]]:
    """Return, for each round, the seconds of pairs from files, pairs from the pack, and batches from either.

    The four take turns, so that another load on the machine falls on all alike.
    """
    pack = open_pack(folder / "pack")
    rounds = [
        [
            seconds(pairs_of_files(folder, n_threads)),
            seconds(pairs_of_pack(pack, n_threads)),
            seconds(batches_of_files(folder, n_threads)),
            seconds(batches_of_pack(pack, n_threads)),
        ]
        for _ in range(N_ROUNDS + 1)
    ]
    return rounds[1:]  # the first fills the page cache


def summary(rounds: NDArray[np.float64]) -> dict[str, float]:
    """Return pairs a second from files and from the pack, alone and as batches, and the ratios within a round: medians.

    rounds: seconds [N, 4] as measure returns them.
    """
    per_s = N_IMAGES / np.median(rounds, axis=0)
    return {
        "file_pairs_per_s": round(float(per_s[0]), 1),
        "packed_pairs_per_s": round(float(per_s[1]), 1),
        "pairs_ratio": round(float(np.median(rounds[:, 0] / rounds[:, 1])), 2),
        "file_pairs_in_batches_per_s": round(float(per_s[2]), 1),
        "packed_pairs_in_batches_per_s": round(float(per_s[3]), 1),
        "batches_ratio": round(float(np.median(rounds[:, 2] / rounds[:, 3])), 2),
    }


def main() -> None:
    """Measure, print and write benchmarks/results/batches.json."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        quality = int(SETTINGS.quality)
        write_pack(synthesize(N_IMAGES, SEED), folder / "pack", PackSettings(SIZE_PX, (quality,)))
        write_files(open_pack(folder / "pack"), folder)
        jobs = [(folder, n_threads) for _ in range(N_PROCESSES) for n_threads in THREADS]
        with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh_processes:
            rounds = list(fresh_processes.map(measure, *zip(*jobs, strict=True)))
    n_kinds = len(THREADS)
    numbers = {
        f"{n_threads}_threads": summary(np.concatenate(rounds[kind::n_kinds])) for kind, n_threads in enumerate(THREADS)
    }
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("numpy", "pillow")},
        "settings": {
            "n_images": N_IMAGES,
            "n_processes": N_PROCESSES,
            "n_rounds": N_ROUNDS,
            "seed": SEED,
            "size_px": SIZE_PX,
            "quality": quality,
            "crop_px": SETTINGS.crop_px,
            "batch_size": SETTINGS.batch_size,
        },
        "numbers": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for threads, found in numbers.items():
        print(f"{threads.replace('_', ' ')}:")
        print(f"  pairs: packed {found['packed_pairs_per_s']:.0f}/s, files {found['file_pairs_per_s']:.0f}/s")
        print(f"  a packed pair is read {found['pairs_ratio']:.2f} times as fast")
        print(f"  as batches {found['batches_ratio']:.2f} times as fast")


if __name__ == "__main__":
    main()
