"""Tiny images made of numbers: as sources in memory, as a folder of files, and as a pack."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.source import SourceImage

N_IMAGES = 8
SIZE_PX = 32  # of the pack; the sources are a little larger
HEIGHT, WIDTH = 37, 44
QUALITIES = (25, 75)
SYSTEMS = ("left", "right")


def tiny_image(number: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return uint8 [height, width, 3]: slopes under a little noise, so that JPEG has something to keep and to lose."""
    rng = np.random.default_rng((7, number))
    rows, columns = np.mgrid[0:height, 0:width]
    slopes = np.stack([3 * rows + number, 2 * columns + 40, rows + columns + 60], axis=-1)
    return (slopes + rng.integers(0, 40, slopes.shape)).clip(0, 255).astype(np.uint8)


def tiny_sources(n_images: int = N_IMAGES) -> list[SourceImage]:
    """List tiny images of two systems in turn."""
    systems = [SYSTEMS[number % 2] for number in range(n_images)]
    return [
        SourceImage(f"{system}/{number}.png", system, partial(tiny_image, number))
        for number, system in enumerate(systems)
    ]


def write_source_folder(folder: Path, n_images: int = N_IMAGES) -> Path:
    """Write the tiny images as PNG files, a sub-folder per system."""
    for source in tiny_sources(n_images):
        path = folder / source.name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source.read()).save(path)
    return folder


def write_tiny_pack(folder: Path, n_images: int = N_IMAGES) -> PackedDataset:
    """Pack the tiny images into `folder` and open the pack."""
    write_pack(tiny_sources(n_images), folder, PackSettings(SIZE_PX, QUALITIES, "tiny images"))
    return open_pack(folder)
