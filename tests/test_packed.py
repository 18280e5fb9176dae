"""Opened packs: damage is noticed, by size always and by hash when asked."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets import builtin
from datasets.errors import InputError
from datasets.packed import PackedDataset, open_pack
from tests.pack_fixture import PACK_FILES, write_tiny_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return write_tiny_pack(tmp_path_factory.mktemp("packs") / "tiny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pack to be damaged."""
    return write_tiny_pack(tmp_path / "pack").folder


def _edit_manifest(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_folder_without_a_manifest_is_no_pack(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match=r"is no pack \(it has no manifest\.json\): make one with"):
            open_pack(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version":', "\udcff"])
def test_a_damaged_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"manifest\.json is damaged: pack the sources again"):
        open_pack(folder)


def test_a_manifest_that_lacks_a_fact_is_refused(folder: Path) -> None:
    _edit_manifest(folder, lambda manifest: (manifest.pop("files"), manifest.pop("qualities")))
    with pytest.raises(InputError, match=r"is damaged \(it lacks files, qualities\): pack the sources again"):
        open_pack(folder)


def test_a_pack_of_another_format_is_refused(folder: Path) -> None:
    _edit_manifest(folder, lambda manifest: manifest.update(format_version=2))
    with pytest.raises(InputError, match="has pack format 2, this lowq reads 1: pack the sources again"):
        open_pack(folder)


@pytest.mark.parametrize("change", [{"size_px": 31}, {"qualities": [25, 76]}, {"qualities": [25]}, {"fingerprint": ""}])
def test_an_edited_manifest_is_refused(folder: Path, change: dict[str, object]) -> None:
    _edit_manifest(folder, lambda manifest: manifest.update(change))
    with pytest.raises(InputError, match=r"manifest\.json was edited: it does not fit its files; pack the sources"):
        open_pack(folder)


@pytest.mark.parametrize("name", PACK_FILES)
def test_a_missing_file_is_noticed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"{name} is missing: copy the pack again, or pack the sources again"):
        open_pack(folder)


@pytest.mark.parametrize("name", PACK_FILES)
@pytest.mark.parametrize("change", [-1, 1], ids=["shorter", "longer"])
def test_a_file_of_another_length_is_noticed(folder: Path, name: str, change: int) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1] if change < 0 else data + b"\0")
    words = rf"{name} should be {len(data)} bytes, found {len(data) + change}: copy the pack again"
    with pytest.raises(InputError, match=words):
        open_pack(folder)


@pytest.mark.parametrize("name", PACK_FILES)
def test_a_changed_byte_is_noticed_when_hashes_are_asked_for(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name} was changed \(its SHA-256 is not the manifest's\): copy the pack"):
        open_pack(folder, check_hashes=True)


def test_the_index_is_checked_without_being_asked_and_the_large_files_are_not(folder: Path) -> None:
    for name in ("originals.npy", "index.parquet"):
        data = bytearray((folder / name).read_bytes())
        data[-1] ^= 1
        (folder / name).write_bytes(data)
        if name == "originals.npy":
            open_pack(folder)
    with pytest.raises(InputError, match=r"index\.parquet was changed"):
        open_pack(folder)


def test_an_untouched_pack_passes_the_check_of_its_hashes(pack: PackedDataset) -> None:
    assert open_pack(pack.folder, check_hashes=True).fingerprint == pack.fingerprint


def test_the_built_in_pack_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "N_IMAGES", 6)
    first = builtin.open_builtin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["smear-6-s0"]
    assert (len(first.names), first.size_px) == (6, 360)
    monkeypatch.setattr(builtin, "write_pack", None)
    assert builtin.open_builtin(tmp_path).fingerprint == first.fingerprint
