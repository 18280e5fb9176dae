"""A JPEG file from anywhere: its pixels, the planes that it stores, its tables, orientation and profile, or why not.

Only what libjpeg decodes without doubt is taken: 8 bits, Huffman coding, grey or three channels.
"""

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import InputError
from datasets.inspection.jpeg_history import shrink
from datasets.jpeg import encode_jpeg
from datasets.sources.image_file import UNREADABLE

LIMIT_PIXELS, LIMIT_BYTES = 100_000_000, 300_000_000
LIMIT_SCANS = 200  # progressive files have about ten
START, SCAN = b"\xff\xd8", b"\xff\xda"
START_OF_SCAN, END = 0xDA, 0xD9
STANDALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length: ITU-T T.81, table B.1
HUFFMAN_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
LOSSLESS_FRAMES, ARITHMETIC_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7}, {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
RGB_NAMES = b"RGB"  # of components that are stored as they are
SUBSAMPLINGS = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0"}  # rows, columns of pixels for one of chroma
TURNS = {  # EXIF's orientation -> what turns the stored image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION_TAG = 0x0112
BAND_PX = 128

Plane = NDArray[np.float32]  # [h, w], of 0..255


class JpegError(InputError):
    """A file cannot be read as a JPEG; the words follow its name: "is truncated: ..."."""


@dataclass(frozen=True)
class Frame:
    """What the frame header of a file says: its sides in pixels, and of each component name, sampling and table."""

    coding: str
    height: int
    width: int
    names: bytes
    sampling: tuple[tuple[int, int], ...]  # rows, columns
    tables: tuple[int, ...]

    @property
    def factors(self) -> tuple[int, int]:
        """By which chroma is smaller than luma: rows, columns; (0, 0) where that is no whole number for all."""
        (rows, columns), *others = self.sampling
        if not others or len(set(others)) > 1 or rows % others[0][0] or columns % others[0][1]:
            return (0, 0)
        return (rows // others[0][0], columns // others[0][1])

    @property
    def subsampling(self) -> str:
        """ "4:2:0" and the like; "grey", or "other"."""
        return "grey" if len(self.names) == 1 else SUBSAMPLINGS.get(self.factors, "other")


@dataclass(frozen=True)
class JpegFile:
    """A decoded file.

    pixels: uint8 [H, W, 3] as libjpeg shows them, not turned. planes: Y, then Cb and Cr at the resolution at which they
    are stored, uint8 or float32 [h, w] of 0..255; Y alone where chroma cannot be told, none of a file of RGB.
    all_steps: of each channel, the quantisation table [8, 8]. quality: of libjpeg's tables, None for others;
    nearest_quality: whose tables are nearest. turn: an orientation of TURNS, or 1. icc_profile: of its colours.
    """

    frame: Frame
    pixels: NDArray[np.uint8]
    planes: tuple[NDArray[np.uint8] | Plane, ...]
    all_steps: tuple[NDArray[np.int64], ...]
    quality: int | None
    nearest_quality: int
    turn: int
    icc_profile: bytes | None

    @property
    def is_grey(self) -> bool:
        return len(self.frame.names) == 1

    @property
    def steps(self) -> tuple[NDArray[np.int64], ...]:
        """The quantisation tables of the planes."""
        return self.all_steps[: len(self.planes)]

    @property
    def tables(self) -> dict[int, list[int]]:
        """The quantisation tables of luma (0) and, unless the file is grey, of chroma (1), of 64 steps each."""
        return {place: self.all_steps[place].ravel().tolist() for place in range(min(2, len(self.all_steps)))}


def read_bytes(path: Path) -> bytes:
    """Read a file if it may be a JPEG. Raises JpegError where it is none by its start or size, OSError."""
    with path.open("rb") as file:
        start = file.read(len(START))
        if start != START:
            raise JpegError("is no JPEG file" if start else "is empty")
        if path.stat().st_size > LIMIT_BYTES:
            raise JpegError(
                f"has {path.stat().st_size / 1e6:.0f} MB, more than the {LIMIT_BYTES / 1e6:.0f} MB of a file"
            )
        return start + file.read(LIMIT_BYTES)


def read_jpeg(data: bytes) -> JpegFile:
    """Decode a file. Raises JpegError where it is none, damaged, or of a kind that is not read."""
    frame = read_frame(data)
    if (n_scans := data.count(SCAN)) > LIMIT_SCANS:  # each takes time for the whole image, whatever it holds
        raise JpegError(f"has {n_scans} scans, more than the {LIMIT_SCANS} that are read: save it again")
    try:
        with _opened(data) as image:
            if image.size != (frame.width, frame.height):
                raise JpegError("is damaged (it has two sizes): replace it by a good copy")
            tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]
            steps = tuple(np.reshape(tables[table], (8, 8)).astype(np.int64) for table in frame.tables)
            if any((table < 1).any() for table in steps):
                raise JpegError("is damaged (a quantisation step of 0): replace it by a good copy")
            is_rgb = len(frame.names) == 3 and (frame.names == RGB_NAMES or image.info.get("adobe_transform") == 0)
            turn, icc_profile = _orientation(image), image.info.get("icc_profile") or None
        is_grey = len(frame.names) == 1
        pixels, planes = _pixels_and_planes(data, frame, is_grey, is_rgb)
    except JpegError:
        raise
    except UNREADABLE as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise JpegError(f"is damaged or truncated ({reason}): replace it by a good copy") from error
    quality, nearest = find_quality(steps)
    return JpegFile(frame, pixels, planes, steps, quality, nearest, turn, icc_profile)


def upright(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Turn an image [H, W, ...] as its EXIF orientation says."""
    if turn not in TURNS:
        return pixels
    return np.ascontiguousarray(np.asarray(Image.fromarray(pixels).transpose(TURNS[turn])))


def read_frame(data: bytes) -> Frame:
    """Return what the frame header of a file says. Raises JpegError where it is no JPEG that is read here."""
    if not data.startswith(START):
        raise JpegError("is empty" if not data else "is no JPEG file")
    place = len(START)
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            raise JpegError("is damaged (no marker where one should be): replace it by a good copy")
        marker = data[place + 1]
        if marker == 0xFF or marker in STANDALONE:
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (START_OF_SCAN, END) or length < 2:
            break
        if marker in ARITHMETIC_FRAMES:
            raise JpegError("is a JPEG with arithmetic coding, which most programs cannot read: save it with Huffman's")
        if marker in LOSSLESS_FRAMES:
            raise JpegError("is a lossless or hierarchical JPEG: there is nothing that this restores")
        if marker in HUFFMAN_FRAMES:
            return _frame(HUFFMAN_FRAMES[marker], data[place + 4 : place + 2 + length])
        place += 2 + length
    raise JpegError("is damaged (it has no frame): replace it by a good copy")


def _frame(coding: str, content: bytes) -> Frame:
    if len(content) < 6 or len(content) < 6 + 3 * content[5]:
        raise JpegError("is damaged (its frame ends too early): replace it by a good copy")
    bits, n_components = content[0], content[5]
    height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    if bits != 8:
        raise JpegError(f"has {bits} bits a channel: only JPEG of 8 bits is restored")
    if n_components == 4:
        raise JpegError("is a CMYK file: convert it to RGB, or leave it out")
    if n_components not in (1, 3):
        raise JpegError(f"has {n_components} channels: only grey and colour are restored")
    if not height or not width:
        raise JpegError("is damaged (a side of 0 px): replace it by a good copy")
    if height * width > LIMIT_PIXELS:
        raise JpegError(
            f"is {width} x {height} = {height * width / 1e6:.0f} million pixels, more than the "
            f"{LIMIT_PIXELS // 1_000_000} million that are restored: cut it into parts"
        )
    rows = [content[6 + 3 * place : 9 + 3 * place] for place in range(n_components)]
    sampling = tuple((row[1] & 15, row[1] >> 4) for row in rows)
    if not all(1 <= factor <= 4 for pair in sampling for factor in pair):
        raise JpegError("is damaged (a sampling factor that cannot be): replace it by a good copy")
    return Frame(coding, height, width, bytes(row[0] for row in rows), sampling, tuple(row[2] for row in rows))


def find_quality(steps: tuple[NDArray[np.int64], ...]) -> tuple[int | None, int]:
    """Return the quality of libjpeg whose tables these are, None where there is none, and whose are nearest.

    steps: [8, 8] of luma and, unless the file is grey, of both planes of chroma.
    """
    own = np.log(np.maximum(np.stack([steps[0], steps[-1]]), 1))
    distances = []
    for quality in range(1, 101):
        luma, chroma = libjpeg_tables(quality)
        if all((table == known).all() for table, known in zip(steps, (luma, chroma, chroma), strict=False)):
            return quality, quality
        known = np.log(np.stack([luma, luma if len(steps) == 1 else chroma]))
        distances.append(np.abs(own - known).mean())
    return None, int(np.argmin(distances)) + 1


@cache
def libjpeg_tables(quality: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tables [8, 8] of luma and chroma that libjpeg writes for a quality."""
    with Image.open(io.BytesIO(encode_jpeg(np.zeros((8, 8, 3), np.uint8), quality)), formats=("JPEG",)) as image:
        tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]
    luma, chroma = (np.reshape(tables[table], (8, 8)).astype(np.int64) for table in (0, 1))
    return luma, chroma


def _pixels_and_planes(
    data: bytes, frame: Frame, is_grey: bool, is_rgb: bool
) -> tuple[NDArray[np.uint8], tuple[NDArray[np.uint8] | Plane, ...]]:
    """Decode first what takes most: Pillow keeps four bytes a pixel of three channels beside it."""
    if is_grey:
        luma = _decoded(data, frame, "L")
        return np.repeat(luma, 3, axis=2), (luma[..., 0],)
    if is_rgb:
        return _decoded(data, frame, "RGB"), ()
    if frame.subsampling == "4:4:4":
        ycbcr = _decoded(data, frame, "YCbCr")
        return _shown(ycbcr), tuple(ycbcr.transpose(2, 0, 1))
    return _decoded(data, frame, "RGB"), _planes(data, frame)


def _planes(data: bytes, frame: Frame) -> tuple[NDArray[np.uint8] | Plane, ...]:
    """Return Y, and Cb and Cr as they are stored, subsampled, where that can be told.

    Decoded to half its size, a file of 4:2:0 shows its chroma pixel by pixel: libjpeg then enlarges none of it.
    """
    kind, luma, chroma = frame.subsampling, _decoded(data, frame, "L")[..., 0], slice(1, 3)
    if kind == "4:2:2" and frame.width > 1:  # what it is that is shown in full was interpolated from
        shown = _decoded(data, frame, "YCbCr", chroma).transpose(2, 0, 1)
        return (luma, *(shrink(plane.astype(np.float32), (1, 2)) for plane in shown))
    if kind == "4:2:0" and min(frame.height, frame.width) > 1:
        return (luma, *_decoded(data, frame, "YCbCr", chroma, 2).transpose(2, 0, 1))
    return (luma,)


def _shown(ycbcr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what libjpeg shows of uint8 [H, W, 3] in YCbCr, as RGB: its integers of 16 fractional bits."""
    centred = np.arange(256, dtype=np.int32) - 128
    red, green_cr, green_cb, blue = (round(factor * 65536) * centred for factor in (1.402, 0.71414, 0.34414, 1.772))
    half = 1 << 15
    rgb = np.empty_like(ycbcr)
    for top in range(0, len(ycbcr), BAND_PX):
        band = slice(top, top + BAND_PX)
        y, cb, cr = (ycbcr[band, :, channel] for channel in range(3))
        rgb[band, :, 0] = np.clip(y + ((red + half) >> 16)[cr], 0, 255)
        rgb[band, :, 1] = np.clip(y + ((half - green_cb[cb] - green_cr[cr]) >> 16), 0, 255)
        rgb[band, :, 2] = np.clip(y + ((blue + half) >> 16)[cb], 0, 255)
    return rgb


def _decoded(
    data: bytes, frame: Frame, mode: str, channels: slice = slice(0, 3), shrink_by: int = 1
) -> NDArray[np.uint8]:
    """Decode some channels, uint8 [H, W, C], for little more memory than they and Pillow's own image take."""
    with _opened(data) as image:
        image.draft(mode, (frame.width // shrink_by, frame.height // shrink_by))
        image.load()
        width, height = image.size
        whole = np.empty((height, width, len(range(len(image.getbands()))[channels])), np.uint8)
        for top in range(0, height, BAND_PX):
            bottom = min(top + BAND_PX, height)
            band = np.asarray(image if height <= BAND_PX else image.crop((0, top, width, bottom)))
            whole[top:bottom] = band.reshape(bottom - top, width, -1)[..., channels]
        return whole


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("JPEG",))


def _orientation(image: Image.Image) -> int:
    try:
        turn = image.getexif().get(ORIENTATION_TAG, 1)
    except UNREADABLE:  # whatever is wrong with it says nothing of the pixels
        return 1
    return turn if turn in TURNS else 1
