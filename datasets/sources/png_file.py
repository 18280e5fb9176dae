"""PNG files: every checksum is compared, and what surrounds the pixels is passed over, however large."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.sources.image_fault import LOSS as ITS_LOSS
from datasets.sources.image_fault import Header, ImageFault, check_fourth_channel, damaged, not_rgb, several

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB, RGBA = 2, 6  # PNG specification, 11.2.1: colour types
COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
KNOWN = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}  # of chunks that a reader must understand
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def read_header(file: BinaryIO) -> Header:
    """Return the header of an open PNG file. Raises ImageFault where it is damaged, or not one image of 8-bit RGB."""
    file.seek(len(SIGNATURE))
    header = None
    for kind, length in _chunks(file):
        if header is None:
            header = _read_ihdr(kind, file.read(length))
        elif kind == b"acTL" and (n_frames := int.from_bytes(file.read(4), "big")) > 1:
            raise several(n_frames)
        elif kind == b"IDAT":
            return header
    raise damaged("no pixels")


def decode(data: bytes, header: Header) -> NDArray[np.uint8]:
    """Return the image of a PNG file as uint8 [H, W, 3]. Raises ImageFault."""
    file = io.BytesIO(data)
    file.seek(len(SIGNATURE))
    needed, pixels, key = [SIGNATURE], [], b""
    for kind, length in _chunks(file):
        start = file.tell()
        content = data[start : start + length]
        if kind not in KNOWN and kind != b"tRNS":
            continue
        if zlib.crc32(kind + content).to_bytes(4, "big") != data[start + length : start + length + 4]:
            raise damaged(f"the checksum of its {kind.decode()} does not fit")
        if kind == b"tRNS":
            key = content
            continue
        needed.append(data[start - 8 : start + length + 4])
        if kind == b"IDAT":
            pixels.append(content)
    _check_stream(b"".join(pixels), data, header)
    with Image.open(io.BytesIO(b"".join(needed)), formats=("PNG",)) as opened:
        image = np.asarray(opened)
    if image.shape[2] == 4:
        check_fourth_channel(image[..., 3], "an alpha channel")
    image = image[..., :3]
    if len(key) == 6:  # one colour is called transparent
        check_fourth_channel(
            (image == np.array(struct.unpack(">HHH", key))).all(axis=2).astype(np.uint8), "transparency"
        )
    return image


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and length of each chunk with the file at its content, through IEND; ImageFault without one."""
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        if len(head) < 8:
            raise damaged("it ends too early")
        length, kind = struct.unpack(">I4s", head)
        if not kind.isalpha():
            raise damaged("no chunk where one should be")
        if kind[:1].isupper() and kind not in KNOWN:
            raise ImageFault(
                f"is a PNG with an unknown part {kind.decode()}: export it again as plain PNG, or remove it"
            )
        start = file.tell()
        yield kind, length
        file.seek(start + length + 4)


def _read_ihdr(kind: bytes, content: bytes) -> Header:
    if kind != b"IHDR" or len(content) != 13:
        raise damaged("no header")
    width, height, bits, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", content)
    if not width or not height or compression or filtering or interlace > 1 or colour not in COLOUR_TYPES:
        raise damaged("a header that cannot be")
    if colour not in (RGB, RGBA) or bits != 8:
        found = f"{COLOUR_TYPES[colour]}, {bits} bit{'' if bits == 1 else 's'}"
        raise not_rgb(found, ITS_LOSS) if colour == 3 or bits < 8 else not_rgb(found)
    return Header(width, height)


def _check_stream(stream: bytes, data: bytes, header: Header) -> None:
    """Inflate the pixels, which compares their checksum, and compare their number. Raises ImageFault."""
    channels, is_interlaced = 3 if data[25] == RGB else 4, data[28] == 1
    passes = ADAM7 if is_interlaced else ((0, 0, 1, 1),)
    sizes = [
        (-(-(header.height - top) // down), -(-(header.width - left) // across)) for top, left, down, across in passes
    ]
    n_bytes = sum(rows * (1 + columns * channels) for rows, columns in sizes if rows > 0 and columns > 0)
    inflater = zlib.decompressobj()
    try:
        found = len(inflater.decompress(stream, n_bytes + 1))
        inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise damaged(f"its pixels cannot be inflated: {error}") from error
    if found != n_bytes or not inflater.eof:
        raise damaged("its pixels end too early" if found < n_bytes else "more pixels than its size allows")
