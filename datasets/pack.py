"""Packing: source images become one folder with originals, JPEG bytes at every quality, an index and a manifest."""

import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datasets.errors import InputError
from datasets.jpeg import SUBSAMPLING, codec_versions, encode_jpeg
from datasets.prefetch import map_ahead
from datasets.source import SourceImage, centre_crop
from datasets.splits import SPLITS, SUBSETS, split_images

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
INDEX = "index.parquet"
ORIGINALS = "originals.npy"
QUALITIES = (10, 25, 40, 50, 60, 75, 80, 90)  # the thesis' section 3.2
LEAST_SIZE_PX = 16


@dataclass(frozen=True)
class PackSettings:
    """How to pack: the side of the centre crop, the JPEG qualities, and what is said of the images' origin."""

    size_px: int = 360
    qualities: tuple[int, ...] = QUALITIES
    description: str = ""

    def __post_init__(self) -> None:
        if self.size_px < LEAST_SIZE_PX:
            raise InputError(f"the size must be at least {LEAST_SIZE_PX} px, got {self.size_px}")
        for quality in self.qualities:
            if not 1 <= quality <= 100:
                raise InputError(f"a JPEG quality must be 1..100, got {quality}")
        if not self.qualities or len(set(self.qualities)) < len(self.qualities):
            raise InputError(f"name each JPEG quality once, got {list(self.qualities)}")


def jpeg_file(quality: int) -> str:
    """Return the name of the file that holds every image's JPEG bytes at a quality."""
    return f"jpeg_q{quality}.bin"


def write_pack(images: Sequence[SourceImage], out: Path, settings: PackSettings) -> None:
    """Pack the images into the folder `out`, which appears whole or not at all.

    Raises InputError when out exists, an image cannot be used, or the disk is full.
    """
    if out.exists():
        raise InputError(f"{out} exists: name a new folder, or delete it first")
    splits = split_images(len(images))
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed run left
    try:
        partial.mkdir(parents=True)
        manifest = _write_files(images, splits, partial, settings)
        _write_durably(partial / MANIFEST, json.dumps(manifest, indent=1).encode())
        partial.rename(out)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}; free space or name another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def pack_fingerprint(files: dict[str, dict[str, Any]], size_px: int) -> str:
    """Return the identity of a pack: a hash over the SHA-256 of its files."""
    facts = json.dumps([size_px, sorted((name, file["sha256"]) for name, file in files.items())])
    return hashlib.sha256(facts.encode()).hexdigest()


class _HashedFile:
    """A file being written that knows its length and SHA-256."""

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = path.open("wb")
        self.sha256 = hashlib.sha256()
        self.n_bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        self.file.write(data)
        self.sha256.update(data)
        self.n_bytes += len(data)

    def close(self) -> dict[str, Any]:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        return {"bytes": self.n_bytes, "sha256": self.sha256.hexdigest()}


def _write_files(
    images: Sequence[SourceImage], splits: dict[str, list[str]], folder: Path, settings: PackSettings
) -> dict[str, Any]:
    def prepare(image: SourceImage) -> tuple[int, int, NDArray[np.uint8], list[bytes]]:
        pixels = image.read()
        cropped = np.ascontiguousarray(centre_crop(pixels, settings.size_px))
        return *pixels.shape[:2], cropped, [encode_jpeg(cropped, quality) for quality in settings.qualities]

    shape = (len(images), settings.size_px, settings.size_px, 3)
    rows: list[dict[str, Any]] = []
    n_threads = os.cpu_count() or 1
    prepared = map_ahead(prepare, images, n_threads, 4 * n_threads)
    with ExitStack() as stack:  # on a full disk, closing fails too: every file must have its turn
        outputs = {name: _HashedFile(folder / name) for name in (ORIGINALS, *map(jpeg_file, settings.qualities))}
        for output in outputs.values():
            stack.callback(output.file.close)
        outputs[ORIGINALS].write(_npy_header(shape))
        for position, (image, (height, width, pixels, jpegs)) in enumerate(zip(images, prepared, strict=True)):
            outputs[ORIGINALS].write(pixels.data.cast("B"))
            lengths = {}
            for quality, jpeg in zip(settings.qualities, jpegs, strict=True):
                outputs[jpeg_file(quality)].write(jpeg)
                lengths[f"jpeg_bytes_q{quality}"] = len(jpeg)
            subsets = {split: splits[split][position] for split in SPLITS}
            named = {"name": image.name, "system": image.system, **subsets, "height": height, "width": width}
            rows.append({**named, "sha256": hashlib.sha256(pixels.data).hexdigest(), **lengths})
        files = {name: output.close() for name, output in outputs.items()}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    index = sink.getvalue().to_pybytes()
    _write_durably(folder / INDEX, index)
    files[INDEX] = {"bytes": len(index), "sha256": hashlib.sha256(index).hexdigest()}
    return _manifest(rows, files, settings)


def _manifest(rows: list[dict[str, Any]], files: dict[str, dict[str, Any]], settings: PackSettings) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "description": settings.description,
        "size_px": settings.size_px,
        "qualities": sorted(settings.qualities),
        "subsampling": SUBSAMPLING,
        "split_seeds": SPLITS,
        "n_images": len(rows),
        "systems": dict(sorted(Counter(row["system"] for row in rows).items())),
        "subsets": {split: {part: sum(row[split] == part for row in rows) for part in SUBSETS} for split in SPLITS},
        "versions": codec_versions(),
        "files": files,
        "fingerprint": pack_fingerprint(files, settings.size_px),
    }


def _npy_header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return header.getvalue()


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
