"""A large image in tiles: each is restored with as much around it as its pixels see, so that no seam can be found."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.backend import compiled
from models.restoring.reach import Reach

CORE_PX = 512  # of a tile, without its surroundings: the most on either axis
# Of an image whose own pixels take most of the memory: 100 MB less, a fifth more time.
LARGE_PIXELS, CORE_OF_LARGE_PX = 50_000_000, 256
SAMPLE_PX = 192  # of a large image's samples, on either axis
ALIGNED_PX = 16  # whole blocks of 4:2:0's chroma lie in one tile
N_COMPILED = 32  # shapes for which a network is compiled, at most
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Tile:
    """A tile: the pixels that it gives (core) and those that are read for them (window), rows and columns."""

    core: tuple[slice, slice]
    window: tuple[slice, slice]

    @property
    def inner(self) -> tuple[slice, slice]:
        """The core, counted from the window's corner."""
        rows, columns = (
            slice(core.start - window.start, core.stop - window.start)
            for core, window in zip(self.core, self.window, strict=True)
        )
        return rows, columns


def tiles_of(height: int, width: int, reach: Reach | None, core_px: int | None = None) -> Iterator[Tile]:
    """Divide an image into tiles of about equal size; into one where the reach is unknown, or the image small.

    core_px: their side at most, without their surroundings; None is what suits the image.
    """
    core_px = core_px or (CORE_PX if height * width <= LARGE_PIXELS else CORE_OF_LARGE_PX)
    if reach is None:
        whole = slice(0, height), slice(0, width)
        yield Tile(whole, whole)
        return
    for core_rows, rows in _ranges(height, reach, core_px):
        for core_columns, columns in _ranges(width, reach, core_px):
            yield Tile((core_rows, core_columns), (rows, columns))


def samples_of(height: int, width: int, reach: Reach | None) -> list[Tile]:
    """Return parts of an image that stand for all of it: the whole of one no larger than a tile, else four squares."""
    whole = slice(0, height), slice(0, width)
    if reach is None or height * width <= CORE_PX**2:
        return [Tile(whole, whole)]
    axes = [_sampled(side, reach) for side in (height, width)]
    return [Tile((rows[0], columns[0]), (rows[1], columns[1])) for rows in axes[0] for columns in axes[1]]


def _sampled(side: int, reach: Reach) -> list[tuple[slice, slice]]:
    """Return cores and windows of an axis: about a quarter and three quarters of it."""
    aligned = int(np.lcm(ALIGNED_PX, reach.multiple))
    starts = {max(0, int(share * side - SAMPLE_PX / 2) // aligned * aligned) for share in (0.25, 0.75)}
    cores = [slice(start, min(start + SAMPLE_PX, side)) for start in sorted(starts)]
    return [
        (core, slice(max(0, core.start - reach.margin_px), min(core.stop + reach.margin_px, side))) for core in cores
    ]


def _ranges(side: int, reach: Reach, core_px: int) -> list[tuple[slice, slice]]:
    """Return cores and windows of an axis. All windows but the last are as long, so that few shapes are computed."""
    n_cores = -(-side // core_px)
    aligned = np.lcm(ALIGNED_PX, reach.multiple)
    length = int(-(-side // (n_cores * aligned)) * aligned)
    found = []
    for start in range(0, side, length):
        stop = min(start + length, side)
        first = max(0, start - reach.margin_px)
        last = first + length + 2 * reach.margin_px
        found.append((slice(start, stop), slice(first, side if last > side else last)))
    return found


class Network:
    """A restorer as a function of single images, compiled for a shape from the second time that it comes."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._compiled = compiled(self._call)
        self._seen: Counter[tuple[int, ...]] = Counter()

    def __call__(self, degraded: NDArray[np.uint8], tables: NDArray[np.float32]) -> Pixels:
        """Restore uint8 [H, W, 3] -> float32 [H, W, 3], not clipped. tables: [8], for a model that is told them."""
        images = ops.convert_to_tensor(np.divide(degraded, 255, dtype=np.float32)[None])
        inputs = [images, ops.convert_to_tensor(tables[None])] if len(self.model.inputs) > 1 else images
        self._seen[degraded.shape] += 1
        usual = self._seen[degraded.shape] > 1 and sum(count > 1 for count in self._seen.values()) <= N_COMPILED
        restored = self._compiled(inputs) if usual else self._call(inputs)
        return np.asarray(ops.convert_to_numpy(restored)[0], np.float32)

    def _call(self, inputs: object) -> object:
        return self.model(inputs, training=False)
