"""The lock on a run directory: one driver at a time, and none left behind by one that was killed."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.errors import InputError
from search.engine.lock import LOCK, locked

HOLD = """
import sys
from pathlib import Path
from search.engine.lock import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_driver_is_told_who_has_the_run(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        with (
            pytest.raises(InputError, match=rf"is being searched by process {holder.pid} on \S+: wait"),
            locked(tmp_path),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    with locked(tmp_path):
        assert "process" in (tmp_path / LOCK).read_text()


def test_a_run_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*nowhere"), locked(tmp_path / "nowhere"):
        pass


def test_a_disk_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*asked: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(InputError, match=r"no locks \(No locks available\): put the run on another"),
        locked(tmp_path),
    ):
        pass


def test_a_full_disk_has_the_lock_without_its_owners_name(tmp_path: Path) -> None:
    (tmp_path / LOCK).symlink_to("/dev/full")
    with locked(tmp_path):
        pass
