"""All files under a folder: what cannot be read is an error, links are followed, and nothing is taken twice."""

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from datasets.errors import InputError, explain

NO_FILE = "neither a file nor a folder"


@dataclass(frozen=True)
class Found:
    """A file. name: its path below the folder, with /; is_hidden: it or a folder that it lies in begins with a dot."""

    path: Path
    name: str

    @property
    def is_hidden(self) -> bool:
        return any(part.startswith(".") for part in self.name.split("/"))


@dataclass
class Walk:
    """What lies under a folder. files: by name; systems: its sub-folders, hidden ones left out.

    passed_over: names of other things, and why: links to what is there already, pipes and devices. unreadable: folders
    that cannot be read and links to nothing, where these are no error.
    """

    files: list[Found] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    unreadable: list[Found] = field(default_factory=list)


def find_files(folder: Path, must_be_read: bool = True) -> Walk:
    """List the files under a folder, by name. Raises InputError for what cannot be read, a link to nothing included.

    must_be_read: False lists as `unreadable` what below the folder is so.
    What lies in the folder itself comes before what links lead to, so that a link is never taken in its stead.
    """
    walk = Walk()
    seen = {_identity(folder)}
    folders, links = deque([(folder, "")]), deque[tuple[Path, str]]()
    while folders or links:
        is_link = not folders
        path, name = (folders or links).popleft()
        try:
            if is_link:
                _follow(path, name, walk, folders, seen)
            else:
                _look_into(path, name, walk, folders, links, seen)
        except InputError:
            if must_be_read or path == folder:
                raise
            walk.unreadable.append(Found(path, name.rstrip("/")))
    walk.files.sort(key=lambda found: found.path.relative_to(folder))
    return walk


def _follow(path: Path, name: str, walk: Walk, folders: "deque[tuple[Path, str]]", seen: set[tuple[int, int]]) -> None:
    """Add what a link leads to, unless it is there already."""
    if path.name.startswith("."):
        walk.files.append(Found(path, name))
        return
    identity = _identity(path)
    if identity in seen:
        walk.passed_over.append(f"{name}, a link to what is there already")
    elif path.is_dir():
        seen.add(identity)
        folders.append((path, f"{name}/"))
        _add_system(walk, name)
    elif path.is_file():
        seen.add(identity)
        walk.files.append(Found(path, name))
    else:
        walk.passed_over.append(f"{name}, {NO_FILE}")


def _look_into(
    path: Path,
    name: str,
    walk: Walk,
    folders: "deque[tuple[Path, str]]",
    links: "deque[tuple[Path, str]]",
    seen: set[tuple[int, int]],
) -> None:
    """Add the files of one folder, and put its sub-folders and links on the lists of what to look into."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {explain(error)}") from error
    for entry in entries:
        of_entry = Path(entry.path), f"{name}{entry.name}"
        if entry.is_symlink():
            links.append(of_entry)
        elif entry.name.startswith("."):
            walk.files.append(Found(*of_entry))  # a folder too: what is hidden is not looked into
        elif entry.is_dir():
            seen.add(_identity(of_entry[0]))
            folders.append((of_entry[0], f"{of_entry[1]}/"))
            _add_system(walk, of_entry[1])
        elif entry.is_file():
            seen.add(_identity(of_entry[0]))
            walk.files.append(Found(*of_entry))
        else:
            walk.passed_over.append(f"{of_entry[1]}, {NO_FILE}")


def _add_system(walk: Walk, name: str) -> None:
    if "/" not in name and not name.startswith("."):
        walk.systems.append(name)


def _identity(path: Path) -> tuple[int, int]:
    """Return what a file or folder is known by, under whatever name. Raises InputError where it is not there."""
    try:
        facts = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {explain(error)}") from error
    return facts.st_dev, facts.st_ino
