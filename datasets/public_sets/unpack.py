"""Images out of an archive, each into its camera system, and nothing out of the folder that they belong in."""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from datasets.errors import InputError
from datasets.sources.source import SUFFIXES

BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)
Member = tuple[str, IO[bytes]]


def unpack(archive: Path, systems: dict[str, str], folder: Path, name: str) -> None:
    """Copy the images of an archive's folders into SYSTEM/FILE below `folder`; other files are left.

    systems: folder of the archive -> camera system; name: of the archive, for what is said of it.
    Raises InputError where the archive is damaged, gives a system no image, or an image twice.
    """
    found = dict.fromkeys(systems.values(), 0)
    try:
        with _members(archive) as members:
            for path, content in members:
                parent, file = PurePosixPath(path).parent.as_posix(), PurePosixPath(path).name
                if parent not in systems or not file.lower().endswith(SUFFIXES):
                    continue
                place = folder / systems[parent] / file
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as copy:
                    shutil.copyfileobj(content, copy)
                found[systems[parent]] += 1
    except FileExistsError as error:
        raise InputError(f"{name} holds two images of one name, {error.filename}: unpack it by hand") from error
    except BROKEN as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise InputError(f"{name} cannot be unpacked ({reason}): download it again") from error
    if lacking := [system for system, n_images in found.items() if not n_images]:
        raise InputError(f"{name} holds no image for {', '.join(lacking)}: its folders are not those of the catalogue")


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    """Open a zip or tar archive, compressed or not, and yield an iterator over its files."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield ((info.filename, zipped.open(info)) for info in zipped.infolist() if not info.is_dir())
    else:
        with tarfile.open(archive) as tarred:
            yield (
                (info.name, content)
                for info in tarred
                if info.isfile() and (content := tarred.extractfile(info)) is not None
            )
