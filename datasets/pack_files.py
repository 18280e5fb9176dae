"""The files of a pack while they grow: image after image, on disk at every checkpoint, gone on with after an end."""

import hashlib
import io
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from datasets.encoders.encoder import Encoder
from datasets.pack_format import ORIGINALS, TODAY_OPTIMISED, bytes_column, encoded_file
from datasets.sources.source import SourceImage

CHECKPOINT_IMAGES = 256  # each checkpoint waits for the disk, which takes some 50 ms
Row = dict[str, Any]
ROW = {"stamp", "check", "name", "system", "height", "width", "sha256"}  # and the lengths of its files


@dataclass(frozen=True)
class Prepared:
    """What becomes of a source image. height, width: of the source in pixels.

    pixels: uint8 [size, size, 3]; encoded: a file for each encoder; thumbnail: uint8 [S, S]; today_optimised_bytes: of
    today's encoder with optimised Huffman tables, None where the pack has no today.
    """

    height: int
    width: int
    pixels: NDArray[np.uint8]
    encoded: tuple[bytes, ...]
    thumbnail: NDArray[np.uint8]
    today_optimised_bytes: int | None = None


class PackFiles:
    """The growing files of a pack in a folder, with a journal of what of them is surely on disk.

    rows: what the index will say of each image so far, with its source's stamp.
    """

    def __init__(self, folder: Path, journal: Path, size_px: int, encoders: Sequence[Encoder]) -> None:
        self.rows: list[Row] = []
        self.n_kept = 0  # images on disk, come what may
        self._shape = (size_px, size_px, 3)
        # The files that grow by a varying number of bytes an image, and the columns that say by how many.
        self._columns = {encoded_file(encoder): bytes_column(encoder) for encoder in encoders}
        with ExitStack() as stack:  # on a full disk, closing fails too: every file must have its turn
            self._files = {name: stack.enter_context(_open(folder / name)) for name in (ORIGINALS, *self._columns)}
            self._journal = stack.enter_context(_open(journal))
            self._stack = stack.pop_all()
        self._hashes = {name: hashlib.sha256() for name in self._files}

    def __enter__(self) -> "PackFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, images: Sequence[SourceImage]) -> Iterator[NDArray[np.uint8]]:
        """Yield the pixels of the first images that are there from an earlier run; then the files go on behind them."""
        header = _npy_header((len(images), *self._shape))
        self._write(ORIGINALS, header)
        for row, image in zip(self._read_journal(), images, strict=False):
            if not image.stamp or (row["name"], row["stamp"]) != (image.name, image.stamp):
                break
            pixels = self._files[ORIGINALS].read(math.prod(self._shape))
            encoded = [self._files[name].read(row[column]) for name, column in self._columns.items()]
            if _check(pixels, encoded) != row["check"]:
                break
            for name, data in zip(self._files, (pixels, *encoded), strict=True):
                self._hashes[name].update(data)
            self.rows.append(row)
            yield np.frombuffer(pixels, np.uint8).reshape(self._shape)
        self._cut(len(header))

    def append(self, image: SourceImage, prepared: Prepared) -> None:
        """Write an image; its source's name, system and size and the lengths of its encoded files become a row."""
        self._write(ORIGINALS, prepared.pixels.data.cast("B"))
        lengths = {}
        for (name, column), data in zip(self._columns.items(), prepared.encoded, strict=True):
            self._write(name, data)
            lengths[column] = len(data)
        if prepared.today_optimised_bytes is not None:
            lengths[TODAY_OPTIMISED] = prepared.today_optimised_bytes
        self.rows.append(
            {
                "stamp": image.stamp,
                "check": _check(prepared.pixels.data, prepared.encoded),
                "name": image.name,
                "system": image.system,
                "height": prepared.height,
                "width": prepared.width,
                "sha256": hashlib.sha256(prepared.pixels.data).hexdigest(),
                **lengths,
            }
        )
        if len(self.rows) - self.n_kept >= CHECKPOINT_IMAGES:
            self.keep()

    def keep(self) -> None:
        """Wait until everything is on disk, then enter it into the journal."""
        for file in self._files.values():
            _to_disk(file)
        self._journal.write("".join(json.dumps(row) + "\n" for row in self.rows[self.n_kept :]).encode())
        _to_disk(self._journal)
        self.n_kept = len(self.rows)

    def finish(self) -> dict[str, dict[str, Any]]:
        """Write what is left to disk and return each file's facts: bytes and sha256."""
        if self.n_kept:  # what follows can be interrupted too
            self.keep()
        for file in self._files.values():
            _to_disk(file)
        return {
            name: {"bytes": file.tell(), "sha256": self._hashes[name].hexdigest()} for name, file in self._files.items()
        }

    def _write(self, name: str, data: bytes | memoryview) -> None:
        self._files[name].write(data)
        self._hashes[name].update(data)

    def _read_journal(self) -> list[Row]:
        lines = self._journal.read().split(b"\n")[:-1]  # behind the last line break, a torn line at most
        rows = []
        for line in lines:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                break
            if not self._is_row(row):
                break
            rows.append(row)
        return rows

    def _is_row(self, row: object) -> bool:
        if not isinstance(row, dict) or not ROW.union(self._columns.values()) <= row.keys():
            return False
        return all(isinstance(row[column], int) and row[column] >= 0 for column in self._columns.values())

    def _cut(self, header_bytes: int) -> None:
        """Cut all files behind the images that are there, and write the journal anew."""
        lengths = {ORIGINALS: header_bytes + len(self.rows) * math.prod(self._shape)}
        lengths |= {name: sum(row[column] for row in self.rows) for name, column in self._columns.items()}
        for name, file in self._files.items():
            file.seek(lengths[name])
            file.truncate()
        self._journal.seek(0)
        self._journal.truncate()
        self.n_kept = 0
        if self.rows:
            self.keep()


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")


def _check(pixels: bytes | memoryview, encoded: Sequence[bytes]) -> str:
    """Return what changes when any byte of an image does."""
    digest = hashlib.sha256(pixels)
    for data in encoded:
        digest.update(data)
    return digest.hexdigest()


def write_durably(path: Path, data: bytes) -> dict[str, Any]:
    """Write a file, wait until it is on disk, and return its facts: bytes and sha256."""
    with path.open("wb") as file:
        file.write(data)
        _to_disk(file)
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _to_disk(file: BinaryIO | io.BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())


def _npy_header(shape: tuple[int, ...]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return header.getvalue()
