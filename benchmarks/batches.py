"""How much faster do batches come from a pack than from files by Keras' ImageDataGenerator, and from random qualities?

The generator reads the same BMP and JPEG files as the thesis did (section 3.3): two generators with one seed, whole
images, rescaled, centre crops cut from the batch; with the thesis' augmentation too. A plain reader of the files, which
cuts before it makes floats, stands beside it. Readers have one thread but where the name says otherwise, and ratios are
of processor time: a core's worth, whatever else the machine does; of all cores, of wall time. All take turns in every
process. What is decoded once is kept: numbers are of later epochs, but for first_epoch.
"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.batches import BRIGHTNESS, Batch, BatchSettings, centre_window, training_batches
from datasets.cores import n_cores
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.prefetch import map_ahead
from datasets.smear import SIZE_PX, synthesize

N_IMAGES = 128
N_PROCESSES = 4  # decoding takes half as long again in some processes, by where the decoder's buffers come to lie
N_ROUNDS = 3  # in each
SEED = 0
QUALITY = 75
FIXED = BatchSettings(quality=QUALITY, batch_size=16, crop_px=192)
WINDOW = centre_window(SIZE_PX, FIXED.crop_px)
DEGRADED, ORIGINAL = "jpeg", "bmp"  # folders of files
RESULT = Path(__file__).resolve().parent / "results" / "batches.json"

Reader = Callable[[PackedDataset, Path], Iterable[object]]


def write_files(pack: PackedDataset, folder: Path) -> None:
    """Write each pair of the pack as the two files it stands for, in folders as flow_from_directory wants them."""
    for kind in (DEGRADED, ORIGINAL):
        (folder / kind / "all").mkdir(parents=True)
    for image in range(N_IMAGES):
        Image.fromarray(np.asarray(pack.originals[image])).save(folder / ORIGINAL / "all" / f"{image:03d}.bmp")
        (folder / DEGRADED / "all" / f"{image:03d}.jpg").write_bytes(pack.file_bytes(image, QUALITY))


def keras_batches(folder: Path, augmented: bool, n_workers: int = 1) -> Iterator[Batch]:
    """Yield an epoch of batches as the thesis read them; with workers, several at a time as Keras' `fit` does."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    options = {"horizontal_flip": True, "vertical_flip": True, "brightness_range": BRIGHTNESS} if augmented else {}
    flows = [
        ImageDataGenerator(rescale=1 / 255, **options).flow_from_directory(
            folder / kind,
            target_size=(SIZE_PX, SIZE_PX),
            class_mode=None,
            batch_size=FIXED.batch_size,
            seed=SEED,
        )
        for kind in (DEGRADED, ORIGINAL)
    ]
    n_batches = N_IMAGES // FIXED.batch_size
    if n_workers > 1:
        numbers = [number for number in range(n_batches) for _ in flows]
        read = map_ahead(lambda job: job[0][job[1]], zip(flows * n_batches, numbers, strict=True), n_workers, 4)
        pairs = zip(read, read, strict=True)
    else:
        pairs = islice(zip(*flows, strict=True), n_batches)
    for degraded, original in pairs:
        yield degraded[:, *WINDOW], original[:, *WINDOW]


def plain_batches(folder: Path) -> Iterator[Batch]:
    """Yield batches as a plain reader makes them: every file to an array, cropped, float32 in [0, 1], stacked."""

    def read(path: Path) -> NDArray[np.float32]:
        with Image.open(path) as image:
            return np.asarray(image)[WINDOW].astype(np.float32) / np.float32(255)

    paths = [sorted((folder / kind / "all").iterdir()) for kind in (DEGRADED, ORIGINAL)]
    for first in range(0, N_IMAGES, FIXED.batch_size):
        degraded, original = (np.stack([read(p) for p in side[first : first + FIXED.batch_size]]) for side in paths)
        yield degraded, original


def packed_batches(settings: BatchSettings, n_threads: int = 1) -> Reader:
    """Return a reader of the batches that a training gets."""
    return lambda pack, folder: training_batches(pack, np.arange(N_IMAGES), settings, 0, n_threads)


AUGMENTED = replace(FIXED, augmentation="flips-brightness")
READERS: Mapping[str, Reader] = {
    "keras": lambda pack, folder: keras_batches(folder, augmented=False),
    "keras_augmented": lambda pack, folder: keras_batches(folder, augmented=True),
    "keras_all_cores": lambda pack, folder: keras_batches(folder, augmented=False, n_workers=n_cores()),
    "plain": lambda pack, folder: plain_batches(folder),
    "packed": packed_batches(FIXED),
    "packed_first_epoch": lambda pack, folder: packed_batches(FIXED)(open_pack(pack.folder), folder),
    "packed_augmented": packed_batches(AUGMENTED),
    "packed_all_cores": packed_batches(FIXED, n_cores()),
    "packed_random_quality": packed_batches(replace(FIXED, quality="random")),
    "packed_random_quality_augmented": packed_batches(replace(AUGMENTED, quality="random")),
}
RATIOS = {  # what is how many times as fast as what
    "packed_over_keras": ("packed", "keras"),
    "first_epoch_over_keras": ("packed_first_epoch", "keras"),
    "packed_over_keras_augmented": ("packed_augmented", "keras_augmented"),
    "random_quality_over_keras": ("packed_random_quality", "keras"),
    "packed_over_plain": ("packed", "plain"),
    "first_epoch_over_random_quality": ("packed_first_epoch", "packed_random_quality"),
}
WALL_RATIOS = {"packed_over_keras_all_cores": ("packed_all_cores", "keras_all_cores")}


def measure(folder: Path) -> list[dict[str, tuple[float, float]]]:
    """Return, for each round, each reader's seconds of processor time and of wall time for all pairs."""
    pack = open_pack(folder / "pack")
    rounds = [{name: seconds(reader(pack, folder)) for name, reader in READERS.items()} for _ in range(N_ROUNDS + 1)]
    return rounds[1:]  # the first imports Keras and fills the page cache


def seconds(reading: Iterable[object]) -> tuple[float, float]:
    """Return the processor time and the wall time of reading everything."""
    started = time.process_time(), time.perf_counter()
    for _ in reading:
        pass
    return time.process_time() - started[0], time.perf_counter() - started[1]


def summary(rounds: list[dict[str, tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """Return pairs a second of each reader and the ratios of processor time within a round: medians."""
    return {
        "pairs_per_core_second": {name: _rate([found[name][0] for found in rounds]) for name in READERS},
        "pairs_per_wall_second": {name: _rate([found[name][1] for found in rounds]) for name in READERS},
        "ratios": {name: _ratio(rounds, *pair, 0) for name, pair in RATIOS.items()},
        "ratios_of_wall_time": {name: _ratio(rounds, *pair, 1) for name, pair in WALL_RATIOS.items()},
    }


def _ratio(rounds: list[dict[str, tuple[float, float]]], fast: str, slow: str, clock: int) -> float:
    return round(float(np.median([found[slow][clock] / found[fast][clock] for found in rounds])), 2)


def _rate(times: list[float]) -> float:
    return round(float(N_IMAGES / np.median(times)), 1)


def main() -> None:
    """Measure, print and write benchmarks/results/batches.json."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_pack(synthesize(N_IMAGES, SEED), folder / "pack", PackSettings(SIZE_PX, (QUALITY,)))
        write_files(open_pack(folder / "pack"), folder)
        with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh_processes:
            measured = list(fresh_processes.map(measure, [folder] * N_PROCESSES))
    numbers = summary([found for rounds in measured for found in rounds])
    packages = ("keras", "numpy", "pillow", "tensorflow")
    result = {
        "machine": {
            "processor": platform.machine(),
            "system": platform.system(),
            "n_cpus": os.cpu_count(),
            "n_cores_used": n_cores(),
            "load_average_at_end": round(os.getloadavg()[0], 1),
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "settings": {
            "n_images": N_IMAGES,
            "n_processes": N_PROCESSES,
            "n_rounds": N_ROUNDS,
            "seed": SEED,
            "size_px": SIZE_PX,
            "quality": QUALITY,
            "crop_px": FIXED.crop_px,
            "batch_size": FIXED.batch_size,
        },
        "numbers": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
