"""A folder that appears whole or not at all: made beside its place under a name of its own, then renamed.

Nothing is removed but what this process made, or what an earlier run of the same command left unfinished and this one
goes on with.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from datasets.console import interruption_deferred
from datasets.errors import BusyError, InputError, explain

LOCK = "lock"  # held while a process works; says for which folder, by which command
CONTENTS = "contents"  # becomes the folder
NAME_LETTERS = 40  # of the folder's name, which may be as long as the file system allows


@dataclass
class Staging:
    """A folder in the making. contents: what becomes `out`; notes: a place for files that do not belong to it.

    keep: leave all of it for the next run of the same command if this one fails. left: folders of other unfinished
    runs to the same place, which are left alone.
    """

    out: Path
    folder: Path
    keep: bool = False
    left: list[Path] = field(default_factory=list)

    @property
    def contents(self) -> Path:
        return self.folder / CONTENTS


@contextmanager
def staged(out: Path, command: str = "") -> Iterator[Staging]:
    """Yield a folder in the making that becomes `out` when the block ends, and is removed when it fails.

    command: identifies what is being made; what the same command left unfinished is gone on with. "" starts anew.
    Raises InputError when `out` exists or cannot be written, BusyError while another process makes it.
    """
    with ExitStack() as stack:
        try:
            check_new(out)
            with interruption_deferred():
                for parent in _make_parents(out):
                    stack.callback(_remove_if_empty, parent)
                staging, lock = _begin(out, command)
                stack.enter_context(lock)
                stack.callback(_clear, staging)
            staging.contents.mkdir(exist_ok=True)
            yield staging
            _publish(staging)
            staging.keep = False
        except OSError as error:
            told = InputError(f"cannot write {out}: {explain(error)}")
            for kept in getattr(error, "__notes__", ()):
                told.add_note(kept)
            raise told from error


def check_new(out: Path) -> None:
    """Raise InputError unless a folder can be made at `out` without overwriting, its name included; OSError."""
    try:
        str(out).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{out} has a name that is not UTF-8: name another folder") from error
    if not out.name or out.name == "..":
        raise InputError(f"{out} is no name for a new folder: name another")
    if out.is_symlink() and not out.exists():
        raise InputError(
            f"{out} is a link to {out.readlink()}, which is missing: name a new folder, or delete it first"
        )
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        out.lstat()
        raise InputError(f"{out} exists: name a new folder, or delete it first")


def check_apart(source: Path, out: Path) -> None:
    """Raise InputError where one of two folders, or what a link in the source leads to, lies inside the other."""
    other = out.resolve()
    links = (path for path in source.rglob("*") if path.is_symlink() and path.is_dir())
    for one in (source.resolve(), *(link.resolve() for link in links)):
        if one == other or one in other.parents or other in one.parents:
            raise InputError(f"{out} and the source {source} overlap: name a folder outside of the source")


def _make_parents(out: Path) -> list[Path]:
    """Make the folders that `out` lacks, and return them, the outermost first."""
    missing = [parent for parent in reversed(out.absolute().parents) if not parent.exists()]
    for parent in missing:
        parent.mkdir(exist_ok=True)
    return missing


def _begin(out: Path, command: str) -> tuple[Staging, IO[str]]:
    """Return a locked folder in the making: an unfinished one of the same command, or a new one."""
    place = out.with_name(f"{out.name[:NAME_LETTERS]}.unfinished-{hashlib.sha256(out.name.encode()).hexdigest()[:8]}")
    fresh = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=out.parent))
    try:
        lock = (fresh / LOCK).open("w+")
        is_locked = _lock(lock)
        _sign(lock, out, command)
        if is_locked and not os.path.lexists(place):
            fresh.rename(place)
            return Staging(out, place), lock
        found = _unfinished(place, out)
        if found and command and found[1] == command:
            shutil.rmtree(fresh)
            lock.close()
            _sign(found[0], out, command)
            return Staging(out, place), found[0]
        return Staging(out, fresh, left=[place] if os.path.lexists(place) else []), lock
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _sign(lock: IO[str], out: Path, command: str) -> None:
    lock.seek(0)
    lock.truncate()
    json.dump({"makes": out.name, "command": command, "process": os.getpid()}, lock)
    lock.flush()


def _lock(file: IO[str]) -> bool:
    """Lock a file until it is closed; False where the file system has no locks. Raises BlockingIOError."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _unfinished(place: Path, out: Path) -> tuple[IO[str], str] | None:
    """Lock what a run left unfinished and return its lock and command; None for what cannot be gone on with.

    Raises BusyError while its process works on it.
    """
    try:
        lock = (place / LOCK).open("r+")
        facts = json.load(lock)
        command, process = str(facts["command"]), int(facts["process"])
        is_locked = _lock(lock)
        is_there = os.path.samestat(os.fstat(lock.fileno()), (place / LOCK).stat())  # or it was removed meanwhile
    except BlockingIOError as error:
        raise BusyError(f"process {process} is making {out}: wait until it ends, or name another folder") from error
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (lock, command) if is_locked and is_there else None


def _publish(staging: Staging) -> None:
    """Give the folder its name. Raises InputError when another process was quicker."""
    lost = f"{staging.out} was made by another process meanwhile: it is kept, and this one's is dropped"
    if os.path.lexists(staging.out):
        raise InputError(lost)
    _sync(staging.contents)
    try:
        staging.contents.rename(staging.out)
    except OSError as error:
        if os.path.lexists(staging.out):
            raise InputError(lost) from error
        raise
    _sync(staging.out.parent)


def _clear(staging: Staging) -> None:
    if not staging.keep:
        shutil.rmtree(staging.folder, ignore_errors=True)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # such as that it is not empty
        folder.rmdir()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
