"""BMP files of 24 or 32 bits a pixel."""

import io
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.sources.image_fault import LOSS, Header, ImageFault, check_fourth_channel, check_rows, damaged, not_rgb

CORE_HEADER = 12  # bytes: BITMAPCOREHEADER of OS/2
RAW, BIT_FIELDS, ALPHA_BIT_FIELDS = 0, 3, 6  # biCompression
COMPRESSIONS = {1: "RLE", 2: "RLE", 4: "JPEG", 5: "PNG"}


def read_header(file: BinaryIO) -> Header:
    """Return the header of an open BMP file. Raises ImageFault where it is damaged or not 8-bit RGB."""
    file.seek(0)
    head = file.read(70)
    if len(head) < 26:
        raise damaged("it ends too early")
    if _header_bytes(head) == CORE_HEADER:
        width, height, planes, bits = struct.unpack_from("<HHHH", head, 18)
        compression = RAW
    elif len(head) < 54:
        raise damaged("it ends too early")
    else:
        width, height, planes, bits, compression = struct.unpack_from("<iiHHI", head, 18)
    if width <= 0 or not height or planes != 1:
        raise damaged("a header that cannot be")
    if bits <= 8 and bits in (1, 2, 4, 8):
        raise not_rgb(f"palette, {bits} bit{'' if bits == 1 else 's'} a pixel", LOSS)
    if bits == 16:
        raise not_rgb("16 bits a pixel", LOSS)
    if bits not in (24, 32):
        raise damaged(f"{bits} bits a pixel")
    if compression in COMPRESSIONS:
        raise ImageFault(f"is a BMP with {COMPRESSIONS[compression]} compression: {LOSS}")
    if compression not in (RAW, BIT_FIELDS, ALPHA_BIT_FIELDS):
        raise damaged(f"compression {compression}")
    return Header(width, abs(height))


def decode(data: bytes, header: Header) -> NDArray[np.uint8]:
    """Return the image of a BMP file as uint8 [H, W, 3]. Raises ImageFault."""
    bytes_a_pixel = _bits(data) // 8
    start, stride = int.from_bytes(data[10:14], "little"), (header.width * bytes_a_pixel + 3) // 4 * 4
    if start < 14 + _header_bytes(data):
        raise damaged("its pixels begin inside of its header")
    if len(data) < start + stride * header.height:
        raise damaged("it ends too early")
    if bytes_a_pixel == 4:
        rows = np.frombuffer(data, np.uint8, stride * header.height, start)
        check_fourth_channel(rows[_unused_byte(data) :: 4], "a fourth byte a pixel")
    with Image.open(io.BytesIO(data), formats=("BMP",)) as opened:
        image = np.asarray(opened)[..., :3]
    check_rows(image.max(axis=(1, 2)) == 0)
    return image


def _header_bytes(data: bytes) -> int:
    return int.from_bytes(data[14:18], "little")


def _bits(data: bytes) -> int:
    place = 24 if _header_bytes(data) == CORE_HEADER else 28
    return int.from_bytes(data[place : place + 2], "little")


def _unused_byte(data: bytes) -> int:
    """Return which of a pixel's four bytes is neither red, green nor blue."""
    if int.from_bytes(data[30:34], "little") == RAW:
        return 3
    red, green, blue = struct.unpack_from("<III", data, 54)
    unused = ~(red | green | blue) & 0xFFFFFFFF
    return next((byte for byte in range(4) if unused >> 8 * byte & 0xFF == 0xFF), 3)
