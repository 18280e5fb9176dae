"""An opened pack: memory maps of originals and encoded files, and the index that says what each image is."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datasets.decoded import DecodedWindows
from datasets.encoders.compress import compress, degrade, described_tables, show
from datasets.encoders.encoder import Encoder
from datasets.encoders.family import EncoderFamily
from datasets.encoders.windows import degrade_window
from datasets.errors import InputError, explain
from datasets.grouping.duplicates import group_thumbnails, thumbnail
from datasets.grouping.splits import SPLITS
from datasets.jpeg import Window, decode_jpeg, decode_window
from datasets.pack_format import (
    INDEX,
    ORIGINALS,
    bytes_column,
    encoded_file,
    encoders_of,
    plain_jpeg,
    plain_quality,
    read_manifest,
)

CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class EncodedFiles:
    """Every image's file of one encoder, one behind the other.

    data: uint8, memory-mapped; image i is at offsets[i] : offsets[i + 1].
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]


@dataclass(frozen=True)
class PackedDataset:
    """A pack, open for reading; images are numbered 0..n_images - 1.

    originals: uint8 [N, H, W, 3], memory-mapped. jpeg[quality]: uint8, memory-mapped, JPEG as Pillow writes it by
    default; image i is at offsets[quality][i] : offsets[quality][i + 1]. subsets[split][i]: "train", "validation",
    "test" or "" (left out). groups: int [N], the first image of each one's group; None where the pack does not say.
    encoded: the files of other encoders. family: what writes the files that are looked at, None: what the pack holds.
    decoded: windows that training has seen, for its next epoch.
    """

    folder: Path
    manifest: dict[str, Any]
    names: tuple[str, ...]
    systems: tuple[str, ...]
    subsets: dict[str, NDArray[np.str_]]
    originals: NDArray[np.uint8]
    jpeg: dict[int, NDArray[np.uint8]]
    offsets: dict[int, NDArray[np.int64]]
    groups: NDArray[np.int64] | None = None
    encoded: dict[Encoder, EncodedFiles] = field(default_factory=dict)
    family: EncoderFamily | None = None
    decoded: DecodedWindows = field(default_factory=DecodedWindows, compare=False, repr=False)

    @property
    def size_px(self) -> int:
        return int(self.manifest["size_px"])

    @property
    def qualities(self) -> tuple[int, ...]:
        return tuple(self.manifest["qualities"])

    @property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"])

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """What the pack holds files of: JPEG at its qualities, then others."""
        return (*map(plain_jpeg, self.qualities), *self.encoded)

    @property
    def today(self) -> dict[str, Any] | None:
        """What images are stored by today: encoder, mean_bytes, mean_optimised_bytes; None where it is not said."""
        today: dict[str, Any] | None = self.manifest.get("today")
        return today

    def images_of(self, split: str, subset: str) -> NDArray[np.int64]:
        """Return the numbers of the images in a subset of a split, ascending."""
        return np.flatnonzero(self.subsets[split] == subset)

    def written_by(self, family: EncoderFamily | None) -> "PackedDataset":
        """Return the pack as if its files were written by a family of encoders; None: as they are."""
        return replace(self, family=family)

    def encoder_at(self, quality: int) -> Encoder:
        """Return what writes the files of a quality."""
        return self.family.at(quality) if self.family else plain_jpeg(quality)

    def told_tables(self, quality: int) -> NDArray[np.float32]:
        """Return what a network is told of the tables of a quality, see `datasets.tables`: float32 [8]."""
        return described_tables(self.encoder_at(quality))

    def file_bytes(self, image: int, quality: int) -> bytes | memoryview:
        """Return the file of an image at one of the pack's qualities; of a family's encoder at any."""
        if self.family:
            return compress(np.asarray(self.originals[image]), self.family.at(quality))
        start, end = self.offsets[quality][image : image + 2]
        return self.jpeg[quality][start:end].data

    def files_of(self, encoder: Encoder) -> EncodedFiles:
        """Return the files of an encoder. Raises InputError, with those that there are, where the pack has none."""
        if encoder in self.encoded:
            return self.encoded[encoder]
        quality = plain_quality(encoder)
        if quality is None or quality not in self.offsets:
            known = ", ".join(known.name for known in self.encoders)
            raise InputError(
                f"the pack {self.folder} has no files of {encoder.name}, only of {known}: pack the sources again with "
                "--encoders"
            )
        return EncodedFiles(self.jpeg[quality], self.offsets[quality])

    def shown(self, image: int, encoder: Encoder) -> NDArray[np.uint8]:
        """Return an image as its file of any encoder shows it: uint8 [H, W, 3]. The pack's own are decoded."""
        if encoder not in self.encoders:
            return degrade(np.asarray(self.originals[image]), encoder)[1]
        files = self.files_of(encoder)
        return show(files.data[slice(*files.offsets[image : image + 2])].data, encoder)

    def degraded(self, image: int, quality: int, window: Window | None = None) -> NDArray[np.uint8]:
        """Return an image, or a window of it, as its file at any quality shows it: uint8 [H, W, 3].

        The pack's own qualities are decoded, others compressed on the fly, as if each time the whole image.
        """
        if quality in self.offsets and not self.family:
            data = self.file_bytes(image, quality)
            return decode_jpeg(data) if window is None else decode_window(data, self.size_px, window)
        return degrade_window(np.asarray(self.originals[image]), self.encoder_at(quality), window)

    def degraded_again(self, image: int, quality: int, window: Window) -> NDArray[np.uint8]:
        """Return what `degraded` does of a window that is likely to be asked for again: decoded once, where kept."""
        if self.family or quality not in self.offsets:
            return self.degraded(image, quality, window)
        return self.decoded.window(image, quality, window, self.degraded)


class ByFingerprint:
    """A pack as the key of what is worked out once: equal to others of its fingerprint and of what writes its files."""

    def __init__(self, pack: PackedDataset) -> None:
        self.pack = pack

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByFingerprint) and self._identity == other._identity

    @property
    def _identity(self) -> tuple[object, ...]:
        return self.pack.fingerprint, self.pack.family


def open_pack(folder: Path, check_hashes: bool = False) -> PackedDataset:
    """Open a pack after checking that every file is there and as long as the manifest says (and, if asked, unchanged).

    The index is small and its hash is always compared.

    Raises InputError when the folder is no pack, or a file is missing, of another size or changed.
    """
    try:
        manifest = read_manifest(folder)
        for name, facts in manifest["files"].items():
            _check_file(folder / name, facts, check_hashes or name == INDEX)
        return _open(folder, manifest)
    except OSError as error:
        raise InputError(f"{error.filename or folder} cannot be read: {explain(error)}") from error
    except (ValueError, LookupError, TypeError, EOFError, SyntaxError, TokenError, pa.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder} is damaged ({_first_line(error)}): pack the sources again") from error


def group_images(pack: PackedDataset) -> NDArray[np.int64]:
    """Return the first image of each image's group: int [N].

    Of a pack that does not say, as those of earlier versions, every image is read and compared with all others.
    """
    if pack.groups is not None:
        return pack.groups
    return group_thumbnails(np.stack([thumbnail(image) for image in pack.originals]), pack.systems)


def _open(folder: Path, manifest: dict[str, Any]) -> PackedDataset:
    # In this thread alone: pyarrow's own threads, still there when a short command ends, can abort it.
    file = pq.ParquetFile(pa.BufferReader((folder / INDEX).read_bytes()), pre_buffer=False)
    index = file.read(use_threads=False).to_pydict()
    originals = np.load(folder / ORIGINALS, mmap_mode="r")
    n_images, size_px = manifest["n_images"], manifest["size_px"]
    if originals.dtype != np.uint8 or originals.shape != (n_images, size_px, size_px, 3):
        raise ValueError(f"{ORIGINALS} holds {originals.dtype} {list(originals.shape)}")
    files = {encoder: _encoded_files(folder, manifest, index, encoder) for encoder in encoders_of(manifest)}
    plain = {quality: files.pop(plain_jpeg(quality)) for quality in manifest["qualities"]}
    return PackedDataset(
        folder=folder,
        manifest=manifest,
        names=tuple(index["name"]),
        systems=tuple(index["system"]),
        subsets={split: np.array(index[split]) for split in SPLITS},
        originals=originals,
        jpeg={quality: found.data for quality, found in plain.items()},
        offsets={quality: found.offsets for quality, found in plain.items()},
        groups=np.array(index["group"], np.int64) if "group" in index else None,
        encoded=files,
    )


def _encoded_files(folder: Path, manifest: dict[str, Any], index: dict[str, Any], encoder: Encoder) -> EncodedFiles:
    name = encoded_file(encoder)
    offsets = np.concatenate([[0], np.cumsum(index[bytes_column(encoder)], dtype=np.int64)])
    if len(offsets) != manifest["n_images"] + 1 or offsets[-1] != manifest["files"][name]["bytes"]:
        raise ValueError(f"{INDEX} does not fit {name}")
    return EncodedFiles(np.memmap(folder / name, np.uint8, "r"), offsets)


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


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
