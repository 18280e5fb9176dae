"""TIFF files, judged by their tags: Pillow opens 16 bits as 8, drops channels and multiplies others without a word."""

import io
import lzma
import math
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.sources.image_fault import (
    LOSS,
    Header,
    ImageFault,
    check_fourth_channel,
    check_rows,
    damaged,
    not_rgb,
    several,
)

MAX_DIRECTORIES, MAX_NUMBERS = 10_000, 1 << 20  # numbers of a tag: of a large slide, a place for each tile
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # types whose values are counts or offsets
LOSSLESS = {1: "no", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits", 34925: "LZMA", 50000: "Zstandard"}
LOSSY = {6: "JPEG", 7: "JPEG", 33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34892: "JPEG", 34887: "LERC"}
LOSSY |= {2: "fax", 3: "fax", 4: "fax", 34676: "SGI LogLuv", 34677: "SGI LogLuv", 50001: "WebP", 50002: "JPEG XL"}
PHOTOMETRIC = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK", 6: "YCbCr", 8: "CIELAB", 9: "ICCLAB"}
PHOTOMETRIC |= {10: "ITULAB", 32803: "raw sensor", 34892: "raw sensor", 32844: "LogL", 32845: "LogLuv"}
RGB = 2
SEPARATE = 2  # PlanarConfiguration
# Compressions whose streams end in a checksum -> what inflates one.
CHECKED: dict[int, Callable[[], Any]] = {8: zlib.decompressobj, 32946: zlib.decompressobj, 34925: lzma.LZMADecompressor}
ASSOCIATED, UNASSOCIATED = 1, 2  # ExtraSamples
REDUCED, MASK = 1, 4  # bits of NewSubfileType
LOSSLESS_RGB = "export the original again as RGB, or remove it"


@dataclass(frozen=True)
class Directory:
    """An image file directory. tags: the numbers of each tag; places: where they lie in the file; next_at: the next."""

    tags: dict[int, tuple[int, ...]]
    places: dict[int, int]
    next_at: int
    description: bytes = b""

    def one(self, tag: int, default: int) -> int:
        values = self.tags.get(tag)
        return values[0] if values else default

    @property
    def size(self) -> tuple[int, int]:
        return self.one(256, 0), self.one(257, 0)

    @property
    def n_pixels(self) -> int:
        return self.one(256, 0) * self.one(257, 0)

    @property
    def is_reduced(self) -> bool:
        return bool(self.one(254, 0) & REDUCED) or self.one(255, 0) == 2

    @property
    def n_slices(self) -> int:
        """How many images of its size lie in it, as ImageJ and tifffile describe a stack."""
        stack = re.search(rb"^ImageJ=(?s:.*?)^images=(\d+)", self.description, re.MULTILINE)
        if stack:
            return int(stack[1])
        shape = re.match(rb'{"shape": \[([\d, ]+)\]', self.description)
        n_numbers = math.prod(map(int, shape[1].split(b","))) if shape else 0
        return max(self.one(32997, 1), n_numbers // max(1, self.n_pixels * self.one(277, 1)))


def read_header(file: BinaryIO) -> Header:
    """Return the header of an open TIFF file. Raises ImageFault where it is damaged or not one image of 8-bit RGB."""
    reader = _Reader(file)
    first = reader.directory(reader.first_at)
    width, height = first.size
    if not width or not height:
        raise damaged("no width or height")
    _check_compression(first)
    _check_channels(first)
    _check_others(reader, first)
    return Header(width, height)


def decode(data: bytes, header: Header) -> NDArray[np.uint8]:
    """Return the image of a TIFF file as uint8 [H, W, 3]. Raises ImageFault."""
    reader = _Reader(io.BytesIO(data))
    directory = reader.directory(reader.first_at)
    if directory.one(259, 1) in CHECKED:
        _check_streams(data, directory)
    is_associated = directory.tags.get(338, ())[:1] == (ASSOCIATED,)
    if directory.one(277, 1) == 4 and 338 in directory.tags:
        data = reader.with_number(data, directory.places[338], UNASSOCIATED)  # whose bytes Pillow leaves as they are
    with Image.open(io.BytesIO(data), formats=("TIFF",)) as opened:
        image = np.asarray(opened)
    if image.ndim != 3 or sorted(image.shape[:2]) != sorted((header.height, header.width)):
        raise damaged("other pixels than its tags say")
    if image.shape[2] == 4:
        check_fourth_channel(image[..., 3], "an alpha or other channel")
        if is_associated and np.any(image[..., 3] != 255):
            raise ImageFault("has colours multiplied by an alpha channel: save it as plain 8-bit RGB, or remove it")
    image = image[..., :3]
    if directory.one(259, 1) not in CHECKED:
        _check_filling(image, directory)
    return image


def _check_filling(image: NDArray[np.uint8], directory: Directory) -> None:
    """Raise ImageFault where rows of strips, tiles or separate channels are zero, as in a copy that was cut off."""
    stored = image.swapaxes(0, 1) if 5 <= directory.one(274, 1) <= 8 else image
    planes = np.split(stored, 3, axis=2) if directory.one(284, 1) == SEPARATE else [stored]
    height, width = stored.shape[:2]
    tile_height, tile_width = max(1, directory.one(323, height)), max(1, directory.one(322, width))
    for plane in (plane for plane in planes if plane.any() or not stored.any()):  # of a dark channel nothing is lost
        is_empty = [
            plane[top : top + tile_height, left : left + tile_width].max(axis=(1, 2)) == 0
            for top in range(0, height, tile_height)
            for left in range(0, width, tile_width)
        ]
        check_rows(np.concatenate(is_empty))


def _check_streams(data: bytes, directory: Directory) -> None:
    """Inflate each strip or tile to its end, which compares its checksum: libtiff stops when it has its pixels."""
    new_inflater = CHECKED[directory.one(259, 1)]
    starts = directory.tags.get(273, ()) + directory.tags.get(324, ())
    counts = directory.tags.get(279, ()) + directory.tags.get(325, ())
    for start, count in zip(starts, counts, strict=False):
        inflater = new_inflater()
        try:
            inflater.decompress(data[start : start + count])
        except (zlib.error, lzma.LZMAError) as error:
            raise damaged(f"its pixels cannot be inflated: {error}") from error
        if not inflater.eof:
            raise damaged("its pixels end too early")


def _check_compression(directory: Directory) -> None:
    compression = directory.one(259, 1)
    if compression not in LOSSLESS:
        name = LOSSY.get(compression)
        raise ImageFault(f"is a TIFF with {name or f'unknown ({compression})'} compression: {LOSS}")


def _check_channels(directory: Directory) -> None:
    photometric, n_samples = directory.one(262, -1), directory.one(277, 1)
    bits = directory.tags.get(258, (1,))
    name = PHOTOMETRIC.get(photometric, "no photometric interpretation" if photometric < 0 else f"kind {photometric}")
    found = f"{name}, {max(bits)} bit{'' if max(bits) == 1 else 's'}"
    if photometric == 6:
        raise not_rgb(f"{name}, colours rounded or subsampled", LOSS)
    if photometric == 3 or max(bits) < 8:
        raise not_rgb(found, LOSS)
    if photometric != RGB or set(bits) != {8}:
        raise not_rgb(found)
    if n_samples not in (3, 4) or len(bits) not in (1, n_samples):
        raise ImageFault(f"has {n_samples} channels: save it as plain 8-bit RGB, or remove it")
    if set(directory.tags.get(339, (1,))) != {1}:
        raise not_rgb("signed or floating-point numbers")
    if directory.one(284, 1) not in (1, 2) or directory.one(266, 1) not in (1, 2):
        raise damaged("an order of its bytes that cannot be")


def _check_others(reader: "_Reader", first: Directory) -> None:
    """Raise ImageFault unless the first image is the whole one, and the only one but for smaller copies of it."""
    thumbnail = ImageFault("shows a thumbnail first, its full image lies behind: export that as a file of its own")
    if first.is_reduced:
        raise thumbnail
    if first.one(254, 0) & MASK:
        raise ImageFault("is a transparency mask: export the image itself")
    if first.n_slices > 1:
        raise several(first.n_slices)
    below = [reader.directory(place) for place in first.tags.get(330, ())]
    behind = reader.directories_behind(first)
    copies = [*below, *(other for other in behind if other.is_reduced)]
    if any(copy.n_pixels > first.n_pixels for copy in copies):
        raise thumbnail
    n_images = 1 + len(below) + len(behind) - sum(copy.n_pixels < first.n_pixels for copy in copies)
    if n_images > 1:
        raise several(n_images)


class _Reader:
    """Reads the directories of a TIFF or BigTIFF file. Raises ImageFault where they lie outside of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.n_bytes = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(16)
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not self.order or len(head) < 8:
            raise damaged("no header")
        version = struct.unpack_from(self.order + "H", head, 2)[0]
        if version not in (42, 43) or len(head) < (16 if version == 43 else 8):
            raise damaged("no header")
        self.is_big = version == 43
        if self.is_big and self.order == ">":
            raise ImageFault("is a big-endian BigTIFF, which is not read: save it as plain TIFF, or as PNG")
        place = (8, "Q") if self.is_big else (4, "I")
        self.first_at = int(struct.unpack_from(self.order + place[1], head, place[0])[0])

    def directory(self, place: int) -> Directory:
        count, entry, offset = ("Q", 20, 8) if self.is_big else ("H", 12, 4)
        (n_entries,) = self._numbers(place, count, 1)
        start = place + struct.calcsize(self.order + count)
        if not 0 < n_entries <= 4096:
            raise damaged("a directory that cannot be")
        tags, places, description = {}, {}, b""
        for at in range(start, start + n_entries * entry, entry):
            tag, kind = self._numbers(at, "H", 2)
            (n_values,) = self._numbers(at + 4, "Q" if self.is_big else "I", 1)
            inline = at + entry - offset
            n_bytes = n_values * SIZES.get(kind, 0)
            where = inline if n_bytes <= offset else self._numbers(inline, "Q" if self.is_big else "I", 1)[0]
            if tag == 270 and kind in (1, 2, 7):
                description = self._bytes(where, n_bytes)
            elif kind in LETTERS and tag in INTERESTING:
                if n_values > MAX_NUMBERS:
                    raise damaged("a tag that cannot be")
                tags[tag], places[tag] = self._numbers(where, LETTERS[kind], n_values), where
        (next_at,) = self._numbers(start + n_entries * entry, "Q" if self.is_big else "I", 1)
        return Directory(tags, places, next_at, description)

    def directories_behind(self, directory: Directory) -> list[Directory]:
        found: list[Directory] = []
        seen = {self.first_at}
        while directory.next_at:
            if directory.next_at in seen or len(found) > MAX_DIRECTORIES:
                raise damaged("its directories go in a circle")
            seen.add(directory.next_at)
            directory = self.directory(directory.next_at)
            found.append(directory)
        return found

    def with_number(self, data: bytes, place: int, number: int) -> bytes:
        """Return a copy of the file with another number of 16 bits in a place."""
        return data[:place] + struct.pack(self.order + "H", number) + data[place + 2 :]

    def _numbers(self, place: int, letter: str, count: int) -> tuple[int, ...]:
        form = f"{self.order}{count}{letter}"
        return struct.unpack(form, self._bytes(place, struct.calcsize(form)))

    def _bytes(self, place: int, count: int) -> bytes:
        if place < 8 or place + count > self.n_bytes:
            raise damaged("a directory that lies outside of the file")
        self.file.seek(place)
        return self.file.read(count)


INTERESTING = {
    254,
    255,
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    279,
    284,
    322,
    323,
    324,
    325,
    330,
    338,
    339,
    32997,
}
