"""Decoded windows kept in memory for the next time that they are asked for: the same pixels, without decoding."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.jpeg import Window

Decode = Callable[[int, int, Window | None], NDArray[np.uint8]]  # image, quality, window or the whole -> its pixels

SHARE_OF_FREE = 1 / 16  # of the machine's free memory: several processes train at a time, each with a pack of its own
MEMORY = Path("/proc/meminfo")
OTHERWISE_BYTES = 256_000_000  # where it is not known what is free


class DecodedWindows:
    """Windows of images at qualities, as many as fit into a bound. What came first stays: an epoch asks for all again.

    An image that is asked for at one window only is kept as that window, others whole. Threads may share it.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self.most_bytes = free_bytes() * SHARE_OF_FREE if most_bytes is None else most_bytes
        self.n_bytes = 0
        self._kept: dict[tuple[int, int], tuple[Window | None, NDArray[np.uint8]]] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type, tuple[float]]:
        """Have a copy in another process start with nothing."""
        return DecodedWindows, (self.most_bytes,)

    def window(self, image: int, quality: int, window: Window, decode: Decode) -> NDArray[np.uint8]:
        """Return a window of an image at a quality, uint8 [H, W, 3], which nobody may change."""
        of, pixels = self._kept.get((image, quality), (None, None))
        if pixels is None:
            return self._keep((image, quality), window, decode(image, quality, window))
        if of is None or of == window:
            return pixels if of else pixels[window]
        if self.n_bytes >= self.most_bytes:
            return decode(image, quality, window)
        return self._keep((image, quality), None, decode(image, quality, None))[window]

    def _keep(self, key: tuple[int, int], of: Window | None, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        pixels.flags.writeable = False
        with self._lock:
            before = self._kept[key][1].nbytes if key in self._kept else 0
            if self.n_bytes + pixels.nbytes - before <= self.most_bytes:
                self.n_bytes += pixels.nbytes - before
                self._kept[key] = of, pixels
        return pixels


def free_bytes() -> int:
    """Return how much memory processes could still take on this machine, as far as Linux tells."""
    try:
        lines = dict(line.split(":") for line in MEMORY.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, LookupError):
        return int(OTHERWISE_BYTES / SHARE_OF_FREE)
