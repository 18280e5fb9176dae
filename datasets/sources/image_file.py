"""One lossless image file: what its header says, and its pixels, both of the same open file."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from datasets.errors import InputError, explain
from datasets.sources import bmp_file, png_file, tiff_file
from datasets.sources.image_fault import LOSS, Header, ImageFault, check_size, damaged

# What the readers of a damaged file raise; that a file is damaged is told with its name, whatever it was.
UNREADABLE: tuple[type[Exception], ...] = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)
UNREADABLE += (EOFError, RuntimeError, SyntaxError, OSError, struct.error, zlib.error, Image.DecompressionBombError)
FORMATS: dict[bytes, ModuleType] = {b"\x89PNG\r\n\x1a\n": png_file, b"BM": bmp_file}
FORMATS |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), tiff_file)
LOSSLESS_ELSEWHERE = {"PPM", "TGA", "SGI", "PCX", "QOI", "SUN", "FITS"}
Result = TypeVar("Result")


def check_image(path: Path, size_px: int) -> str:
    """Look at the header of a file, and return a stamp that changes when the file does. Raises InputError."""

    def check(file: BinaryIO) -> str:
        _read_header(file, size_px)
        facts = os.fstat(file.fileno())
        return f"{facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns}"  # the last, as copies may keep the others

    return _told_by_name(path, check)


def read_image(path: Path, size_px: int = 1) -> NDArray[np.uint8]:
    """Read a lossless image as uint8 [H, W, 3].

    Raises InputError when it is damaged, lossy, not 8-bit RGB, smaller than size_px, or its alpha says something.
    """

    def read(file: BinaryIO) -> NDArray[np.uint8]:
        data = file.read()  # at once: what is checked is what is decoded, whatever becomes of the file
        module, header = _read_header(io.BytesIO(data), size_px)
        return np.ascontiguousarray(module.decode(data, header))

    return _told_by_name(path, read)


def _told_by_name(path: Path, function: Callable[[BinaryIO], Result]) -> Result:
    """Return function(the open file). Raises InputError with the file's name for whatever goes wrong."""
    try:
        with path.open("rb") as file:
            return function(file)
    except ImageFault as fault:
        raise InputError(f"{path} {fault}") from fault
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno:
            raise InputError(f"{path} cannot be read: {explain(error)}") from error
        is_told = not isinstance(error, UnidentifiedImageError)  # which names an object in memory
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0] if is_told else "it cannot be decoded"
        raise InputError(f"{path} {damaged(reason)}") from error


def _read_header(file: BinaryIO, size_px: int) -> tuple[ModuleType, Header]:
    start = file.read(8)
    for magic, module in FORMATS.items():
        if start.startswith(magic):
            header: Header = module.read_header(file)
            check_size(header, size_px)
            return module, header
    raise _other_format(file)


def _other_format(file: BinaryIO) -> ImageFault:
    """Return the fault of a file that is neither PNG, BMP nor TIFF."""
    file.seek(0)
    if not file.read(1):
        return damaged("it is empty")
    file.seek(0)
    try:
        with Image.open(file) as image:
            name = image.format
    except UNREADABLE:
        return damaged("no image of a known format")
    if name in LOSSLESS_ELSEWHERE:
        return ImageFault(f"is a {name} file: sources must be BMP, PNG or TIFF; convert it, which loses nothing")
    return ImageFault(f"is a {name} file, which may be lossy: {LOSS}")
