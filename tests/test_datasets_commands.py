"""`python -m datasets`: a user's mistake is one line that says what to do, exit code 2, and nothing half-written."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.cli import main
from datasets.packed import open_pack
from datasets.smear import draw_smear
from datasets.sources.source import find_sources
from tests.pack_fixture import N_IMAGES, UNUSABLE, tiny_image, tiny_sources, write_source_folder, write_tiny_pack

Capture = pytest.CaptureFixture[str]
SMALL = ["--size", "32", "--qualities", "25", "75"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source_folder(tmp_path / "source")


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datasets", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def _complaint(capture: Capture, *arguments: object) -> str:
    """Run a command that must fail as a user's mistake, and return its one line."""
    assert main([str(argument) for argument in arguments]) == 2
    found = capture.readouterr()
    assert found.out == ""
    assert found.err.startswith("lowq: ")
    assert found.err.endswith("\n")
    assert found.err.count("\n") == 1
    return found.err


def _left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pack_then_inspect_say_what_the_pack_holds(source: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "pack"
    assert main(["pack", str(source), str(out), *SMALL]) == 0
    said = capsys.readouterr().out
    pack = open_pack(out, check_hashes=True)
    kb = {quality: (out / f"jpeg_q{quality}.bin").stat().st_size / N_IMAGES / 1000 for quality in (25, 75)}
    assert said.splitlines()[:6] == [
        f"{out}: 8 images of 32 x 32 px (4 left, 4 right)",
        "  data100: 6 train, 1 validation, 1 test",
        "  data101: 6 train, 1 validation, 1 test",
        "  tiny: 4 train, 1 validation",
        f"  JPEG 25: {kb[25]:.2f} kB an image",
        f"  JPEG 75: {kb[75]:.2f} kB an image",
    ]
    assert f"fingerprint {pack.fingerprint[:16]}, Pillow " in said
    assert pack.names == tuple(sorted(image.name for image in tiny_sources()))
    assert pack.manifest["description"] == "source, 8 images"
    for options in ([], ["--hashes"]):
        assert main(["inspect", str(out), *options]) == 0
        assert capsys.readouterr().out == said


def test_the_commands_run_as_a_program(source: Path, tmp_path: Path) -> None:
    ended = _run("pack", source, tmp_path / "pack", *SMALL)
    assert (ended.returncode, ended.stderr) == (0, "")
    ended = _run("inspect", tmp_path / "absent")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"lowq: {tmp_path / 'absent'} is no pack")
    assert ended.stderr.count("\n") == 1


def test_synthesize_draws_a_source_folder_that_pack_takes(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "smears"
    assert main(["synthesize", str(out), "--count", "6", "--seed", "5"]) == 0
    assert capsys.readouterr().out == f"6 images in {out}\n"
    found = find_sources(out, size_px=360)
    assert {image.system for image in found} == {"white", "yellow", "green"}
    (first,) = (image for image in found if image.name == "white/smear-00000.png")
    np.testing.assert_array_equal(first.read(), draw_smear("white", np.random.default_rng((5, 0))))
    assert main(["pack", str(out), str(tmp_path / "pack"), "--qualities", "75"]) == 0


@pytest.mark.parametrize(("name", "write", "words"), UNUSABLE)
def test_an_unusable_image_stops_the_packing(
    source: Path, tmp_path: Path, capsys: Capture, name: str, write: Callable[[Path], None], words: str
) -> None:
    write(source / "left" / f"x{name}")
    assert f"x{name} {words.split(' ')[0]}" in _complaint(capsys, "pack", source, tmp_path / "pack", *SMALL)
    assert _left_in(tmp_path) == ["source"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:600])


def _varying_alpha(path: Path) -> None:
    alpha = np.arange(37 * 44, dtype=np.uint8).reshape(37, 44)
    Image.fromarray(np.dstack([tiny_image(1), alpha])).save(path)


SPOILT: list[tuple[Callable[[Path], object], str]] = [
    (lambda source: shutil.rmtree(source), "the source must be a folder"),
    (lambda source: [path.unlink() for path in source.rglob("*.png")], "holds no images"),
    (lambda source: (source / "left" / "0.png").rename(source / "0.png"), "lies outside a camera system"),
    (lambda source: Image.fromarray(tiny_image(0)).save(source / "left" / "x.jpg"), "x.jpg is lossy"),
    (lambda source: Image.fromarray(tiny_image(0, 31, 99)).save(source / "left" / "x.png"), "smaller than 32 px"),
    (lambda source: _cut(source / "left" / "2.png"), "2.png is damaged"),
    (lambda source: _varying_alpha(source / "left" / "x.png"), "x.png has an alpha channel that varies"),
    (lambda source: [path.unlink() for path in source.rglob("[3-9].png")], "at least 6 images"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILT, ids=[words for _, words in SPOILT])
def test_a_spoilt_source_is_one_line_and_no_pack(
    source: Path, tmp_path: Path, capsys: Capture, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(source)
    before = _left_in(tmp_path)
    assert words in _complaint(capsys, "pack", source, tmp_path / "pack", *SMALL)
    assert _left_in(tmp_path) == before


def test_a_constant_alpha_channel_is_accepted(source: Path, tmp_path: Path) -> None:
    opaque = np.full((37, 44), 255, np.uint8)
    Image.fromarray(np.dstack([tiny_image(0), opaque])).save(source / "left" / "0.png")
    assert main(["pack", str(source), str(tmp_path / "pack"), *SMALL]) == 0
    assert open_pack(tmp_path / "pack").fingerprint == _fingerprint(tmp_path)


def _fingerprint(tmp_path: Path) -> str:
    """Return the fingerprint of the same images packed without alpha."""
    write_source_folder(tmp_path / "plain")
    assert main(["pack", str(tmp_path / "plain"), str(tmp_path / "plain pack"), *SMALL]) == 0
    return open_pack(tmp_path / "plain pack").fingerprint


@pytest.mark.parametrize("kind", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_a_truncated_tiff_is_one_line_without_the_warnings_of_the_reader(
    source: Path, tmp_path: Path, kind: str | None
) -> None:
    path = source / "left" / "x.tif"
    Image.fromarray(tiny_image(0)).save(path, compression=kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    ended = _run("pack", source, tmp_path / "pack", *SMALL)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"lowq: {path} is damaged")
    assert ended.stderr.count("\n") == 1
    assert _left_in(tmp_path) == ["source"]


def test_packing_onto_something_that_exists_leaves_it_alone(source: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "pack").write_text("mine")
    assert "pack exists: name a new folder" in _complaint(capsys, "pack", source, tmp_path / "pack", *SMALL)
    assert (tmp_path / "pack").read_text() == "mine"
    assert _left_in(tmp_path) == ["pack", "source"]


WRONG_OPTIONS: list[tuple[list[str], str]] = [
    (["--qualities", "0"], "a JPEG quality must be 1..100, got 0"),
    (["--qualities", "75", "101"], "a JPEG quality must be 1..100, got 101"),
    (["--qualities", "75", "75"], "name each JPEG quality once"),
    (["--qualities", "high"], "invalid int value: 'high'"),
    (["--qualities"], "expected at least one argument"),
    (["--size", "8"], "the size must be at least 16 px, got 8"),
    (["--colour"], "unrecognized arguments: --colour"),
]


@pytest.mark.parametrize(("options", "words"), WRONG_OPTIONS, ids=[" ".join(options) for options, _ in WRONG_OPTIONS])
def test_a_wrong_option_of_pack_is_one_line_and_no_pack(
    source: Path, tmp_path: Path, capsys: Capture, options: list[str], words: str
) -> None:
    assert words in _complaint(capsys, "pack", source, tmp_path / "pack", "--size", "32", *options)
    assert _left_in(tmp_path) == ["source"]


@pytest.mark.parametrize("arguments", [[], ["unpack"], ["pack"], ["inspect"], ["synthesize"]])
def test_a_command_that_is_unknown_or_incomplete_points_to_the_help(capsys: Capture, arguments: list[str]) -> None:
    assert "--help` says more" in _complaint(capsys, *arguments)


def test_a_damaged_pack_is_refused_by_inspect(tmp_path: Path, capsys: Capture) -> None:
    folder = write_tiny_pack(tmp_path / "pack").folder
    jpeg = folder / "jpeg_q75.bin"
    data = bytearray(jpeg.read_bytes())
    data[100] ^= 1
    jpeg.write_bytes(data)
    assert main(["inspect", str(folder)]) == 0
    capsys.readouterr()
    assert "jpeg_q75.bin was changed" in _complaint(capsys, "inspect", folder, "--hashes")
    jpeg.write_bytes(data[:-1])
    assert f"should be {len(data)} bytes, found {len(data) - 1}" in _complaint(capsys, "inspect", folder)
    jpeg.unlink()
    assert "jpeg_q75.bin is missing" in _complaint(capsys, "inspect", folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--count", "0"], "n_images must be 1 or more"), (["--seed", "-1"], "seed must be 0 or more")],
)
def test_a_wrong_option_of_synthesize_draws_nothing(
    tmp_path: Path, capsys: Capture, options: list[str], words: str
) -> None:
    assert words in _complaint(capsys, "synthesize", tmp_path / "out", *options)
    assert _left_in(tmp_path) == []


def test_synthesize_never_writes_into_an_existing_folder(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "out").mkdir()
    assert "out exists: name a new folder" in _complaint(capsys, "synthesize", tmp_path / "out", "--count", "1")
    assert _left_in(tmp_path / "out") == []


@pytest.mark.skipif(sys.platform == "win32", reason="file-size limits are POSIX")
def test_a_full_disk_is_one_line_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    for command in (["pack", source, tmp_path / "out", *SMALL], ["synthesize", tmp_path / "out", "--count", "1"]):
        code = (
            "import resource, sys\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            "from datasets.cli import main\n"
            f"sys.exit(main({[str(argument) for argument in command]!r}))\n"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"lowq: cannot write {tmp_path / 'out'}: File too large; free space")
        assert ended.stderr.count("\n") == 1
        assert _left_in(tmp_path) == ["source"]


def test_ctrl_c_is_one_line_exit_code_130_and_leaves_nothing(
    source: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("datasets.pack.pq.write_table", interrupt)
    assert main(["pack", str(source), str(tmp_path / "pack"), *SMALL]) == 130
    assert capsys.readouterr().err == "lowq: interrupted, nothing was left behind\n"
    assert _left_in(tmp_path) == ["source"]
