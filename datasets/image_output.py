"""Images written: PNG, BMP, TIFF or PPM, each under a temporary name until it is whole."""

import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.png_output import write_png
from datasets.whole_file import whole_file

PNG = ".png"
# Suffix -> Pillow's name of the format and what its writer is told; all of them lossless.
FORMATS: Mapping[str, tuple[str, dict[str, Any]]] = MappingProxyType(
    {
        PNG: ("PNG", {}),
        ".bmp": ("BMP", {}),
        ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ".ppm": ("PPM", {}),
    }
)
WITH_PROFILE = (PNG, ".tif", ".tiff")


def write_image(path: Path, pixels: NDArray[np.uint8], icc_profile: bytes | None = None) -> None:
    """Write uint8 [H, W, 3], or [H, W] of grey, in the format of the path's suffix, replacing what is there.

    The profile is kept where the format has a place for it (WITH_PROFILE). Whatever happens, the file is the old one
    or the new one, whole. Raises OSError.
    """
    with whole_file(path) as file:
        if path.suffix.lower() == PNG:
            write_png(file, pixels, icc_profile)
        else:  # Pillow, writing to a file itself, does not see that a disk is full
            file.write(image_bytes(pixels, path.suffix.lower(), icc_profile))


def image_bytes(pixels: NDArray[np.uint8], suffix: str, icc_profile: bytes | None = None) -> bytes:
    """Return the file of an image, uint8 [H, W, 3] or [H, W], in the format of a suffix."""
    buffer = io.BytesIO()
    _save(buffer, pixels, suffix, icc_profile)
    return buffer.getvalue()


def _save(file: BinaryIO, pixels: NDArray[np.uint8], suffix: str, profile: bytes | None) -> None:
    if suffix == PNG:
        return write_png(file, pixels, profile)
    name, options = FORMATS[suffix]
    kept = {"icc_profile": profile} if profile and suffix in WITH_PROFILE else {}
    Image.fromarray(pixels).save(file, name, **options, **kept)
