"""`python -m datasets encode`: files that an encoder writes, nothing overwritten, nothing encoded twice unasked."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.cli import main
from datasets.encoders.compress import compress
from datasets.encoders.names import find_encoder
from datasets.jpeg import encode_jpeg
from tests.pack_fixture import tiny_image

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a folder with two images in sub-folders."""
    for number, name in enumerate(("left/a.png", "right/b.bmp")):
        (tmp_path / "sources" / name).parent.mkdir(parents=True)
        Image.fromarray(tiny_image(number)).save(tmp_path / "sources" / name)
    return tmp_path / "sources"


def _encode(*arguments: object) -> int:
    return main(["encode", *map(str, arguments)])


def _complaint(capture: Capture, *arguments: object) -> str:
    assert _encode(*arguments) == 2
    found = capture.readouterr()
    assert (found.out, found.err.count("\n")) == ("", 1)
    return found.err


@pytest.mark.parametrize("name", ["jpeg-q50", "jpeg-flat12-c0.6", "webp-q80"])
def test_a_folder_becomes_the_files_of_the_encoder(sources: Path, tmp_path: Path, capsys: Capture, name: str) -> None:
    out = tmp_path / "out"
    assert _encode(sources, "-o", out, "--encoder", name) == 0
    suffix = ".webp" if name.startswith("webp") else ".jpg"
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert written == [f"left/a{suffix}", f"right/b{suffix}"]
    files = [(out / file).read_bytes() for file in written]
    assert files == [compress(tiny_image(number), find_encoder(name)) for number in (0, 1)]
    kb = sum(map(len, files)) / 2000
    assert capsys.readouterr().out == f"2 images as {name}, {kb:.2f} kB an image, in {out}\n"


def test_an_image_that_is_too_large_for_a_format_is_named(tmp_path: Path, capsys: Capture) -> None:
    Image.new("RGB", (16400, 8)).save(tmp_path / "wide.png")
    told = _complaint(capsys, tmp_path / "wide.png", "-o", tmp_path / "out", "--encoder", "webp-q60")
    assert "wide.png cannot be written as webp-q60: " in told


def test_what_is_passed_over_in_a_folder_is_said(sources: Path, tmp_path: Path, capsys: Capture) -> None:
    (sources / "left" / "notes.txt").write_text("mine")
    assert _encode(sources, "-o", tmp_path / "out", "--encoder", "jpeg-q50") == 0
    assert "passed over: 1 file (1 .txt) in left" in capsys.readouterr().err


def test_a_file_is_written_beside_others(sources: Path, tmp_path: Path) -> None:
    assert _encode(sources / "left" / "a.png", "-o", tmp_path, "--encoder", "jpeg-q50") == 0
    assert _encode(sources / "right" / "b.bmp", "-o", tmp_path, "--encoder", "jpeg-q50") == 0
    assert (tmp_path / "a.jpg").stat().st_mode & 0o444
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg", "sources"]


def test_nothing_is_overwritten_unless_told(sources: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "b.jpg").write_bytes(b"mine")
    images = [sources / "left" / "a.png", sources / "right" / "b.bmp"]
    said = _complaint(capsys, *images, "-o", tmp_path, "--encoder", "jpeg-q50")
    assert "b.jpg exists: name another folder, or give --force to replace it" in said
    assert not (tmp_path / "a.jpg").exists()
    assert (tmp_path / "b.jpg").read_bytes() == b"mine"
    assert _encode(*images, "-o", tmp_path, "--encoder", "jpeg-q50", "--force") == 0
    assert (tmp_path / "b.jpg").read_bytes() == compress(tiny_image(1), find_encoder("jpeg-q50"))


@pytest.mark.parametrize("name", ["c.jpg", "c.png"])
def test_a_jpeg_is_not_encoded_again_unless_told(sources: Path, tmp_path: Path, capsys: Capture, name: str) -> None:
    (tmp_path / name).write_bytes(encode_jpeg(tiny_image(2), 90))
    images = [sources / "left" / "a.png", tmp_path / name]
    said = _complaint(capsys, *images, "-o", tmp_path / "out", "--encoder", "jpeg-q50")
    assert f"{name} is lossy already: its loss cannot be undone" in said
    assert not (tmp_path / "out").exists()
    assert _encode(*images, "-o", tmp_path / "out", "--encoder", "jpeg-q50", "--again") == 0
    shown = np.asarray(Image.open(tmp_path / name))
    assert (tmp_path / "out" / "c.jpg").read_bytes() == compress(shown, find_encoder("jpeg-q50"))


def test_two_images_of_one_name_are_refused(sources: Path, tmp_path: Path, capsys: Capture) -> None:
    Image.fromarray(tiny_image(3)).save(sources / "left" / "a.bmp")
    said = _complaint(capsys, sources, "-o", tmp_path / "out", "--encoder", "jpeg-q50")
    assert "a.jpg would be written for several images" in said
    assert not (tmp_path / "out").exists()


def test_a_source_is_not_its_own_target(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "c.jpg").write_bytes(encode_jpeg(tiny_image(2), 90))
    told = (tmp_path / "c.jpg", "-o", tmp_path, "--encoder", "jpeg-q50", "--again", "--force")
    assert "is its own source: name another folder" in _complaint(capsys, *told)


@pytest.mark.parametrize(
    ("image", "encoder", "message"),
    [
        ("absent.png", "jpeg-q50", "absent.png cannot be read: No such file or directory"),
        ("grey.png", "jpeg-q50", "grey.png"),
        ("broken.png", "jpeg-q50", "broken.png"),
        ("grey.png", "jpeg-q500", "a quality must be a whole number of 1..100, got 500"),
    ],
)
def test_what_cannot_be_encoded_is_one_line(
    tmp_path: Path, capsys: Capture, image: str, encoder: str, message: str
) -> None:
    Image.fromarray(tiny_image(0)).convert("L").save(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "grey.png").read_bytes()[:60])
    assert message in _complaint(capsys, tmp_path / image, "-o", tmp_path / "out", "--encoder", encoder)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_one_line(sources: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "out").write_text("a file")
    said = _complaint(capsys, sources / "left" / "a.png", "-o", tmp_path / "out", "--encoder", "jpeg-q50")
    assert "cannot write" in said
    assert (tmp_path / "out").read_text() == "a file"


def test_a_run_says_by_its_pick_how_its_files_are_written(sources: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "run" / "report").mkdir(parents=True)
    pick = tmp_path / "run" / "report" / "pick.json"
    pick.write_text(json.dumps({"quality": 60, "encoder": "jpeg-q60-c0.6"}))
    assert _encode(sources, "-o", tmp_path / "out", "--encoder", tmp_path / "run") == 0
    written = (tmp_path / "out" / "left" / "a.jpg").read_bytes()
    assert written == compress(tiny_image(0), find_encoder("jpeg-q60-c0.6"))
    assert "2 images as jpeg-q60-c0.6" in capsys.readouterr().out


def test_what_a_run_picked_is_written_with_optimised_huffman_tables(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "report").mkdir(parents=True)
    (tmp_path / "run" / "report" / "pick.json").write_text(json.dumps({"quality": 50, "encoder": "jpeg-q50-plain"}))
    assert _encode(sources, "-o", tmp_path / "out", "--encoder", tmp_path / "run") == 0
    plain = compress(tiny_image(0), find_encoder("jpeg-q50-plain"))
    written = (tmp_path / "out" / "left" / "a.jpg").read_bytes()
    assert len(written) < len(plain)
    assert np.array_equal(Image.open(io.BytesIO(written)), Image.open(io.BytesIO(plain)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no report/pick.json: name an encoder"),
        ("[", "names no encoder: write the report anew"),
        ('{"quality": 50}', "names no encoder: write the report anew"),
        ('{"quality": null, "encoder": null}', "has no pick: name an encoder, such as jpeg-q60"),
    ],
)
def test_a_run_that_picked_nothing_is_refused(
    text: str | None, message: str, sources: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "run" / "report").mkdir(parents=True)
    if text is not None:
        (tmp_path / "run" / "report" / "pick.json").write_text(text)
    assert message in _complaint(capsys, sources, "-o", tmp_path / "out", "--encoder", tmp_path / "run")


def test_a_folder_that_is_called_as_an_encoder_is_none(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _encode(sources / "left", "-o", "jpeg-q50", "--encoder", "jpeg-q50") == 0
    assert _encode(sources / "right", "-o", "jpeg-q50", "--encoder", "jpeg-q50") == 0
    assert sorted(path.name for path in (tmp_path / "jpeg-q50").iterdir()) == ["a.jpg", "b.jpg"]


def test_a_sub_folder_without_images_is_passed_over(sources: Path, tmp_path: Path, capsys: Capture) -> None:
    (sources / "notes").mkdir()
    (sources / "notes" / "readme.txt").write_text("of the microscope")
    assert _encode(sources, "-o", tmp_path / "out", "--encoder", "jpeg-q50") == 0
    assert "2 images as jpeg-q50" in capsys.readouterr().out


def test_a_tiff_with_jpeg_inside_is_refused_before_anything_is_written(tmp_path: Path, capsys: Capture) -> None:
    for name, options in (("a.tif", {}), ("b.tif", {"compression": "jpeg"})):
        Image.fromarray(tiny_image(0)).save(tmp_path / name, **options)
    said = _complaint(capsys, tmp_path / "a.tif", tmp_path / "b.tif", "-o", tmp_path / "out", "--encoder", "jpeg-q50")
    assert f"{tmp_path / 'b.tif'} is lossy already" in said
    assert not (tmp_path / "out").exists()
    again = (tmp_path / "b.tif", "-o", tmp_path / "out", "--encoder", "jpeg-q50", "--again")
    assert _encode(*again) == 0


def test_an_image_that_lies_on_its_side_is_written_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(tiny_image(0, 40, 24)).save(tmp_path / "a.jpg", exif=exif)
    assert _encode(tmp_path / "a.jpg", "-o", tmp_path / "out", "--encoder", "jpeg-q90", "--again") == 0
    with Image.open(tmp_path / "out" / "a.jpg") as written:
        assert (written.size, written.getexif().get(0x0112)) == ((40, 24), None)


@pytest.mark.parametrize("name", ["jpeg-q90-444", "jpeg-flat4-444", "jpeg-q94-444-progressive", "jpeg-q60-trellis"])
def test_an_image_full_of_detail_is_written(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (360, 360, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert _encode(tmp_path / "a.png", "-o", tmp_path / "out", "--encoder", name) == 0
    assert (tmp_path / "out" / "a.jpg").read_bytes() == compress(noise, find_encoder(name))


@pytest.mark.parametrize("name", ["jpeg-q50", "avif-q50", "webp-q50"])
def test_an_image_too_wide_for_a_format_is_one_line(tmp_path: Path, capsys: Capture, name: str) -> None:
    Image.new("RGB", (70_000, 2)).save(tmp_path / "wide.png")
    said = _complaint(capsys, tmp_path / "wide.png", "-o", tmp_path / "out", "--encoder", name)
    assert f"{tmp_path / 'wide.png'} cannot be written as {name}: " in said
    assert not list(tmp_path.glob("out/*"))
