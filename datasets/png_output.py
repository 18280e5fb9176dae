"""PNG files written a band of rows at a time: the image is not copied, as Pillow copies it, in four bytes a pixel."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2  # colour types; PNG specification, section 11.2.1
PAETH = (
    4  # the filter of every row; section 9.2. The best of four for each row made files of restored smears no smaller
)
BAND_PX = 64
LEVEL, MEMORY_LEVEL = 6, 9


def write_png(file: BinaryIO, pixels: NDArray[np.uint8], icc_profile: bytes | None = None) -> None:
    """Write uint8 [H, W, 3], or [H, W] of grey, as PNG. Raises OSError."""
    height, width = pixels.shape[:2]
    kind = GREY if pixels.ndim == 2 else RGB
    file.write(SIGNATURE)
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    if icc_profile:
        _chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile))
    compressor = zlib.compressobj(LEVEL, memLevel=MEMORY_LEVEL, strategy=zlib.Z_FILTERED)
    for band in _filtered(pixels.reshape(height, width, -1)):
        _chunk(file, b"IDAT", compressor.compress(band))
    _chunk(file, b"IDAT", compressor.flush())
    _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    if data or kind == b"IEND":
        file.write(len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big"))


def _filtered(pixels: NDArray[np.uint8]) -> Iterator[bytes]:
    """Yield the rows, a band at a time: each begins with its filter, and has what is not as its neighbours tell."""
    height, width, channels = pixels.shape
    for top in range(0, height, BAND_PX):
        band = pixels[top : top + BAND_PX]
        # with the row above and the pixel to the left, both zero outside of the image
        known = np.zeros((len(band) + 1, width + 1, channels), np.int16)
        known[1:, 1:] = band
        if top:
            known[0, 1:] = pixels[top - 1]
        guess = _paeth(known[1:, :-1], known[:-1, 1:], known[:-1, :-1])
        rows = np.empty((len(band), 1 + width * channels), np.uint8)
        rows[:, 0] = PAETH
        rows[:, 1:] = (known[1:, 1:] - guess).reshape(len(band), -1).astype(np.uint8)
        yield rows.tobytes()


def _paeth(left: NDArray[np.int16], above: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return that of three neighbours which is nearest to left + above - corner; PNG specification, section 9.4."""
    from_left, from_above = np.abs(above - corner), np.abs(left - corner)
    from_corner = np.abs(left + above - 2 * corner)
    is_left = (from_left <= from_above) & (from_left <= from_corner)
    return np.where(is_left, left, np.where(from_above <= from_corner, above, corner))
