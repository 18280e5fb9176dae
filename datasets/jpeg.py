"""JPEG as lowq uses it: Pillow's encoder with its default subsampling (4:2:0), on whole images, in memory."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

SUBSAMPLING = "4:2:0"
START_OF_FRAME = 0xC0  # ITU-T T.81, table B.1: SOF0, baseline
MACROBLOCK_PX = 16  # of 4:2:0: two blocks of luma, one of chroma
LEAST_INTERPOLATED_PX = 5
INTERPOLATED_PX = 2  # a pixel's colours come from two pixels of chroma, each of them two pixels wide

Coarseness = int | list[list[int]]  # a quality of 1..100, or the tables of luma and chroma, 64 steps in rows each
Window = tuple[slice, slice]  # rows, columns, with start and stop inside the image


def encode_jpeg(image: NDArray[np.uint8], quality: Coarseness) -> bytes:
    """Compress uint8 [H, W, 3] to a JPEG file of the given quality, 1..100, or with the given tables."""
    buffer = io.BytesIO()
    how = {"quality": quality} if isinstance(quality, int) else {"qtables": quality, "subsampling": SUBSAMPLING}
    Image.fromarray(image).save(buffer, "JPEG", **how)
    return buffer.getvalue()


def decode_jpeg(data: bytes | memoryview) -> NDArray[np.uint8]:
    """Return the image of a JPEG file as uint8 [H, W, 3]."""
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image)


def decode_window(data: bytes | memoryview, size_px: int, window: Window) -> NDArray[np.uint8]:
    """Return a window of a size_px x size_px image that encode_jpeg compressed, as uint8 [H, W, 3].

    The same pixels as a slice of decode_jpeg's, for less work.
    """
    return _decode_part(data, (size_px, size_px), window)


def compress_window(image: NDArray[np.uint8], quality: Coarseness, window: Window) -> NDArray[np.uint8]:
    """Return a window of uint8 [H, W, 3] as the JPEG file of the whole image shows it, for less work."""
    return decode_compressed(encode_window(image, quality, window), image.shape[:2], window)


def encode_window(image: NDArray[np.uint8], quality: Coarseness, window: Window) -> bytes:
    """Compress the macroblocks of uint8 [H, W, 3] that hold a window, for `decode_compressed`.

    Blocks are compressed alone and colours interpolated between neighbours, so the macroblocks that hold the window and
    two pixels around it give the same pixels as the whole image.
    """
    return encode_jpeg(np.ascontiguousarray(image[_held(image.shape[:2], window)]), quality)


def decode_compressed(data: bytes, shape: tuple[int, ...], window: Window) -> NDArray[np.uint8]:
    """Return the window that `encode_window` compressed of an image of `shape`, height and width: uint8 [H, W, 3]."""
    rows, columns = _held(shape, window)
    inside = (
        slice(window[0].start - rows.start, window[0].stop - rows.start),
        slice(window[1].start - columns.start, window[1].stop - columns.start),
    )
    return _decode_part(data, (rows.stop - rows.start, columns.stop - columns.start), inside)


def _decode_part(data: bytes | memoryview, shape: tuple[int, ...], window: Window) -> NDArray[np.uint8]:
    """Return a window of a baseline JPEG file of `shape`, height and width, as uint8 [H, W, 3].

    The rows below the window are not decoded, the header is left to the decoder, and only the window becomes an array.
    """
    rows, columns = window
    n_rows = min(rows.stop + 1, shape[0])  # one more than wanted, for colours are interpolated between rows
    image = Image.frombytes("RGB", (shape[1], n_rows), _shortened(data, n_rows), "jpeg", "RGB", "")
    return np.asarray(image.crop((columns.start, rows.start, columns.stop, rows.stop)))


def _held(shape: tuple[int, ...], window: Window) -> Window:
    """Return the rows and columns that must be compressed for a window of an image of `shape`, height and width."""
    return _macroblocks(window[0], shape[0]), _macroblocks(window[1], shape[1])


def _macroblocks(side: slice, length_px: int) -> slice:
    """Return the whole macroblocks of a side of an image that hold a slice of it and two pixels on either hand."""
    first = max(0, side.start - INTERPOLATED_PX) // MACROBLOCK_PX
    last = -(-(side.stop + INTERPOLATED_PX) // MACROBLOCK_PX)
    if length_px - first * MACROBLOCK_PX < LEAST_INTERPOLATED_PX:  # no colours are interpolated in so narrow an image
        first = max(0, first - 1)
    return slice(first * MACROBLOCK_PX, min(last * MACROBLOCK_PX, length_px))


def _shortened(data: bytes | memoryview, n_rows: int) -> bytes:
    """Return a baseline JPEG file whose header says that it has n_rows rows, where the decoder stops."""
    segment = 2
    while data[segment + 1] != START_OF_FRAME:
        segment += 2 + int.from_bytes(data[segment + 2 : segment + 4], "big")
    height = segment + 5  # after marker, length and bits a sample
    return b"".join((data[:height], n_rows.to_bytes(2, "big"), data[height + 2 :]))


def codec_versions() -> dict[str, str]:
    """Return the versions of Pillow and of the JPEG library it was built with."""
    turbo = features.version_feature("libjpeg_turbo")
    return {
        "pillow": str(features.version("pil")),
        "libjpeg": f"turbo {turbo}" if turbo else str(features.version_codec("jpg")),
    }
