"""Quantisation tables of a JPEG file in a few numbers, which a network can be told."""

import io
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.jpeg import encode_jpeg

SIDE = 8
BANDS = ((0, 0), (1, 3), (4, 7), (8, 14))  # of u + v, the frequencies of a block: flat colour, coarse, middle, fine
N_NUMBERS = 2 * len(BANDS)
LARGEST_STEP = 255


def describe_tables(tables: Mapping[int, Sequence[int]]) -> NDArray[np.float32]:
    """Return the tables of luma (0) and chroma (1) as float32 [8] in [0, 1].

    tables: of 64 steps each, in rows. A number is the mean logarithm of a band's steps, 0 for steps of 1 and 1 for 255.
    A file without a table for chroma has luma's for both.
    """
    frequencies = np.add.outer(np.arange(SIDE), np.arange(SIDE))
    numbers = []
    for component in (0, 1):
        steps = np.log(np.reshape(tables.get(component, tables[0]), (SIDE, SIDE))) / np.log(LARGEST_STEP)
        numbers += [steps[(frequencies >= low) & (frequencies <= high)].mean() for low, high in BANDS]
    return np.array(numbers, np.float32)


@cache
def tables_of_quality(quality: int) -> NDArray[np.float32]:
    """Return what `describe_tables` makes of the tables that Pillow writes for a quality."""
    data = encode_jpeg(np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8), quality)
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return describe_tables(image.quantization)  # type: ignore[attr-defined]
