"""Files that every node needs, a pack or VGG16's weights: where a node finds them, and how it takes them in.

A node uses the path that the driver uses where it leads to the same files there; else its own copy under LOWQ_CACHE,
or ~/.cache/lowq.
"""

import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from datasets.pack_format import MANIFEST
from datasets.packed import PackedDataset

READ_BYTES = 1 << 22
PART_BYTES = 1 << 26  # a quarter of the object store of a search on one machine
ReadPart = Callable[[Path, int, int], bytes]  # a file of the driver's node, offset, number of bytes
STALE_S = 86400.0  # a delivery that took so long was given up
DELIVERY = re.compile(r"\.[0-9a-f]{16}\.[0-9a-f]{32}")  # the folder that one is taken into


@dataclass(frozen=True)
class File:
    """A file of a file set; its name, size in bytes and SHA-256."""

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class FileSet:
    """A folder of files. key: the folder of a node's own copy, which names the contents.

    The last file stands for all: it is compared by its SHA-256, the others by their sizes.
    """

    folder: Path
    key: str
    files: tuple[File, ...]

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files)


def file_set_of_pack(pack: PackedDataset) -> FileSet:
    """Return the file set of an opened pack."""
    files = [File(name, facts["bytes"], facts["sha256"]) for name, facts in pack.manifest["files"].items()]
    folder = pack.folder.absolute()
    return FileSet(folder, f"packs/{pack.fingerprint[:16]}", (*files, _described(folder / MANIFEST)))


def file_set_of_file(path: Path) -> FileSet:
    """Return the file set of a single file."""
    file = _described(path)
    return FileSet(path.parent, f"files/{file.sha256[:16]}", (file,))


@cache
def find(file_set: FileSet) -> Path | None:
    """Return the folder where this node has a file set's files, None where it lacks them."""
    return next((folder for folder in (file_set.folder, own_copy(file_set)) if _is_there(file_set, folder)), None)


def need(file_set: FileSet, read_part: ReadPart) -> Path:
    """Return the folder where this node has a file set's files; what it lacks it fetches, part by part.

    Raises OSError where they cannot be taken in.
    """
    folder = find(file_set)
    if folder is None:
        with _alone(own_copy(file_set).parent):
            find.cache_clear()
            if find(file_set) is None:  # nor has another worker of this node fetched them meanwhile
                _fetch(file_set, read_part)
        folder = find(file_set) or own_copy(file_set)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Have one worker of a node at a time fetch into a folder; where its disk has no locks, each for itself."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _fetch(file_set: FileSet, read_part: ReadPart) -> None:
    token = uuid.uuid4().hex
    begin(file_set, token)
    try:
        for file in file_set.files:
            for offset in range(0, max(1, file.n_bytes), PART_BYTES):
                take(file_set, token, file.name, offset, read_part(file_set.folder / file.name, offset, PART_BYTES))
        finish(file_set, token)
    except BaseException:
        discard(file_set, token)
        raise


def own_copy(file_set: FileSet) -> Path:
    """Return where this node keeps its own copy of a file set, whether it is there or not."""
    return cache_folder() / file_set.key


def cache_folder() -> Path:
    """Return the folder of this node's own copies."""
    named = os.environ.get("LOWQ_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "lowq"


def begin(file_set: FileSet, token: str) -> None:
    """Make the folder that a delivery is taken into, and remove those that were given up."""
    folder = _incoming(file_set, token)
    folder.mkdir(parents=True)
    for other in folder.parent.glob(".*"):  # which may be a user's folder, with others beside
        with suppress(FileNotFoundError):
            if DELIVERY.fullmatch(other.name) and time.time() - other.stat().st_mtime > STALE_S:
                shutil.rmtree(other, ignore_errors=True)


def take(file_set: FileSet, token: str, name: str, offset: int, data: bytes) -> None:
    """Write a part of a file where it belongs."""
    with os.fdopen(os.open(_incoming(file_set, token) / name, os.O_WRONLY | os.O_CREAT), "wb") as file:
        file.seek(offset)
        file.write(data)


def finish(file_set: FileSet, token: str) -> None:
    """Compare every file's SHA-256 and put the folder in its place. Raises OSError for a file that is not as it was."""
    folder = _incoming(file_set, token)
    for file in file_set.files:
        if _sha256(folder / file.name) != file.sha256:
            raise OSError(f"{file.name} did not arrive as it was sent")
    try:
        folder.rename(own_copy(file_set))
    except OSError:
        if _is_there(file_set, own_copy(file_set)):  # another search was quicker
            discard(file_set, token)
        else:  # a copy that lost files makes room, as a delivery that was given up
            own_copy(file_set).rename(_incoming(file_set, uuid.uuid4().hex))
            folder.rename(own_copy(file_set))
    find.cache_clear()


def discard(file_set: FileSet, token: str) -> None:
    """Remove what came of a delivery."""
    shutil.rmtree(_incoming(file_set, token), ignore_errors=True)


def _incoming(file_set: FileSet, token: str) -> Path:
    copy = own_copy(file_set)
    return copy.with_name(f".{copy.name}.{token}")


def _is_there(file_set: FileSet, folder: Path) -> bool:
    try:
        sizes = [(folder / file.name).stat().st_size for file in file_set.files]
        if sizes != [file.n_bytes for file in file_set.files]:
            return False
        return _sha256(folder / file_set.files[-1].name) == file_set.files[-1].sha256
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
