"""Public sets of images: where they are, under which licence, and what their files must be."""

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from datasets.errors import InputError, explain

FOLDER = "catalogue"
SCHEMES = ("http", "https")


@dataclass(frozen=True)
class RemoteFile:
    """A file to download. name: where it belongs below the folder to make, SYSTEM/FILE; members: of an archive.

    members: a folder of the archive -> the camera system that its images become; empty for a file that is an image.
    """

    address: str
    name: str
    n_bytes: int
    sha256: str
    members: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PublicSet:
    """A public set of images. jpeg_history: what is known of earlier compressions; n_bytes: of all downloads."""

    name: str
    title: str
    licence: str
    licence_address: str
    jpeg_history: str
    n_bytes: int
    files: tuple[RemoteFile, ...]

    def describe(self) -> str:
        """Return what to know before it is downloaded."""
        return (
            f"{self.name}: {self.title}\n"
            f"  licence: {self.licence} ({self.licence_address})\n"
            f"  size: {len(self.files)} files, {self.n_bytes / 1e6:.1f} MB\n"
            f"  JPEG history: {self.jpeg_history}"
        )


def list_sets() -> list[PublicSet]:
    """List the sets that lowq knows, by name."""
    entries = [
        entry for entry in files("datasets.public_sets").joinpath(FOLDER).iterdir() if entry.name.endswith(".json")
    ]
    names = sorted(entry.name.removesuffix(".json") for entry in entries)
    return [find_set(name) for name in names]


def find_set(name: str) -> PublicSet:
    """Return a set by its name, or as a file NAME.json of the same form describes it. Raises InputError."""
    if name.endswith(".json"):
        path = Path(name)
        try:
            return _read(path.stem, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{name} cannot be read: {explain(error)}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{name} describes no set of images ({error}): compare it with datasets/{FOLDER}"
            ) from error
    entry = files("datasets.public_sets").joinpath(FOLDER, f"{name}.json")
    if not re.fullmatch(r"[\w.-]+", name) or not entry.is_file():
        known = ", ".join(public.name for public in list_sets())
        raise InputError(f"no public set is called {name}: known are {known}, or name a file SET.json")
    return _read(name, entry.read_text(encoding="utf-8"))


def _read(name: str, text: str) -> PublicSet:
    """Parse a description. Raises ValueError, KeyError or TypeError."""
    facts = json.loads(text)
    found = tuple(_remote_file(facts["address"], row, facts.get("members", {})) for row in facts["files"])
    if not found or len({file.name for file in found}) < len(found):
        raise ValueError("its files must have names of their own")
    words = {key: str(facts[key]) for key in ("title", "licence", "licence_address", "jpeg_history")}
    return PublicSet(name=name, n_bytes=sum(file.n_bytes for file in found), files=found, **words)


def _remote_file(base: str, row: Any, members: dict[str, dict[str, str]]) -> RemoteFile:
    address, name, n_bytes, sha256 = row
    systems = members.get(name, {})
    place, *_ = map(_place, (name, *systems.values()))
    if not isinstance(n_bytes, int) or n_bytes < 0 or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"{name} needs its bytes and its SHA-256")
    address = urljoin(base, address)
    if urlsplit(address).scheme not in SCHEMES:
        raise ValueError(f"the address {address!r} must begin with http or https")
    if not re.fullmatch("[!-~]+", address):
        raise ValueError(f"the address {address!a} needs its other letters as %20 and the like")
    return RemoteFile(address, place, n_bytes, sha256, tuple(systems.items()))


def _place(name: str) -> str:
    """Return where a file or system belongs below the folder to make. Raises ValueError where that is not below it."""
    path = PurePosixPath(name)
    if not name.isprintable():
        raise ValueError(f"the name {name!a} has letters that cannot be printed")
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise ValueError(f"the name {name!r} leads out of the folder")
    return path.as_posix()
