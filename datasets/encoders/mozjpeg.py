"""JPEG as mozjpeg quantises it: by a trellis that leaves out what costs more bits than it shows, through jpeglib."""

import importlib.util
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PACKAGE = "jpeglib"
QUANTISES, REWRITES = "mozjpeg403", "turbo210"  # versions of libjpeg that the package brings
MEMORY = "/dev/shm"  # where files are kept in memory
JFIF_HEADER, START_OF_FRAME, START_OF_SCAN = 0xE0, 0xC0, 0xDA  # markers of ITU-T T.81, table B.1
_lock = threading.Lock()  # the package has one version of libjpeg at a time, for the whole process


def is_installed() -> bool:
    """Say whether this installation has the package."""
    return importlib.util.find_spec(PACKAGE) is not None


def encode_by_trellis(
    image: NDArray[np.uint8], steps: NDArray[np.int64], subsampling: str, in_sequence: bool = True
) -> bytes:
    """Compress uint8 [H, W, 3] with quantisation tables [2, 64] of 1..255: luma's and chroma's, in rows.

    mozjpeg writes a progressive file. in_sequence: write its coefficients again as baseline JPEG with Huffman tables
    made for them: the same pixels, and fewer bytes where images are as small as those of cells.
    """
    import jpeglib

    tables = steps.reshape(2, 8, 8).astype(np.uint16)
    with _lock, tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        path = os.path.join(folder, "image.jpg")  # the package reads and writes files alone
        jpeglib.version.set(QUANTISES)
        pixels = jpeglib.from_spatial(np.ascontiguousarray(image))
        pixels.samp_factor = subsampling
        pixels.write_spatial(path, qt=tables)
        if not in_sequence:
            return Path(path).read_bytes()
        jpeglib.version.set(REWRITES)
        coefficients = jpeglib.read_dct(path)
        coefficients.progressive_mode = False
        coefficients.write_dct(path, flags=["OPTIMIZE_CODING"])
        return _tidied(Path(path).read_bytes())


def _tidied(data: bytes) -> bytes:
    """Return a baseline file with one JFIF header, not two, and components 1, 2 and 3, as JFIF demands, not 0, 1, 2."""
    kept, place, has_header = bytearray(data[:2]), 2, False
    while True:
        marker, end = data[place + 1], place + 2 + int.from_bytes(data[place + 2 : place + 4])
        segment = bytearray(data[place:end])
        if marker == START_OF_FRAME:
            segment[10 : 10 + 3 * segment[9] : 3] = range(1, 1 + segment[9])
        if marker == START_OF_SCAN:
            segment[5 : 5 + 2 * segment[4] : 2] = range(1, 1 + segment[4])
            return bytes(kept + segment + data[end:])
        if marker != JFIF_HEADER or not has_header:
            kept += segment
        has_header = has_header or marker == JFIF_HEADER
        place = end
