"""One driver at a time: the lock on a run directory, which ends with its process however that ends."""

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datasets.errors import InputError

LOCK = "lock"


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the lock of a run directory. Raises InputError, naming who has it, when another search does."""
    try:
        file = (run / LOCK).open("ab+", buffering=0)
    except OSError as error:
        raise InputError(f"cannot write {run}: {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            owner = file.read().decode(errors="replace").strip() or "another process"
            raise InputError(f"{run} is being searched by {owner}: wait until it ends, or end it") from error
        except OSError as error:
            elsewhere = "put the run on another, then --resume it there"
            raise InputError(f"the disk of {run} has no locks ({error.strerror}): {elsewhere}") from error
        with suppress(OSError):  # it only tells others who has the run
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}".encode())
        yield
