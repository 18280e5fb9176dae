"""Tiny images made of numbers: as sources in memory, as a folder of files, as a pack, and as files no pack may take."""

import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.sources.source import SourceImage

N_IMAGES = 8
SIZE_PX = 32  # of the pack; the sources are a little larger
HEIGHT, WIDTH = 37, 44
QUALITIES = (25, 75)
SYSTEMS = ("left", "right")

# What a tiny pack holds besides its manifest.
PACK_FILES = ("index.parquet", "originals.npy", "jpeg_q25.bin", "jpeg_q75.bin")


def tiny_image(number: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return uint8 [height, width, 3]: slopes under a little noise, so that JPEG has something to keep and to lose."""
    rng = np.random.default_rng((7, number))
    rows, columns = np.mgrid[0:height, 0:width]
    slopes = np.stack([3 * rows + number, 2 * columns + 40, rows + columns + 60], axis=-1)
    return (slopes + rng.integers(0, 40, slopes.shape)).clip(0, 255).astype(np.uint8)


def tiny_sources(n_images: int = N_IMAGES) -> list[SourceImage]:
    """List tiny images of two systems in turn."""
    systems = [SYSTEMS[number % 2] for number in range(n_images)]
    return [
        SourceImage(f"{system}/{number}.png", system, partial(tiny_image, number))
        for number, system in enumerate(systems)
    ]


def write_source_folder(folder: Path, n_images: int = N_IMAGES) -> Path:
    """Write the tiny images as PNG files, a sub-folder per system."""
    for source in tiny_sources(n_images):
        path = folder / source.name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source.read()).save(path)
    return folder


def write_tiny_pack(folder: Path, n_images: int = N_IMAGES) -> PackedDataset:
    """Pack the tiny images into `folder` and open the pack."""
    write_pack(tiny_sources(n_images), folder, PackSettings(SIZE_PX, QUALITIES, "tiny images"))
    return open_pack(folder)


def _as_jpeg(path: Path) -> None:
    Image.fromarray(tiny_image(0)).save(path, "JPEG")


def _as_webp(path: Path) -> None:
    Image.fromarray(tiny_image(0)).save(path, "WEBP", lossless=True)


def _as_gif(path: Path) -> None:
    Image.fromarray(tiny_image(0)).save(path, "GIF")


def _as_ppm(path: Path) -> None:
    Image.fromarray(tiny_image(0)).save(path, "PPM")


def _as_mode(mode: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        image = Image.fromarray(tiny_image(0))
        (image.convert(mode) if mode != "LAB" else Image.merge("LAB", image.split())).save(path)

    return write


def _as_jpeg_in_tiff(path: Path) -> None:
    Image.fromarray(tiny_image(0)).save(path, "TIFF", compression="jpeg")


def _as_pages(path: Path) -> None:
    Image.fromarray(tiny_image(0)).save(path, save_all=True, append_images=[Image.fromarray(tiny_image(1))])


def _as_16_bit_grey(path: Path) -> None:
    Image.fromarray(tiny_image(0)[..., 0].astype(np.uint16) * 257).save(path)


def _as_16_bit_rgb_png(path: Path) -> None:
    """Write by hand what Pillow cannot: an 8-bit PNG's chunks, its bit depth and rows made 16-bit."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in tiny_image(0))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def _as_16_bit_rgb_tiff(path: Path) -> None:
    """Write by hand what Pillow cannot: one strip of uncompressed 16-bit RGB."""
    rows = tiny_image(0).astype("<u2").tobytes()
    values = {256: WIDTH, 257: HEIGHT, 259: 1, 262: 2, 273: 8, 277: 3, 278: HEIGHT, 279: len(rows)}
    bits_at = 8 + len(rows)
    entries = [(258, 3, 3, bits_at), *((tag, 4, 1, value) for tag, value in values.items())]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = b"II*\0" + struct.pack("<I", bits_at + 6)
    path.write_bytes(head + rows + struct.pack("<HHH", 16, 16, 16) + directory + struct.pack("<I", 0))


def _as_16_bit_bmp(path: Path) -> None:
    rows = bytes(2 * WIDTH * HEIGHT)
    head = b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54)
    path.write_bytes(head + struct.pack("<IIIHHIIIIII", 40, WIDTH, HEIGHT, 1, 16, 0, 0, 0, 0, 0, 0) + rows)


def _as_nothing_known(path: Path) -> None:
    path.write_bytes(b"no image at all")


def _as_a_bomb(path: Path) -> None:
    path.write_bytes(b"BM" + struct.pack("<IHHIIIIHHIIIIII", 54, 0, 0, 54, 40, 20000, 20000, 1, 24, *[0] * 6))


LOSS = "its loss cannot be undone: export the original again"
AGAIN = "export the original again with three channels of 8 bits, or remove it"

# what a file is called, who writes it, and what is said of it
UNUSABLE: list[tuple[str, Callable[[Path], None], str]] = [
    ("a.png", _as_jpeg, f"is a JPEG file, which may be lossy: {LOSS}"),
    ("a.tif", _as_jpeg, f"is a JPEG file, which may be lossy: {LOSS}"),
    ("a.png", _as_webp, f"is a WEBP file, which may be lossy: {LOSS}"),
    ("a.bmp", _as_gif, f"is a GIF file, which may be lossy: {LOSS}"),
    ("a.png", _as_ppm, "is a PPM file: sources must be BMP, PNG or TIFF; convert it, which loses nothing"),
    ("a.tif", _as_jpeg_in_tiff, f"is a TIFF with JPEG compression: {LOSS}"),
    ("a.png", _as_mode("P"), rf"is not 8-bit RGB \(palette, 8 bits\): {LOSS}"),
    ("a.bmp", _as_mode("P"), rf"is not 8-bit RGB \(palette, 8 bits a pixel\): {LOSS}"),
    ("a.tif", _as_mode("P"), rf"is not 8-bit RGB \(palette, 8 bits\): {LOSS}"),
    ("a.png", _as_mode("1"), rf"is not 8-bit RGB \(grey, 1 bit\): {LOSS}"),
    ("a.tif", _as_mode("1"), rf"is not 8-bit RGB \(grey, 1 bit\): {LOSS}"),
    ("a.png", _as_mode("L"), rf"is not 8-bit RGB \(grey, 8 bits\): {AGAIN}"),
    ("a.png", _as_mode("LA"), rf"is not 8-bit RGB \(grey with alpha, 8 bits\): {AGAIN}"),
    ("a.tif", _as_mode("CMYK"), rf"is not 8-bit RGB \(CMYK, 8 bits\): {AGAIN}"),
    ("a.tif", _as_mode("LAB"), rf"is not 8-bit RGB \(CIELAB, 8 bits\): {AGAIN}"),
    ("a.png", _as_16_bit_grey, rf"is not 8-bit RGB \(grey, 16 bits\): {AGAIN}"),
    ("a.tif", _as_16_bit_grey, rf"is not 8-bit RGB \(grey, 16 bits\): {AGAIN}"),
    ("a.png", _as_16_bit_rgb_png, rf"is not 8-bit RGB \(RGB, 16 bits\): {AGAIN}"),
    ("a.tif", _as_16_bit_rgb_tiff, rf"is not 8-bit RGB \(RGB, 16 bits\): {AGAIN}"),
    ("a.bmp", _as_16_bit_bmp, rf"is not 8-bit RGB \(16 bits a pixel\): {LOSS}"),
    ("a.tif", _as_pages, "holds 2 images: save each as a file of its own"),
    ("a.png", _as_pages, "holds 2 images: save each as a file of its own"),
    ("a.png", _as_nothing_known, r"is damaged \(no image of a known format\): replace it by a good copy, or remove it"),
    ("a.png", Path.touch, r"is damaged \(it is empty\): replace it by a good copy, or remove it"),
    ("a.bmp", _as_a_bomb, "is 20000 x 20000 = 400 million pixels, more than the 178 million that can be read: export"),
]
