"""What an encoder makes of an image: its file, and the pixels that the file shows."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.codecs import JPEG_XL, MOZJPEG, Codec, decode, encode
from datasets.encoders.encoder import JPEG, Encoder
from datasets.tables import N_NUMBERS, describe_tables

FORMATS: Mapping[str, str] = MappingProxyType({JPEG: "JPEG", "webp": "WEBP", "avif": "AVIF", "jxl": JPEG_XL})
SUFFIXES: Mapping[str, str] = MappingProxyType({JPEG: ".jpg", "webp": ".webp", "avif": ".avif", "jxl": ".jxl"})


def compress(image: NDArray[np.uint8], encoder: Encoder) -> bytes:
    """Return the file of uint8 [H, W, 3]. Raises InputError where this installation lacks the codec."""
    return encode(as_codec(encoder), image, None if encoder.trellis else encoder.quality)


def show(data: bytes | memoryview, encoder: Encoder) -> NDArray[np.uint8]:
    """Return what a file of an encoder shows: uint8 [H, W, 3]."""
    return decode(as_codec(encoder), data)


def degrade(image: NDArray[np.uint8], encoder: Encoder) -> tuple[bytes, NDArray[np.uint8]]:
    """Return the file of uint8 [H, W, 3] and what it shows, uint8 [H, W, 3]."""
    data = compress(image, encoder)
    return data, show(data, encoder)


@cache
def described_tables(encoder: Encoder) -> NDArray[np.float32]:
    """Return what a network is told of an encoder's tables, see `datasets.tables`: float32 [8]; no JPEG has zeros."""
    if encoder.codec != JPEG:
        return np.zeros(N_NUMBERS, np.float32)
    luma, chroma = encoder.steps()
    return describe_tables({0: luma.tolist(), 1: chroma.tolist()})


@cache
def as_codec(encoder: Encoder) -> Codec:
    """Return an encoder as `datasets.codecs` has it, its quality aside."""
    options: dict[str, Any] = {}
    if encoder.trellis:
        return Codec(MOZJPEG, (), {"qtables": encoder.steps().tolist(), "subsampling": encoder.subsampling})
    if encoder.codec == JPEG:
        options = {"optimize": encoder.optimised, "progressive": encoder.progressive, "smooth": encoder.smoothing}
        if encoder.tables is not None:
            options["qtables"] = encoder.steps().tolist()
    if encoder.codec == "jxl":
        options = {"num_threads": 0}
    if encoder.codec in (JPEG, "avif"):
        options["subsampling"] = encoder.subsampling
    return Codec(FORMATS[encoder.codec], (), options)
