"""Folders that appear whole or not at all: nobody's files are harmed, and of two processes one wins."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import builtin
from datasets.cli import main
from datasets.errors import BusyError, InputError
from datasets.pack import PackSettings, write_pack
from datasets.packed import open_pack
from datasets.staging import LOCK, Staging, check_apart, staged
from tests.pack_fixture import SYSTEMS, tiny_sources, write_source_folder

SMALL = ["--size", "32", "--qualities", "75"]


def _make(out: Path, command: str = "", act: Callable[[Staging], object] = lambda made: None) -> Path:
    """Make a folder with a file in it, do something else first, and return where it was made."""
    with staged(out, command) as made:
        folder = made.folder
        if not list(made.contents.iterdir()):
            (made.contents / "file").write_text("here")
        act(made)
    return folder


def _raise(error: BaseException) -> Callable[[object], None]:
    def act(_: object) -> None:
        raise error

    return act


def _tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", ["cells.partial", "cells.unfinished", ".cells", "cells.tmp"])
def test_a_source_named_as_a_temporary_folder_of_the_pack_is_not_touched(tmp_path: Path, name: str) -> None:
    source = write_source_folder(tmp_path / name)
    before = _tree(source)
    assert main(["pack", str(source), str(tmp_path / "cells"), *SMALL]) == 0
    assert _tree(source) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["cells", name])


@pytest.mark.parametrize("command", [["pack", "{source}", "{out}", *SMALL], ["synthesize", "{out}", "--count", "1"]])
def test_what_lies_beside_the_folder_to_make_stays(tmp_path: Path, command: list[str]) -> None:
    source = write_source_folder(tmp_path / "source")
    foreign = [tmp_path / f"mine{ending}" for ending in (".partial", ".unfinished", ".tmp", "~")]
    for folder in foreign:
        folder.mkdir()
        (folder / "notes.txt").write_text("precious")
    (tmp_path / "mine.part").write_text("precious")
    assert main([part.format(source=source, out=tmp_path / "mine") for part in command]) == 0
    assert all((folder / "notes.txt").read_text() == "precious" for folder in foreign)
    assert (tmp_path / "mine.part").read_text() == "precious"


@pytest.mark.parametrize("out", ["source/pack", "source/left/pack", "source", ".", "source/../source/pack"])
def test_a_pack_and_its_source_may_not_overlap(tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str) -> None:
    before = _tree(write_source_folder(tmp_path / "source"))
    assert main(["pack", str(tmp_path / "source"), str(tmp_path / out), *SMALL]) == 2
    assert "overlap: name a folder outside of the source" in capsys.readouterr().err
    assert _tree(tmp_path / "source") == before


def test_links_do_not_hide_that_folders_overlap(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "source")
    with pytest.raises(InputError, match="overlap"):
        check_apart(tmp_path / "link", tmp_path / "source" / "pack")
    check_apart(tmp_path / "source", tmp_path / "sources")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "source" / "left").mkdir()
    (tmp_path / "source" / "left" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="overlap"):
        check_apart(tmp_path / "source", tmp_path / "elsewhere" / "pack")


def test_a_folder_appears_with_all_that_was_put_into_it(tmp_path: Path) -> None:
    with staged(tmp_path / "a" / "out") as made:
        (made.contents / "file").write_text("here")
        assert not (tmp_path / "a" / "out").exists()
    assert _tree(tmp_path) == {"a": None, "a/out": None, "a/out/file": b"here"}


def test_what_was_kept_is_said_of_a_disk_that_is_full_too(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    full.add_note("3 images are kept")
    with pytest.raises(InputError, match="No space left on device; free space") as caught, staged(tmp_path / "out"):
        raise full
    assert caught.value.__notes__ == ["3 images are kept"]


@pytest.mark.parametrize("error", [InputError("no"), KeyboardInterrupt(), ZeroDivisionError()])
def test_a_failure_leaves_neither_files_nor_the_folders_above(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(type(error)):
        _make(tmp_path / "there" / "a" / "b" / "out", act=_raise(error))
    assert _tree(tmp_path) == {"there": None}


def test_folders_above_stay_where_another_put_something_into_them(tmp_path: Path) -> None:
    def act(_: Staging) -> None:
        (tmp_path / "a" / "mine").write_text("x")
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        _make(tmp_path / "a" / "b" / "out", act=act)
    assert _tree(tmp_path) == {"a": None, "a/mine": b"x"}


def test_a_second_process_is_refused_while_the_first_works(tmp_path: Path) -> None:
    def act(_: Staging) -> None:
        for command in ("", "one", "other"):
            with pytest.raises(BusyError, match=f"process {os.getpid()} is making .*: wait until it ends"):
                _make(tmp_path / "out", command)

    _make(tmp_path / "out", "one", act)
    assert _tree(tmp_path) == {"out": None, "out/file": b"here"}


def test_whoever_comes_second_to_the_name_says_so_and_leaves_the_other(tmp_path: Path) -> None:
    def act(_: Staging) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "file").write_text("first")

    with pytest.raises(InputError, match="was made by another process meanwhile: it is kept"):
        _make(tmp_path / "out", act=act)
    assert _tree(tmp_path) == {"out": None, "out/file": b"first"}


def test_what_the_same_command_left_is_gone_on_with_and_what_another_left_is_not(tmp_path: Path) -> None:
    kept: list[Path] = []

    def fail(made: Staging) -> None:
        assert made.left == kept
        made.keep = not kept
        kept[:] = kept or [made.folder]
        raise InputError("no")

    for command in ("one", "other"):
        with pytest.raises(InputError, match="no"):
            _make(tmp_path / "out", command, fail)
    assert os.listdir(tmp_path) == [kept[0].name]
    (kept[0] / "contents" / "file").write_text("begun")
    assert _make(tmp_path / "out", "one") == kept[0]
    assert _tree(tmp_path) == {"out": None, "out/file": b"begun"}


@pytest.mark.parametrize("lock", [b"", b"[]", b'{"command": "one"}', None])
def test_a_folder_with_a_lock_that_is_not_ours_is_left_alone(tmp_path: Path, lock: bytes | None) -> None:
    place = _make(tmp_path / "out", "one")
    (tmp_path / "out").rename(tmp_path / "before")
    place.mkdir()
    (place / "notes").write_text("mine")
    if lock is not None:
        (place / LOCK).write_bytes(lock)
    _make(tmp_path / "out", "one")
    assert (place / "notes").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("n" * 300, "File name too long; choose a shorter name"),
        ("link", "is a link to .*nowhere, which is missing: name a new folder"),
        ("caf\udce9", "has a name that is not UTF-8"),
        ("..", "is no name for a new folder"),
        ("file/out", "Not a directory; a part of the path is no folder"),
    ],
)
def test_names_that_cannot_be_made_are_refused_before_any_work(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=words):
        _make(tmp_path / name, act=lambda _: pytest.fail("work was begun"))
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_a_name_as_long_as_the_file_system_allows_can_be_made(tmp_path: Path) -> None:
    _make(tmp_path / ("n" * 255))
    assert os.listdir(tmp_path) == ["n" * 255]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "Permission denied; change its permissions"),
        (errno.EROFS, "Read-only file system; name another folder"),
        (errno.ENOSPC, "No space left on device; free space or name another folder"),
        (errno.EIO, "Input/output error; the disk or the network share fails"),
    ],
)
def test_advice_fits_what_the_operating_system_says(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(InputError, match=f"cannot write .*out: {words}"):
        _make(tmp_path / "out", act=_raise(OSError(number, os.strerror(number))))


PACK = (
    "import sys, time\n"
    "from dataclasses import replace\n"
    "from pathlib import Path\n"
    "from datasets.pack import PackSettings, write_pack\n"
    "from tests.pack_fixture import tiny_sources\n"
    "def slow(read):\n"
    "    time.sleep(0.05)\n"
    "    return read()\n"
    "sources = [replace(s, read=lambda r=s.read: slow(r)) for s in tiny_sources(int(sys.argv[2]))]\n"
    "write_pack(sources, Path(sys.argv[1]), PackSettings(32, (75,)))\n"
)


@pytest.mark.parametrize("apart_s", [0.0, 0.3])
def test_of_two_processes_that_pack_to_one_place_one_wins_whole(tmp_path: Path, apart_s: float) -> None:
    commands = [[sys.executable, "-c", PACK, str(tmp_path / "pack"), n_images] for n_images in ("20", "31")]
    started = []
    for command in commands:
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        time.sleep(apart_s)
    ends = [(process.communicate()[1], process.returncode) for process in started]
    assert sorted(code for _, code in ends) == [0, 1]
    (complaint,) = (error for error, code in ends if code)
    assert "is making" in complaint or "was made by another process" in complaint or "exists" in complaint
    pack = open_pack(tmp_path / "pack", check_hashes=True)
    assert len(pack.names) == (20, 31)[[code for _, code in ends].index(0)]
    assert os.listdir(tmp_path) == ["pack"]


def _open_builtin(folder: str) -> str:
    builtin.N_IMAGES = 6
    return builtin.open_builtin(Path(folder)).fingerprint


def test_first_starts_at_one_time_share_one_built_in_pack(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        fingerprints = pool.map(_open_builtin, [str(tmp_path)] * 3, chunksize=1)
    assert len(set(fingerprints)) == 1
    assert os.listdir(tmp_path) == ["smear-6-s0"]


CHANGES = {
    "smaller": np.zeros((20, 44, 3), np.uint8),
    "grey": np.zeros((37, 44), np.uint8),
    "of 16 bits": np.zeros((37, 44, 3), np.uint16),
    "of four channels": np.zeros((37, 44, 4), np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_reads_otherwise_than_it_was_found_leaves_no_pack(tmp_path: Path, change: str) -> None:
    sources = tiny_sources()
    object.__setattr__(sources[4], "read", lambda: CHANGES[change])
    with pytest.raises(InputError, match=r"left/4\.png was changed while it was packed"):
        write_pack(sources, tmp_path / "pack", PackSettings(32, (75,)))
    assert not os.listdir(tmp_path)


def _heed_ctrl_c() -> None:
    """Heed SIGINT, as a terminal's programs do: in the background of a shell it is ignored, and so by children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("later_s", [0, 0.1, 0.4])
def test_four_quick_ctrl_c_are_one_line_that_says_what_is_left(tmp_path: Path, later_s: float) -> None:
    source = tmp_path / "source"
    for number in range(600):  # of noise: none is taken for another's duplicate, which would take longer
        path = source / SYSTEMS[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (37, 44, 3), np.uint8)
        Image.fromarray(noise).save(path)
    command = [sys.executable, "-m", "datasets", "pack", str(source), str(tmp_path / "pack"), "--size", "32"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=_heed_ctrl_c
    )
    while len(os.listdir(tmp_path)) == 1 and process.poll() is None:
        time.sleep(0.002)
    time.sleep(later_s)
    for _ in range(4):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    error = process.communicate()[1]
    assert process.returncode == 130
    assert error.startswith("lowq: interrupted, ")
    assert error.count("\n") == 1
    kept = [name for name in os.listdir(tmp_path) if name != "source"]
    assert bool(kept) == ("nothing was left behind" not in error)


def test_ctrl_c_while_modules_are_loaded_is_one_line_too() -> None:
    code = (
        "import os, signal, datasets.__main__ as start\n"
        "signal.signal(signal.SIGINT, start._end)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "lowq: interrupted, nothing was left behind\n")


def test_a_ctrl_c_after_the_command_has_said_so_is_not_told_again() -> None:
    code = (
        "import os, signal, sys, datasets.cli, datasets.__main__ as start\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "datasets.cli.main = lambda: os.kill(os.getpid(), signal.SIGINT) or 130\n"
        "sys.exit(start._start())\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "")
