"""The edge of a command: one line and the right exit code, whatever the terminal, the pipe or the disk is like."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.cli import main
from datasets.console import run_command
from datasets.errors import InputError, printable
from datasets.packed import open_pack
from tests.pack_fixture import tiny_image, write_source_folder, write_tiny_pack

Capture = pytest.CaptureFixture[str]


def _run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "datasets", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment})


def _raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a rule"), 2, "lowq: a rule"),
        (InputError("a\nb\x1b[31m \udce9"), 2, "lowq: a\\nb\\x1b[31m \\udce9"),
        (PermissionError(13, "Permission denied", "x"), 2, "lowq: x: Permission denied; change its permissions"),
        (MemoryError(), 2, "lowq: there is too little memory: end other programs, or use smaller images"),
        (KeyboardInterrupt(), 130, "lowq: interrupted, nothing was left behind"),
    ],
)
def test_whatever_a_user_or_the_machine_did_is_one_line(
    capsys: Capture, error: BaseException, code: int, line: str
) -> None:
    assert run_command(_raising(error)) == code
    assert capsys.readouterr().err == f"{line}\n"


def test_what_was_kept_is_said_in_the_same_line(capsys: Capture) -> None:
    for error, code in ((InputError("a rule"), 2), (KeyboardInterrupt(), 130)):
        error.add_note("3 images are kept in x")
        assert run_command(_raising(error)) == code
        said = capsys.readouterr().err
        assert said.endswith("3 images are kept in x\n")
        assert "nothing was left" not in said


def test_a_fault_of_the_program_is_no_mistake_of_the_user() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(_raising(ZeroDivisionError()))


def test_names_without_letters_on_the_terminal_are_escaped(tmp_path: Path) -> None:
    source = write_source_folder(tmp_path / "source")
    (source / "left").rename(source / "Kamera S\u00fcd")
    ended = _run("pack", source, tmp_path / "pack", "--size", "32", PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"(4 Kamera S\\xfcd, 4 right)" in ended.stdout


def test_a_closed_pipe_is_quiet_and_a_full_disk_behind_it_is_one_line(tmp_path: Path) -> None:
    pack = write_tiny_pack(tmp_path / "pack").folder
    command = f"PYTHONUNBUFFERED=1 '{sys.executable}' -m datasets inspect '{pack}' | head -n 0"
    ended = subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True)
    assert ended.stderr == b""
    assert ended.returncode in (0, 141)  # by who is quicker
    closed, output = os.pipe()
    os.close(closed)
    for arguments in (["--help"], ["inspect", str(pack)]):
        ended = subprocess.run([sys.executable, "-m", "datasets", *arguments], stdout=output, stderr=subprocess.PIPE)
        assert ended.stderr == b""
        assert ended.returncode == 141 or arguments == ["--help"]  # a message that argparse could not write is its own
    os.close(output)
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "datasets", "inspect", str(pack)], stdout=full, stderr=subprocess.PIPE
        )
    assert ended.returncode == 2
    assert ended.stderr == b"lowq: the output: No space left on device; free space or name another folder\n"


def test_the_lines_of_c_libraries_are_not_shown(tmp_path: Path) -> None:
    source = write_source_folder(tmp_path / "source")
    path = source / "left" / "x.tif"
    Image.fromarray(tiny_image(0)).save(path, compression="tiff_adobe_deflate")
    data = bytearray(path.read_bytes())
    middle = data.index(b"\x78\x9c") + 300  # of the deflate stream: libtiff complains by itself
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    ended = _run("pack", source, tmp_path / "pack", "--size", "32")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"lowq: {path} is damaged".encode())
    assert ended.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["pack {long} out", "pack {source} {long}", "inspect {long}", "synthesize {long}"])
def test_a_name_that_is_too_long_is_one_line(tmp_path: Path, capsys: Capture, command: str) -> None:
    source = write_source_folder(tmp_path / "source")
    words = command.format(long=tmp_path / ("n" * 300), source=source).split()
    assert main([*words, *(["--size", "32"] if words[0] == "pack" else [])]) == 2
    error = capsys.readouterr().err
    assert "File name too long" in error
    assert error.count("\n") == 1


def _edit(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


@pytest.mark.parametrize("name", ["size_px", "qualities", "n_images", "systems", "subsets", "versions", "files"])
@pytest.mark.parametrize("value", [None, -1, "x", [], {}, [1, "a"], {"a": "b"}, True])
def test_a_manifest_with_a_fact_of_another_kind_is_one_line(
    tmp_path: Path, capsys: Capture, name: str, value: object
) -> None:
    folder = write_tiny_pack(tmp_path / "pack").folder
    _edit(folder, **{name: value})
    if main(["inspect", str(folder)]):
        error = capsys.readouterr().err
        assert "pack the sources again" in error
        assert error.count("\n") == 1
    else:
        assert name in ("systems", "subsets")  # an empty table is one
        assert value == {}


@pytest.mark.parametrize("place", [0, 7, 20, 60, 100])
def test_a_damaged_header_of_the_originals_is_one_line(tmp_path: Path, capsys: Capture, place: int) -> None:
    folder = write_tiny_pack(tmp_path / "pack").folder
    data = bytearray((folder / "originals.npy").read_bytes())
    data[place] ^= 0x15
    (folder / "originals.npy").write_bytes(data)
    code = main(["inspect", str(folder)])
    error = capsys.readouterr().err
    assert (code, error.count("\n")) in ((2, 1), (0, 0))
    assert not code or "is damaged" in error


def test_paths_that_look_like_addresses_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny_pack(Path("s3:") / "bucket")
    assert open_pack(Path("s3://bucket")).size_px == 32
    np.testing.assert_array_equal(
        open_pack(Path("file:") if Path("file:").exists() else Path("s3:/bucket")).names,
        [f"{'left' if number % 2 == 0 else 'right'}/{number}.png" for number in range(8)],
    )


def test_what_is_printable_stays_as_it_is() -> None:
    assert printable("Kamera S\u00fcd, 3 \u00b5m") == "Kamera S\u00fcd, 3 \u00b5m"
