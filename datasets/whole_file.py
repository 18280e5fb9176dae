"""Files that are whole or not there: written under a temporary name beside the place, then renamed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that takes the path's place when the block ends; whatever happens, an earlier one is whole.

    Whenever the machine stops, the old or the new file is there. The folder is made where there is none. Raises
    OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".lowq-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as `whole_file` does. Raises OSError."""
    with whole_file(path) as file:
        file.write(data)
