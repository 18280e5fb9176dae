"""Source images: lossless 8-bit RGB files, one sub-folder per camera system, found at once and read one at a time."""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import InputError

LOSSLESS = {"BMP", "PNG", "TIFF"}
SUFFIXES = (".bmp", ".png", ".tif", ".tiff")
LOSSY_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".avif", ".heic", ".jxl", ".gif")
LOSSLESS_TIFF = {"raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "zstd", "lzma"}
BITS_PER_SAMPLE = 258  # TIFF tag
UNREADABLE = (OSError, SyntaxError, struct.error, Image.DecompressionBombError)  # what Pillow raises for a damaged file


@dataclass(frozen=True)
class SourceImage:
    """An image that is read when asked for: uint8 [H, W, 3]. The name is unique in its set."""

    name: str
    system: str
    read: Callable[[], NDArray[np.uint8]]


def find_sources(folder: Path, size_px: int) -> list[SourceImage]:
    """List the images under `folder`, by name, after looking at every file's header.

    Raises InputError when the folder is missing or empty, when a file lies outside a sub-folder, or when a file is
    lossy, unreadable, not 8-bit RGB or smaller than size_px.
    """
    if not folder.is_dir():
        raise InputError(
            f"the source must be a folder with a sub-folder of images per camera system, no folder {folder}"
        )
    paths = list(_image_paths(folder))
    if not paths:
        raise InputError(
            f"{folder} holds no images: put BMP, PNG or TIFF files there, in one sub-folder per camera system"
        )
    for path in paths:
        if not _is_utf8(path):
            raise InputError(f"{str(path)!a} has a name that is not UTF-8: rename it")
        if path.parent == folder:
            raise InputError(f"{path} lies outside a camera system: move it into a sub-folder of {folder}")
        _check_header(path, size_px)
    return [
        SourceImage(path.relative_to(folder).as_posix(), path.relative_to(folder).parts[0], partial(read_image, path))
        for path in paths
    ]


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a lossless image as uint8 [H, W, 3]. Raises InputError when it is damaged or its alpha says something."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read ({error}): replace or remove it") from error
    if pixels.shape[2] == 4:
        if np.ptp(pixels[..., 3]):
            raise InputError(f"{path} has an alpha channel that varies: save it as plain 8-bit RGB")
        pixels = pixels[..., :3]
    return np.ascontiguousarray(pixels)


def centre_crop(image: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Return the central size_px x size_px of an image [H, W, C] at least that large."""
    top, left = ((side - size_px) // 2 for side in image.shape[:2])
    return image[top : top + size_px, left : left + size_px]


def _image_paths(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        suffix = path.suffix.lower()
        if suffix in LOSSY_SUFFIXES:
            raise InputError(f"{path} is lossy: sources must be BMP, PNG or TIFF that were never compressed; remove it")
        if suffix in SUFFIXES:
            yield path


def _is_utf8(path: Path) -> bool:
    return os.fsencode(path).decode(errors="ignore") == str(path)


def _check_header(path: Path, size_px: int) -> None:
    try:
        with Image.open(path) as image:
            fault = _fault(path, image, size_px)
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read ({error}): replace or remove it") from error
    if fault:
        raise InputError(f"{path} {fault}")


def _fault(path: Path, image: Image.Image, size_px: int) -> str | None:
    if image.format == "JPEG":
        return "is a JPEG file: sources must be BMP, PNG or TIFF that were never compressed; remove it"
    if image.format not in LOSSLESS:
        return f"is a {image.format} file: sources must be BMP, PNG or TIFF; convert or remove it"
    if image.format == "TIFF" and image.info.get("compression", "raw") not in LOSSLESS_TIFF:
        return f"is a TIFF with {image.info['compression']} compression, which may be lossy: save it without"
    if image.mode not in ("RGB", "RGBA") or _bits_per_sample(path, image) != 8:
        found = f"mode {image.mode}, {_bits_per_sample(path, image)} bits"
        return f"is not 8-bit RGB ({found}): convert it to 8 bits a channel, three channels"
    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1:
        return f"holds {n_frames} images: save each as a file of its own"
    if min(image.size) < size_px:
        return f"is {image.width} x {image.height}, smaller than {size_px} px: choose a smaller --size or remove it"
    return None


def _bits_per_sample(path: Path, image: Image.Image) -> int:
    """Return the bits of a channel in the file: Pillow opens 16-bit RGB as 8-bit without a word."""
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(BITS_PER_SAMPLE, (8,))))  # type: ignore[attr-defined]
    with path.open("rb") as file:
        head = file.read(32)
    if image.format == "PNG":
        return head[24]  # IHDR: width, height, then the bit depth
    place = 24 if head[14] == 12 else 28  # bcBitCount of the 12-byte BITMAPCOREHEADER, else biBitCount
    bits_per_pixel = int(struct.unpack_from("<H", head, place)[0])
    return 8 if bits_per_pixel in (24, 32) else bits_per_pixel
