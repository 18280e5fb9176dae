"""A pack that was interrupted is gone on with: the same bytes in the end, and nothing packed twice."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets import pack, pack_files
from datasets.errors import InputError
from datasets.pack import Packing, PackSettings, write_pack
from datasets.pack_files import PackFiles
from datasets.packed import open_pack
from datasets.sources.source import SourceImage
from tests.pack_fixture import tiny_sources

N_IMAGES, BREAKS_AT = 30, 17
SETTINGS = PackSettings(32, (25, 75))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_files, "CHECKPOINT_IMAGES", 4)


def _sources(read: list[str], fail: Callable[[], None] | None = None) -> list[SourceImage]:
    """List sources that note that they are read; one of them may fail."""

    def reading(source: SourceImage, number: int) -> NDArray[np.uint8]:
        read.append(source.name)
        if fail and number == BREAKS_AT:
            fail()
        return source.read()

    return [
        replace(source, read=lambda s=source, n=number: reading(s, n), stamp=f"stamp {number}")
        for number, source in enumerate(tiny_sources(N_IMAGES))
    ]


def _interrupt() -> None:
    raise KeyboardInterrupt


def _damaged() -> None:
    raise InputError("left/17.png is damaged")


def _break(out: Path, fail: Callable[[], None] = _interrupt) -> Path:
    """Have a pack break off, and return where it was kept."""
    with pytest.raises((KeyboardInterrupt, InputError)) as caught:
        write_pack(_sources([], fail), out, SETTINGS, Packing("cells"))
    assert "16 of 30 images are kept in" in caught.value.__notes__[0]
    (kept,) = out.parent.iterdir()
    return kept


@pytest.fixture
def expected(tmp_path: Path) -> str:
    write_pack(tiny_sources(N_IMAGES), tmp_path / "expected" / "pack", SETTINGS)
    return open_pack(tmp_path / "expected" / "pack").fingerprint


@pytest.mark.parametrize("fail", [_interrupt, _damaged])
def test_the_same_command_goes_on_where_it_stopped(tmp_path: Path, expected: str, fail: Callable[[], None]) -> None:
    out = tmp_path / "here" / "pack"
    out.parent.mkdir()
    _break(out, fail)
    read: list[str] = []
    said: list[str] = []
    write_pack(_sources(read), out, SETTINGS, Packing("cells", say=said.append))
    assert sorted(read) == sorted(source.name for source in tiny_sources(N_IMAGES)[16:])
    assert said == ["going on behind 16 of 30 images that an earlier run had packed"]
    assert open_pack(out, check_hashes=True).fingerprint == expected
    assert os.listdir(out.parent) == ["pack"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-700])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[128 + 5 * 3072 + 7] ^= 1
    path.write_bytes(data)


def _flip_late(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _garble(path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[9] = b'{"name": 5}'
    path.write_bytes(b"\n".join(lines))


def _tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-25])


DAMAGES = {
    "originals cut": ("contents/originals.npy", _cut),
    "an original changed": ("contents/originals.npy", _flip),
    "JPEG bytes changed": ("contents/jpeg_q25.bin", _flip_late),
    "journal garbled": ("journal.jsonl", _garble),
    "JPEG bytes cut": ("contents/jpeg_q75.bin", _cut),
    "journal torn": ("journal.jsonl", _tear),
    "journal lost": ("journal.jsonl", Path.unlink),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_damaged_meanwhile_is_packed_again(tmp_path: Path, expected: str, damage: str) -> None:
    out = tmp_path / "here" / "pack"
    out.parent.mkdir()
    kept = _break(out)
    name, change = DAMAGES[damage]
    change(kept / name)
    write_pack(_sources([]), out, SETTINGS, Packing("cells"))
    assert open_pack(out, check_hashes=True).fingerprint == expected


def test_sources_that_changed_meanwhile_are_packed_anew_from_there_on(tmp_path: Path) -> None:
    out = tmp_path / "pack"
    _break(out)
    read: list[str] = []
    sources = _sources(read)
    sources[6] = replace(sources[6], stamp="changed")
    del sources[20]
    write_pack(sources, out, SETTINGS, Packing("cells"))
    assert len(read) == 29 - 6
    write_pack([replace(s, stamp="") for s in sources], tmp_path / "again", SETTINGS)
    assert open_pack(out, check_hashes=True).fingerprint == open_pack(tmp_path / "again").fingerprint


@pytest.mark.parametrize("other", [PackSettings(32, (25,)), PackSettings(31, (25, 75))])
def test_other_settings_or_another_source_start_anew_and_leave_what_is_kept(
    tmp_path: Path, other: PackSettings
) -> None:
    kept = _break(tmp_path / "pack")
    said: list[str] = []
    write_pack(_sources([]), tmp_path / "pack", other, Packing("cells", say=said.append))
    assert kept.exists()
    assert len(said) == 1
    assert said[0].startswith(f"{kept} is in the way, perhaps an unfinished pack")
    (tmp_path / "pack").rename(tmp_path / "first")
    write_pack(_sources([]), tmp_path / "pack", SETTINGS, Packing("other cells"))
    assert kept.exists()


def test_an_end_while_images_are_grouped_loses_none_of_them(
    tmp_path: Path, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "here" / "pack"
    out.parent.mkdir()
    with monkeypatch.context() as grouping:
        grouping.setattr(pack, "find_groups", lambda *_: _interrupt())
        with pytest.raises(KeyboardInterrupt) as caught:
            write_pack(_sources([]), out, SETTINGS, Packing("cells"))
    assert "30 of 30 images are kept in" in caught.value.__notes__[0]
    read: list[str] = []
    write_pack(_sources(read), out, SETTINGS, Packing("cells"))
    assert read == []
    assert open_pack(out, check_hashes=True).fingerprint == expected


def test_labels_that_cannot_be_divided_are_refused_before_any_image_is_read(tmp_path: Path) -> None:
    read: list[str] = []
    labels = ["p1"] * 20 + ["p2"] * 10
    with pytest.raises(InputError, match="the images form only 2 groups"):
        write_pack(_sources(read), tmp_path / "pack", SETTINGS, Packing("cells", labels))
    assert read == []
    write_pack(_sources([]), tmp_path / "pack", replace(SETTINGS, split="random"), Packing("cells", labels))


def test_files_that_cannot_all_be_opened_leave_none_open(tmp_path: Path) -> None:
    (tmp_path / "jpeg_q75.bin").mkdir()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(IsADirectoryError):
        PackFiles(tmp_path, tmp_path / "journal", 32, SETTINGS.all_encoders)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_progress_is_told_of_every_image_packed_now(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_pack(tiny_sources(8), tmp_path / "pack", SETTINGS, Packing(progress=lambda *done: told.append(done)))
    assert told == [(number, 8) for number in range(1, 9)]
