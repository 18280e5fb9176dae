"""Restoring from bytes, and the command: every kind of file, and every mistake as one line."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from datasets.console import CLOSED_PIPE, INTERRUPTED
from datasets.encoders.family import find_family
from datasets.jpeg_file import read_jpeg
from datasets.smear import synthesize
from models.cli import main
from models.restore import (
    DEFAULT_MODEL,
    CannotRestoreError,
    Restorer,
    doubts,
    load,
    open_model,
    restore,
    restore_pixels,
    restorer_of,
)
from models.restoring.model_file import ModelFile, ModelFileError, write_model_file
from models.restoring.tiles import Network
from tests.model_fixture import drawn_model_file
from tests.pack_fixture import tiny_image

N_MUTATED = 200
SMEAR = next(iter(synthesize(1, seed=5))).read()[:200, :180]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "444": {"subsampling": 0},
    "422": {"subsampling": 1},
    "rgb": {"keep_rgb": True},
}


def jpeg_bytes(image: Any = SMEAR, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", **{"quality": 50, **options})
    return buffer.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("model") / "drawn.lowq"
    write_model_file(path, drawn_model_file())
    return path


@pytest.fixture(scope="module")
def drawn(model: Path) -> Restorer:
    return load(model)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(jpeg_bytes())
    (folder / "sub" / "b.JPEG").write_bytes(jpeg_bytes(SMEAR[..., 0]))
    (folder / "notes.txt").write_text("no image")
    return folder


def opened(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_model_that_comes_with_lowq_is_small_and_named_as_it_was_trained() -> None:
    assert DEFAULT_MODEL.stat().st_size < 1_000_000
    facts = open_model(None).facts
    assert facts["spec"]["architecture"] == "native10k"
    assert "synthetic smear" in facts["training_data"]["description"]
    assert facts["licence"] == "Apache-2.0"


def test_the_model_that_comes_with_lowq_brings_smears_nearer_to_their_originals() -> None:
    restorer = load()
    for original in (SMEAR, *(image.read() for image in synthesize(2, seed=77))):
        for quality in (25, 50, 75):
            data = jpeg_bytes(original, quality=quality)
            before, after = read_jpeg(data).pixels, restore(restorer, data)
            errors = [np.square(image.astype(float) - original).mean() for image in (before, after)]
            assert errors[1] < 0.75 * errors[0]  # 1.25 dB
            assert not doubts(restorer, read_jpeg(data))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_restored(drawn: Restorer, kind: str) -> None:
    data = jpeg_bytes(**KINDS[kind])
    restored = restore(drawn, data)
    assert restored.dtype == np.uint8
    assert restored.shape == SMEAR.shape
    assert (restored != read_jpeg(data).pixels).any()


def test_the_pixels_are_the_networks_where_consistency_is_off(drawn: Restorer) -> None:
    data = jpeg_bytes()
    own = drawn.network(read_jpeg(data).pixels, np.zeros(8, np.float32))
    expected = np.rint(np.clip(own, 0, 1) * 255).astype(np.uint8)
    np.testing.assert_array_equal(restore(drawn, data, "off"), expected)
    assert (restore(drawn, data, "wide") != expected).any()
    with pytest.raises(ValueError, match="unknown consistency 'maybe'; known: wide, narrow, off"):
        restore(drawn, data, "maybe")


@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_tiles_leave_no_seam_with_consistency(drawn: Restorer, sampling: int) -> None:
    jpeg = read_jpeg(jpeg_bytes(subsampling=sampling))
    whole = restore_pixels(drawn, jpeg)
    np.testing.assert_array_equal(restore_pixels(drawn, jpeg, core_px=48), whole)
    np.testing.assert_array_equal(restore_pixels(drawn, jpeg, core_px=16, in_place=True), whole)
    assert (jpeg.pixels == whole).all()


def test_grey_stays_grey_and_turned_files_come_upright(drawn: Restorer) -> None:
    grey = restore(drawn, jpeg_bytes(SMEAR[..., 0]))
    assert (grey == grey[..., :1]).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    np.testing.assert_array_equal(restore(drawn, jpeg_bytes(exif=exif)), np.rot90(restore(drawn, jpeg_bytes()), -1))


def test_a_network_that_is_told_tables_is_told_those_of_the_file() -> None:
    file = drawn_model_file(told_tables=True)
    told: list[Any] = []

    class Listening(Network):
        def __call__(self, degraded: Any, tables: Any) -> Any:
            told.append(tables)
            return super().__call__(degraded, tables)

    from models.restoring.network import load_network

    restorer = Restorer(file, Listening(load_network(file)), None)
    restore(restorer, jpeg_bytes(quality=30))
    from datasets.tables import tables_of_quality

    np.testing.assert_array_equal(told[0], tables_of_quality(30))


@cache
def _small(architecture: str) -> Restorer:
    return restorer_of(drawn_model_file(architecture))


@pytest.mark.parametrize("architecture", ["native1k", "native11k", "unet"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 9)])
def test_an_image_smaller_than_a_network_sees_is_restored(architecture: str, shape: tuple[int, int]) -> None:
    restorer = _small(architecture)
    height, width = shape
    for image in (SMEAR[:height, :width], SMEAR[:height, :width, 0]):
        assert restore(restorer, jpeg_bytes(image)).shape == (height, width, 3)


def test_a_network_that_overflows_is_told(drawn: Restorer) -> None:
    file = drawn.model_file
    large = [weight * np.float32(1e30) if weight.dtype.kind == "f" else weight for weight in file.weights]
    restorer = restorer_of(ModelFile(file.facts, tuple(large)))
    with pytest.raises(CannotRestoreError, match="what this network makes of it are no numbers"):
        restore(restorer, jpeg_bytes())


def test_a_large_image_needs_a_known_reach(drawn: Restorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.restore.UNTILED_PIXELS", 1000)
    with pytest.raises(CannotRestoreError, match="it is not known how far it sees"):
        restore(Restorer(drawn.model_file, drawn.network, None), jpeg_bytes())


def test_what_a_model_was_not_trained_for_is_told(drawn: Restorer) -> None:
    assert not doubts(drawn, read_jpeg(jpeg_bytes()))
    (of_quality,) = doubts(drawn, read_jpeg(jpeg_bytes(quality=90)))
    assert of_quality == "its quality is 90, the model's was 20 to 80"
    (of_sampling,) = doubts(drawn, read_jpeg(jpeg_bytes(subsampling=0)))
    assert of_sampling == "its chroma is stored as 4:4:4, the model's was as 4:2:0"
    tables = [[9] * 64, [12] * 64]
    of_tables, _ = doubts(drawn, read_jpeg(jpeg_bytes(qtables=tables)))
    assert of_tables.startswith("its tables are not libjpeg's (nearest: quality ")
    night = (SMEAR // 8).astype(np.uint8)
    (of_camera,) = doubts(load(), read_jpeg(jpeg_bytes(night)))
    assert of_camera.startswith("it looks like no camera of the training images (")


def test_a_model_of_an_encoder_of_its_own_knows_that_encoders_files(drawn: Restorer) -> None:
    facts = {**drawn.model_file.facts, "encoder": {**drawn.model_file.facts["encoder"], "family": "jpeg-c0.6"}}
    own = replace(drawn, model_file=replace(drawn.model_file, facts=facts))
    family = find_family("jpeg-c0.6")
    assert not doubts(own, read_jpeg(jpeg_bytes(qtables=family.at(40).steps().tolist())))
    (of_quality,) = doubts(own, read_jpeg(jpeg_bytes(qtables=family.at(90).steps().tolist())))
    assert of_quality == "its quality is 90, the model's was 20 to 80"
    (of_tables,) = doubts(own, read_jpeg(jpeg_bytes(quality=40)))
    assert of_tables == "its tables are none of jpeg-c0.6's, which the model was trained for"


def run(*arguments: object) -> int:
    return main(["restore", *map(str, arguments)])


def test_a_folder_is_restored_with_its_sub_folders(
    photos: Path, tmp_path: Path, model: Path, drawn: Restorer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(photos, "-o", out, "--model", model, "--jobs", 2) == 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == ["a.png", "sub/b.png"]
    np.testing.assert_array_equal(opened(out / "a.png"), restore(drawn, (photos / "a.jpg").read_bytes()))
    grey = opened(out / "sub" / "b.png")
    np.testing.assert_array_equal(grey, restore(drawn, (photos / "sub" / "b.JPEG").read_bytes())[..., 0])
    said = capsys.readouterr().err
    assert "passed over" in said
    assert "1 .txt" in said
    assert said.splitlines()[-1] == "2 restored, 2 of them other than what the model was trained for"


def test_nothing_is_overwritten_without_force(photos: Path, tmp_path: Path, model: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    assert run(photos, "-o", out, "--model", model) == 1
    assert (out / "a.png").read_bytes() == b"mine"
    assert (out / "sub" / "b.png").exists()
    assert run(photos, "-o", out, "--model", model, "--force") == 0
    assert opened(out / "a.png").shape == SMEAR.shape


def test_what_cannot_be_restored_is_named_and_the_rest_is_done(
    photos: Path, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "cut.jpg").write_bytes(jpeg_bytes()[:900])
    (photos / "text.jpg").write_text("no image")
    Image.new("CMYK", (32, 32)).save(photos / "print.jpg")
    assert run(photos, "-o", tmp_path / "out", "--model", model) == 1
    said = capsys.readouterr().err
    assert f"lowq: {photos / 'cut.jpg'} is damaged or truncated" in said
    assert f"lowq: {photos / 'text.jpg'} is no JPEG file" in said
    assert f"lowq: {photos / 'print.jpg'} is a CMYK file" in said
    assert "2 restored" in said
    assert "3 left out" in said
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(("suffix", "keeps_profile"), [("png", True), ("tiff", True), ("bmp", False)])
def test_one_file_is_written_in_the_format_of_its_name(
    photos: Path,
    tmp_path: Path,
    model: Path,
    drawn: Restorer,
    suffix: str,
    keeps_profile: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (photos / "c.jpg").write_bytes(jpeg_bytes(icc_profile=profile))
    out = tmp_path / f"c.{suffix}"
    assert run(photos / "c.jpg", "-o", out, "--model", model) == 0
    np.testing.assert_array_equal(opened(out), restore(drawn, jpeg_bytes()))
    with Image.open(out) as image:
        assert (image.info.get("icc_profile") == profile) is keeps_profile
    assert ("its colour profile has no place in a BMP file" in capsys.readouterr().err) is not keeps_profile


def test_pixels_go_to_standard_output(photos: Path, model: Path, drawn: Restorer) -> None:
    command = [sys.executable, "-m", "models", "restore", str(photos / "a.jpg"), "-o", "-", "--model", str(model)]
    answer = subprocess.run(command, capture_output=True, check=True)
    with Image.open(io.BytesIO(answer.stdout)) as image:
        assert image.format == "PPM"
        np.testing.assert_array_equal(np.asarray(image), restore(drawn, jpeg_bytes()))
    warning, summary = answer.stderr.decode().splitlines()  # its weights are drawn: it knows no colours
    assert "its coefficients do not bear out" in warning
    assert summary == "1 restored, 1 of them other than what the model was trained for"


def test_a_pattern_is_searched(photos: Path, tmp_path: Path, model: Path) -> None:
    assert run(f"{photos}/**/*.[jJ]*", "-o", tmp_path / "out", "--model", model, "--format", "bmp") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.bmp", "b.bmp"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{photos}", "-o", "{photos}/out"], "lies inside the input"),
        (["{photos}", "-o", "{photos}"], "lies inside the input"),
        (["{photos}/none.jpg", "-o", "{tmp}/out"], "does not exist: check the name"),
        (["{photos}/*.webp", "-o", "{tmp}/out"], "no file is like"),
        (["{photos}/s*", "-o", "{tmp}/out"], "s*, only folders, which are to be named themselves"),
        (["{photos}/a.jpg", "-o", "{tmp}/b.jpg"], "its format is none of .png, .bmp, .tif, .tiff, .ppm"),
        (["{photos}", "-o", "{tmp}/b.png"], "is no folder, and there is more than one file"),
        (["{photos}/a.jpg", "-o", "-", "--format", "png"], "--format png is another than that of -, ppm: leave it out"),
        (["{photos}/a.jpg", "-o", "{tmp}/b.bmp", "--format", "png"], "b.bmp, bmp: leave it out"),
        (["{tmp}/named.png", "-o", "{tmp}/named.png", "--force"], "named.png is an input too, which is not replaced"),
        (["{tmp}/a.jpeg", "{tmp}/named.png", "-o", "{tmp}", "--force"], "named.png is an input too"),
        (["{photos}/sub/..", "-o", "-"], "-o - takes one file, got 2: name a folder"),
        (["{photos}", "-o", "{photos}/notes.txt"], "is no folder"),
        (["{photos}/a.jpg", "{tmp}/a.jpeg", "-o", "{tmp}/out"], "would both become"),
        (["{photos}", "-o", "{tmp}/out", "--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["{tmp}/empty", "-o", "{tmp}/out"], "no file of .jpg, .jpeg, .jpe, .jfif is in"),
        (["{photos}", "-o", "{tmp}/out", "--model", "{tmp}/none.lowq"], "none.lowq cannot be read"),
        (["{photos}", "-o", "{tmp}/out", "--model", "{photos}/a.jpg"], "is no model file"),
        (["{photos}", "-o", "{tmp}/out", "--model", "{photos}"], "is no run directory"),
        (["{photos}", "-o", "{tmp}/out", "--plugin", "{photos}/notes.txt"], "a plugin is a file named like"),
        (["{photos}"], "the following arguments are required: -o/--out"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    photos: Path, tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpeg").write_bytes(jpeg_bytes())
    (tmp_path / "named.png").write_bytes(jpeg_bytes())
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert run(*(word.format(photos=photos, tmp=tmp_path) for word in arguments)) == 2
    said = capsys.readouterr().err.splitlines()
    assert words in said[-1]
    assert said[-1].startswith("lowq: ")
    assert [line for line in said[:-1] if "note: passed over" not in line] == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("encoder", {"quality": "best"}),
        ("encoder", {"quality": [1]}),
        ("encoder", {"family": 7}),
        ("encoder", {"family": "webp"}),
        ("training_data", {"statistics": {"a": 3}}),
        ("training_data", {"statistics": [1]}),
        ("training_data", {"statistics": {"a": {"mean": [1, 2], "spread": [1]}}}),
        ("training_data", {"statistics": {"a": {"mean": ["x"] * 3, "spread": [1] * 3}}}),
        ("training_data", {"statistics": {"a": {"mean": [1] * 7, "covariance": [[1] * 7]}}}),
    ],
)
def test_a_model_whose_facts_cannot_be_is_refused(tmp_path: Path, fact: str, value: dict[str, Any]) -> None:
    drawn = drawn_model_file()
    write_model_file(tmp_path / "a.lowq", ModelFile({**drawn.facts, fact: value}, drawn.weights))
    with pytest.raises(ModelFileError, match="what it says of its encoder or of its training images cannot be"):
        load(tmp_path / "a.lowq")


def test_without_standard_output_pixels_have_no_place_to_go(
    photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run(photos / "a.jpg", "-o", "-", "--model", model) == 2
    assert capsys.readouterr().err == "lowq: standard output is closed: name a file or a folder\n"


def test_without_standard_error_no_line_gets_among_the_pixels(
    photos: Path, model: Path, drawn: Restorer, monkeypatch: pytest.MonkeyPatch, capsysbinary: Any
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert run(photos / "a.jpg", "-o", "-", "--model", model) == 0
    written = capsysbinary.readouterr().out
    with Image.open(io.BytesIO(written)) as image:
        np.testing.assert_array_equal(np.asarray(image), restore(drawn, jpeg_bytes()))
    assert len(written) == len(f"P6\n{SMEAR.shape[1]} {SMEAR.shape[0]}\n255\n") + SMEAR.size


def test_who_reads_the_pixels_may_end_before_they_do(
    photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert run(photos / "a.jpg", "-o", "-", "--model", model) == CLOSED_PIPE
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_what_a_full_disk_has_no_place_for_is_named_and_not_there(photos: Path, tmp_path: Path, model: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    (photos / "noise.jpg").write_bytes(jpeg_bytes(noise, quality=95))
    program = f"""
import resource, signal, sys
from models.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
for suffix in ("png", "bmp", "tiff", "ppm"):
    print(suffix, main(["restore", "{photos}/noise.jpg", "-o", f"{tmp_path}/o.{{suffix}}", "--model", "{model}"]))
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.split() == ["png", "1", "bmp", "1", "tiff", "1", "ppm", "1"]
    assert answer.stderr.count("noise.jpg cannot be restored: File too large; free space") == 4
    assert not list(tmp_path.glob("*o.*"))


def test_an_interruption_says_what_is_there(
    photos: Path, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(outcome: object, shown: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("models.commands.restore._say", interrupted)
    assert run(photos, "-o", tmp_path / "out", "--model", model) == INTERRUPTED
    *_, said = capsys.readouterr().err.splitlines()
    assert said == "lowq: interrupted, what is restored is whole and stays; the same command restores the rest"


@pytest.mark.parametrize("source", ["{}/*.jpg", "{}"])
def test_links_that_lead_nowhere_are_named_and_the_rest_restored(
    photos: Path, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    (photos / "b.jpg").symlink_to(photos / "gone.jpg")
    (photos / "c.jpg").symlink_to("c.jpg")
    assert run(source.format(photos), "-o", tmp_path / "out", "--model", model) == 1
    said = capsys.readouterr().err
    assert f"lowq: {photos / 'b.jpg'} cannot be restored: No such file or directory" in said
    assert f"lowq: {photos / 'c.jpg'} cannot be restored: Too many levels of symbolic links" in said
    assert any((tmp_path / "out").iterdir())


def test_mutated_files_end_in_a_picture_or_a_line(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_jpeg_file import mutated

    folder = tmp_path / "mutated"
    folder.mkdir()
    small = jpeg_bytes(tiny_image(1))
    for seed in range(N_MUTATED):
        (folder / f"{seed:03}.jpg").write_bytes(mutated(small, seed))
    code = run(folder, "-o", tmp_path / "out", "--model", model)
    said = capsys.readouterr().err
    n_left_out = sum(line.startswith(f"lowq: {folder}") for line in said.splitlines())
    assert code == 1
    assert len(list((tmp_path / "out").iterdir())) + n_left_out == N_MUTATED
    assert "Traceback" not in said
