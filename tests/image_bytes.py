"""Image files made byte by byte, which Pillow would not write: what a camera program, or a broken copy, leaves."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Tags = dict[int, tuple[str, list[int]]]  # tag -> struct letter of its type, its values
TYPES = {"B": 1, "H": 3, "I": 4, "b": 6}


def png_chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """Return a chunk of a PNG file, with another checksum than its own if asked."""
    found = zlib.crc32(kind + content) if checksum is None else checksum
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", found)


def png(
    image: Pixels, before: bytes = b"", after: bytes = b"", stream: bytes | None = None, idat: int | None = None
) -> bytes:
    """Return a PNG file, with chunks before and after its pixels, another deflate stream, or a wrong checksum."""
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8, {3: 2, 4: 6}[image.shape[2]], 0, 0, 0)
    data = png_chunk(b"IDAT", zlib.compress(rows) if stream is None else stream, idat)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + data + after + png_chunk(b"IEND", b"")


def bmp(image: Pixels, is_top_down: bool = False) -> bytes:
    """Return a BMP file of 24 or, from four channels, of 32 bits a pixel."""
    rows = image if is_top_down else image[::-1]
    rows = rows[..., [2, 1, 0, *range(3, image.shape[2])]]
    padding = bytes(-rows.shape[1] * rows.shape[2] % 4)
    body = b"".join(row.tobytes() + padding for row in rows)
    height = -len(image) if is_top_down else len(image)
    sizes = struct.pack("<IiiHHII", 40, image.shape[1], height, 1, 8 * image.shape[2], 0, len(body))
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + sizes + bytes(16) + body


def tags_of(image: Pixels, **others: tuple[str, list[int]] | None) -> Tags:
    """Return the tags of an RGB TIFF file of one strip; others: t258=("H", [1]) sets a tag, None takes it away."""
    height, width, channels = image.shape
    tags: Tags = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [8] * channels), 259: ("H", [1])}
    tags |= {262: ("H", [2]), 273: ("I", [8]), 277: ("H", [channels]), 278: ("I", [height]), 279: ("I", [image.size])}
    for name, value in others.items():
        tags.pop(int(name[1:]), None)
        if value is not None:
            tags[int(name[1:])] = value
    return tags


def directory(place: int, tags: Tags, next_place: int = 0) -> bytes:
    """Return the bytes of an image file directory at a place of a file, its longer values behind it."""
    behind = place + 2 + 12 * len(tags) + 4
    head, values = struct.pack("<H", len(tags)), b""
    for tag, (letter, numbers) in sorted(tags.items()):
        data = struct.pack(f"<{len(numbers)}{letter}", *numbers)
        if len(data) > 4:
            head += struct.pack("<HHII", tag, TYPES[letter], len(numbers), behind + len(values))
            values += data + bytes(len(data) % 2)
        else:
            head += struct.pack("<HHI", tag, TYPES[letter], len(numbers)) + data.ljust(4, b"\0")
    return head + struct.pack("<I", next_place) + values


def tiff(image: Pixels, next_place: int = 0, **others: tuple[str, list[int]] | None) -> bytes:
    """Return a TIFF file of one uncompressed strip."""
    data = image.tobytes() + bytes(image.size % 2)
    tags = tags_of(image, **others)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory(8 + len(data), tags, next_place)


def tiff_of_two(first: Pixels, second: Pixels, sub: bool, **others: tuple[str, list[int]] | None) -> bytes:
    """Return a TIFF file of two images, the second behind the first or, as a thumbnail's full image, below it."""
    data = first.tobytes() + bytes(first.size % 2)
    place = 8 + len(data) + second.size + second.size % 2
    tags = tags_of(first, **others)
    below: Tags = tags_of(second, t273=("I", [8 + len(data)]))
    if sub:
        tags[330] = ("I", [0])
    behind = place + len(directory(place, tags))
    if sub:
        tags[330] = ("I", [behind])
    head = b"II*\0" + struct.pack("<I", place) + data + second.tobytes() + bytes(second.size % 2)
    return head + directory(place, tags, 0 if sub else behind) + directory(behind, below)
