"""An opened pack: memory maps of originals and JPEG bytes, and the index that says what each image is."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datasets.errors import InputError
from datasets.jpeg import Window, compress_window, decode_jpeg, decode_window, encode_jpeg
from datasets.pack import FORMAT_VERSION, INDEX, MANIFEST, ORIGINALS, jpeg_file, pack_fingerprint
from datasets.splits import SPLITS

CHUNK_BYTES = 1 << 22
NEEDED = {"size_px", "qualities", "n_images", "systems", "subsets", "versions", "files", "fingerprint"}


@dataclass(frozen=True)
class PackedDataset:
    """A pack, open for reading; images are numbered 0..n_images - 1.

    originals: uint8 [N, H, W, 3], memory-mapped. jpeg[quality]: uint8, memory-mapped; image i is at
    offsets[quality][i] : offsets[quality][i + 1]. subsets[split][i]: "train", "validation", "test" or "" (left out).
    """

    folder: Path
    manifest: dict[str, Any]
    names: tuple[str, ...]
    systems: tuple[str, ...]
    subsets: dict[str, NDArray[np.str_]]
    originals: NDArray[np.uint8]
    jpeg: dict[int, NDArray[np.uint8]]
    offsets: dict[int, NDArray[np.int64]]

    @property
    def size_px(self) -> int:
        return int(self.manifest["size_px"])

    @property
    def qualities(self) -> tuple[int, ...]:
        return tuple(self.manifest["qualities"])

    @property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"])

    def images_of(self, split: str, subset: str) -> NDArray[np.int64]:
        """Return the numbers of the images in a subset of a split, ascending."""
        return np.flatnonzero(self.subsets[split] == subset)

    def jpeg_bytes(self, image: int, quality: int) -> memoryview:
        """Return the JPEG file of an image at one of the pack's qualities."""
        start, end = self.offsets[quality][image : image + 2]
        return self.jpeg[quality][start:end].data

    def degraded(self, image: int, quality: int, window: Window | None = None) -> NDArray[np.uint8]:
        """Return an image, or a window of it, as its JPEG at any quality shows it: uint8 [H, W, 3].

        The pack's own qualities are decoded, others compressed on the fly, as if each time the whole image.
        """
        if quality in self.offsets:
            data = self.jpeg_bytes(image, quality)
            return decode_jpeg(data) if window is None else decode_window(data, self.size_px, window)
        original = np.asarray(self.originals[image])
        if window is None:
            return decode_jpeg(encode_jpeg(original, quality))
        return compress_window(original, quality, window)


def open_pack(folder: Path, check_hashes: bool = False) -> PackedDataset:
    """Open a pack after checking that every file is there and as long as the manifest says (and, if asked, unchanged).

    The index is small and its hash is always compared.

    Raises InputError when the folder is no pack, or a file is missing, of another size or changed.
    """
    manifest = _read_manifest(folder)
    for name, facts in manifest["files"].items():
        _check_file(folder / name, facts, check_hashes or name == INDEX)
    expected = {INDEX, ORIGINALS, *map(jpeg_file, manifest["qualities"])}
    fingerprint = pack_fingerprint(manifest["files"], manifest["size_px"])
    if fingerprint != manifest["fingerprint"] or manifest["files"].keys() != expected:
        raise InputError(f"{folder / MANIFEST} was edited: it does not fit its files; pack the sources again")
    index = pq.read_table(folder / INDEX).to_pydict()
    offsets = {
        quality: np.concatenate([[0], np.cumsum(index[f"jpeg_bytes_q{quality}"], dtype=np.int64)])
        for quality in manifest["qualities"]
    }
    return PackedDataset(
        folder=folder,
        manifest=manifest,
        names=tuple(index["name"]),
        systems=tuple(index["system"]),
        subsets={split: np.array(index[split]) for split in SPLITS},
        originals=np.load(folder / ORIGINALS, mmap_mode="r"),
        jpeg={quality: np.memmap(folder / jpeg_file(quality), np.uint8, "r") for quality in manifest["qualities"]},
        offsets=offsets,
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no pack (it has no {MANIFEST}): make one with `python -m datasets pack`")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: pack the sources again") from error
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder} has pack format {version}, this lowq reads {FORMAT_VERSION}: pack the sources again"
        )
    if missing := NEEDED - manifest.keys():
        raise InputError(f"{path} is damaged (it lacks {', '.join(sorted(missing))}): pack the sources again")
    return manifest


def _check_file(path: Path, facts: dict[str, Any], check_hash: bool) -> None:
    if not path.is_file():
        raise InputError(f"{path} is missing: copy the pack again, or pack the sources again")
    found = path.stat().st_size
    if found != facts["bytes"]:
        raise InputError(f"{path} should be {facts['bytes']} bytes, found {found}: copy the pack again")
    if check_hash and _sha256(path) != facts["sha256"]:
        raise InputError(f"{path} was changed (its SHA-256 is not the manifest's): copy the pack again")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
