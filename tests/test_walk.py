"""What lies in a source folder: all of it is taken, or it is said what was not."""

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from datasets.errors import InputError
from datasets.sources.source import find_sources
from datasets.sources.walk import find_files
from tests.pack_fixture import tiny_image, write_source_folder


def _png(path: Path, number: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(tiny_image(number)).save(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source_folder(tmp_path / "source")


def _find(source: Path) -> tuple[list[str], list[str]]:
    said: list[str] = []
    return [image.name for image in find_sources(source, 32, said.append)], said


def test_what_is_passed_over_is_counted_by_suffix_and_system(source: Path) -> None:
    for name in ("left/a.svs", "left/b.svs", "left/c.PNG ", "left/d", "left/.e.png", "notes.txt", ".git/config"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(b"")
    names, said = _find(source)
    assert len(names) == 8
    assert said == [
        "passed over: 2 files (1 hidden, 1 .txt) in source",
        "passed over: 5 files (2 .svs, 1 hidden, 1 .PNG , 1 without suffix) in left",
    ]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], r"gamma gives no image: it is empty; export its images as BMP, PNG or TIFF, or move it out of"),
        (["a.svs", "b.svs", "c.czi"], r"gamma gives no image: it has 3 files \(2 .svs, 1 .czi\); export its images"),
        (["deep/.hidden.png"], r"gamma gives no image: it has 1 file \(1 hidden\)"),
    ],
)
def test_a_system_that_gives_no_image_is_refused(source: Path, files: list[str], words: str) -> None:
    (source / "gamma").mkdir()
    for name in files:
        _png(source / "gamma" / Path(name).with_suffix(".png"))
        (source / "gamma" / Path(name).with_suffix(".png")).rename(source / "gamma" / name)
    with pytest.raises(InputError, match=words):
        _find(source)


def test_a_system_that_is_a_link_is_followed(source: Path, tmp_path: Path) -> None:
    _png(tmp_path / "elsewhere" / "a.png", 50)
    _png(tmp_path / "single.png", 51)
    (source / "gamma").symlink_to(tmp_path / "elsewhere")
    (source / "left" / "linked.png").symlink_to(tmp_path / "single.png")
    names, said = _find(source)
    assert {"gamma/a.png", "left/linked.png"} < set(names)
    assert (len(names), said) == (10, [])


def test_links_to_what_is_there_already_are_taken_once_and_told(source: Path) -> None:
    (source / "left" / "circle").symlink_to(source)
    (source / "a").symlink_to(source / "left")  # sorts before what it leads to
    (source / "left" / "again.png").symlink_to(source / "right" / "1.png")
    names, said = _find(source)
    assert len(names) == 8
    assert sorted(said) == [
        f"passed over: {name}, a link to what is there already" for name in ("a", "left/again.png", "left/circle")
    ]


def test_pipes_are_told_and_not_waited_for(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "left" / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    (source / "left" / "link.png").symlink_to(tmp_path / "pipe")
    names, said = _find(source)
    assert len(names) == 8
    assert sorted(said) == [f"passed over: left/{name}.png, neither a file nor a folder" for name in ("link", "pipe")]


def test_a_link_to_nothing_is_named(source: Path) -> None:
    (source / "left" / "gone.png").symlink_to(source / "nowhere")
    with pytest.raises(InputError, match=r"left/gone\.png cannot be read: No such file or directory"):
        _find(source)


def test_what_cannot_be_read_is_listed_for_who_goes_on_without_it(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "left" / "gone.png").symlink_to(source / "nowhere")
    _png(source / "left" / "deep" / "a.png", 50)
    n_others = len(find_files(source, must_be_read=False).files) - 1
    scan = os.scandir

    def refuse(path: Path) -> object:  # root may read everything
        if Path(path) == source / "left" / "deep":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("datasets.sources.walk.os.scandir", refuse)
    walk = find_files(source, must_be_read=False)
    assert {found.name for found in walk.unreadable} == {"left/gone.png", "left/deep"}
    assert len(walk.files) == n_others


def test_links_in_a_circle_are_named(source: Path) -> None:
    (source / "left" / "a").symlink_to(source / "left" / "b")
    (source / "left" / "b").symlink_to(source / "left" / "a")
    with pytest.raises(InputError, match=r"left/a cannot be read: .*symbolic links"):
        _find(source)


@pytest.mark.parametrize("name", ["source", "source/left", "source/left/deep"])
def test_a_folder_that_cannot_be_read_is_named(source: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _png(source / "left" / "deep" / "a.png", 50)
    scan = os.scandir

    def refuse(path: Path) -> object:  # root may read everything
        if Path(path) == source.parent / name:
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("datasets.sources.walk.os.scandir", refuse)
    with pytest.raises(InputError, match=f"{name} cannot be read: Permission denied; change its permissions"):
        _find(source)


@pytest.mark.parametrize(
    "twins", [("Beta", "beta"), (unicodedata.normalize("NFC", "S\u00fcd"), unicodedata.normalize("NFD", "S\u00fcd"))]
)
def test_two_systems_that_some_machines_take_for_one_are_refused(source: Path, twins: tuple[str, str]) -> None:
    for number, name in enumerate(twins):
        _png(source / name / "a.png", 50 + number)
    if len(list(source.iterdir())) < 4:
        pytest.skip("this file system takes them for one")
    with pytest.raises(InputError, match=r"has two camera systems of one name, .*: rename one"):
        _find(source)
