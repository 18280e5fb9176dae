"""Windows of images as the file of the whole image shows them, for less work where an encoder works block by block."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from datasets.encoders.compress import compress, show
from datasets.encoders.encoder import JPEG, Encoder
from datasets.jpeg import SUBSAMPLING, Coarseness, Window, decode_compressed, decode_jpeg
from datasets.jpeg import encode_jpeg as encode_whole
from datasets.jpeg import encode_window as encode_blocks


def encode_window(image: NDArray[np.uint8], encoder: Encoder, window: Window) -> bytes:
    """Compress what of uint8 [H, W, 3] a window needs, for `decode_encoded`."""
    if _is_blockwise(encoder):
        return encode_blocks(image, _coarseness(encoder), window)
    return compress(image, encoder)


def decode_encoded(data: bytes, encoder: Encoder, shape: tuple[int, ...], window: Window) -> NDArray[np.uint8]:
    """Return the window that `encode_window` compressed of an image of `shape`, height and width: uint8 [H, W, 3]."""
    if _is_blockwise(encoder):
        return decode_compressed(data, shape, window)
    return show(data, encoder)[window]


def degrade_window(image: NDArray[np.uint8], encoder: Encoder, window: Window | None = None) -> NDArray[np.uint8]:
    """Return uint8 [H, W, 3], or a window of it, as an encoder's file of the whole image shows it."""
    if window is not None:
        return decode_encoded(encode_window(image, encoder, window), encoder, image.shape[:2], window)
    if _is_blockwise(encoder):  # Huffman tables made for the image would change no pixel
        return decode_jpeg(encode_whole(image, _coarseness(encoder)))
    return show(compress(image, encoder), encoder)


@cache
def _is_blockwise(encoder: Encoder) -> bool:
    """Say whether a file's pixels are those of plain JPEG with its tables, whatever its Huffman tables and order."""
    return encoder.codec == JPEG and encoder.subsampling == SUBSAMPLING and not encoder.smoothing


@cache
def _coarseness(encoder: Encoder) -> Coarseness:
    return encoder.quality if encoder.quality is not None else encoder.steps().tolist()
