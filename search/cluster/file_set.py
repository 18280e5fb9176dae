"""Files that every node needs, a pack or VGG16's weights: where a node finds them, and how it takes them in.

A node uses the path that the driver uses where it leads to the same files there; else its own copy under LOWQ_CACHE,
or ~/.cache/lowq.
"""

import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from datasets.errors import InputError
from datasets.pack_format import MANIFEST
from datasets.packed import PackedDataset

READ_BYTES = 1 << 22
STALE_S = 86400.0  # a delivery that took so long was given up


@dataclass(frozen=True)
class File:
    """A file of a parcel; its name, size in bytes and SHA-256."""

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Parcel:
    """A folder of files. key: the folder of a node's own copy, which names the contents.

    The last file stands for all: it is compared by its SHA-256, the others by their sizes.
    """

    folder: Path
    key: str
    files: tuple[File, ...]

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files)


def pack_parcel(pack: PackedDataset) -> Parcel:
    """Return the parcel of an opened pack."""
    files = [File(name, facts["bytes"], facts["sha256"]) for name, facts in pack.manifest["files"].items()]
    folder = pack.folder.absolute()
    return Parcel(folder, f"packs/{pack.fingerprint[:16]}", (*files, _described(folder / MANIFEST)))


def file_parcel(path: Path) -> Parcel:
    """Return the parcel of a single file."""
    file = _described(path)
    return Parcel(path.parent, f"files/{file.sha256[:16]}", (file,))


@cache
def find(parcel: Parcel) -> Path | None:
    """Return the folder where this node has a parcel's files, None where it lacks them."""
    return next((folder for folder in (parcel.folder, own_copy(parcel)) if _is_there(parcel, folder)), None)


def need(parcel: Parcel) -> Path:
    """Return the folder where this node has a parcel's files. Raises InputError where it lacks them."""
    folder = find(parcel)
    if folder is None:
        find.cache_clear()
        raise InputError(f"this node has neither {parcel.folder} nor {own_copy(parcel)}: start the search again")
    return folder


def own_copy(parcel: Parcel) -> Path:
    """Return where this node keeps its own copy of a parcel, whether it is there or not."""
    return cache_folder() / parcel.key


def cache_folder() -> Path:
    """Return the folder of this node's own copies."""
    return Path(os.environ.get("LOWQ_CACHE", Path.home() / ".cache" / "lowq"))


def begin(parcel: Parcel, token: str) -> None:
    """Make the folder that a delivery is taken into, and remove those that were given up."""
    folder = _incoming(parcel, token)
    folder.mkdir(parents=True)
    for other in folder.parent.glob(".*"):
        if time.time() - other.stat().st_mtime > STALE_S:
            shutil.rmtree(other, ignore_errors=True)


def take(parcel: Parcel, token: str, name: str, offset: int, data: bytes) -> None:
    """Write a part of a file where it belongs."""
    with os.fdopen(os.open(_incoming(parcel, token) / name, os.O_WRONLY | os.O_CREAT), "wb") as file:
        file.seek(offset)
        file.write(data)


def finish(parcel: Parcel, token: str) -> None:
    """Compare every file's SHA-256 and put the folder in its place. Raises OSError for a file that is not as it was."""
    folder = _incoming(parcel, token)
    for file in parcel.files:
        if _sha256(folder / file.name) != file.sha256:
            raise OSError(f"{file.name} did not arrive as it was sent")
    try:
        folder.rename(own_copy(parcel))
    except OSError:
        if not _is_there(parcel, own_copy(parcel)):  # or else another search was quicker
            raise
        discard(parcel, token)
    find.cache_clear()


def discard(parcel: Parcel, token: str) -> None:
    """Remove what came of a delivery."""
    shutil.rmtree(_incoming(parcel, token), ignore_errors=True)


def _incoming(parcel: Parcel, token: str) -> Path:
    copy = own_copy(parcel)
    return copy.with_name(f".{copy.name}.{token}")


def _is_there(parcel: Parcel, folder: Path) -> bool:
    try:
        sizes = [(folder / file.name).stat().st_size for file in parcel.files]
        if sizes != [file.n_bytes for file in parcel.files]:
            return False
        return _sha256(folder / parcel.files[-1].name) == parcel.files[-1].sha256
    except OSError:
        return False


def _described(path: Path) -> File:
    return File(path.name, path.stat().st_size, _sha256(path))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(READ_BYTES):
            digest.update(part)
    return digest.hexdigest()
