"""File sets: found where they are, taken in whole or not at all."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.pack import MANIFEST
from datasets.packed import PackedDataset, open_pack
from search.cluster.file_set import (
    FileSet,
    begin,
    cache_folder,
    discard,
    file_set_of_file,
    file_set_of_pack,
    find,
    finish,
    need,
    own_copy,
    take,
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWQ_CACHE", str(tmp_path / "cache"))
    find.cache_clear()


@pytest.fixture
def foreign(small_pack: PackedDataset) -> FileSet:
    """The file set of a pack whose folder is not on this node."""
    return replace(file_set_of_pack(small_pack), folder=Path("/nowhere"))


def _no_way(path: Path, offset: int, n_bytes: int) -> bytes:
    raise AssertionError("nothing is to be fetched")


def _send(file_set: FileSet, source: Path, token: str, n_bytes: int = 10_000) -> None:
    begin(file_set, token)
    for file in file_set.files:
        data = (source / file.name).read_bytes()
        for offset in range(0, max(1, len(data)), n_bytes):
            take(file_set, token, file.name, offset, data[offset : offset + n_bytes])


def test_a_file_set_is_used_where_the_driver_has_it_when_the_node_has_it_there_too(small_pack: PackedDataset) -> None:
    assert find(file_set_of_pack(small_pack)) == small_pack.folder


def test_the_manifest_stands_for_a_pack(small_pack: PackedDataset) -> None:
    file_set = file_set_of_pack(small_pack)
    assert file_set.files[-1].name == MANIFEST
    assert {file.name for file in file_set.files[:-1]} == set(small_pack.manifest["files"])


def test_a_pack_that_arrived_is_found_and_opens(foreign: FileSet, small_pack: PackedDataset) -> None:
    assert find(foreign) is None
    _send(foreign, small_pack.folder, "t")
    finish(foreign, "t")
    assert need(foreign, _no_way) == own_copy(foreign)
    opened = open_pack(need(foreign, _no_way), check_hashes=True)
    assert opened.fingerprint == small_pack.fingerprint
    assert (opened.originals == small_pack.originals).all()
    assert [path.name for path in own_copy(foreign).parent.iterdir()] == [own_copy(foreign).name]


def test_a_part_that_changed_on_the_way_is_found_out(foreign: FileSet, small_pack: PackedDataset) -> None:
    _send(foreign, small_pack.folder, "t")
    take(foreign, "t", "originals.npy", 500, b"another")
    with pytest.raises(OSError, match=r"originals\.npy did not arrive as it was sent"):
        finish(foreign, "t")
    discard(foreign, "t")
    assert list(own_copy(foreign).parent.iterdir()) == []


def test_two_deliveries_at_once_leave_one_whole_copy(foreign: FileSet, small_pack: PackedDataset) -> None:
    for token in ("one", "two"):
        _send(foreign, small_pack.folder, token)
    for token in ("one", "two"):
        finish(foreign, token)
    assert [path.name for path in own_copy(foreign).parent.iterdir()] == [own_copy(foreign).name]


def test_a_copy_that_lost_a_file_is_replaced(foreign: FileSet, small_pack: PackedDataset) -> None:
    for token in (32 * "a", 32 * "b"):
        find.cache_clear()
        assert find(foreign) is None
        _send(foreign, small_pack.folder, token)
        finish(foreign, token)
        assert find(foreign) == own_copy(foreign)
        (own_copy(foreign) / "originals.npy").unlink()


def test_what_a_given_up_delivery_left_is_removed_by_the_next(
    foreign: FileSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up, following = 32 * "a", 32 * "b"
    begin(foreign, given_up)
    mine = own_copy(foreign).parent / ".git"
    mine.mkdir()
    monkeypatch.setattr("search.cluster.file_set.STALE_S", -1.0)
    begin(foreign, following)
    assert not [path for path in own_copy(foreign).parent.iterdir() if given_up in path.name]
    assert mine.is_dir()


def test_another_pack_at_the_same_path_is_not_taken_for_it(small_pack: PackedDataset, tmp_path: Path) -> None:
    file_set = file_set_of_pack(small_pack)
    (tmp_path / "pack").mkdir()
    for file in file_set.files:
        (tmp_path / "pack" / file.name).write_bytes((small_pack.folder / file.name).read_bytes())
    here = replace(file_set, folder=tmp_path / "pack")
    assert find(here) == tmp_path / "pack"
    find.cache_clear()
    manifest = tmp_path / "pack" / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b"smear", b"smeer"))
    assert find(here) is None


def test_a_file_is_a_file_set_too(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"weights")
    file_set = file_set_of_file(tmp_path / "weights.h5")
    assert find(file_set) == tmp_path
    assert (file_set.n_bytes, own_copy(file_set).parent) == (7, cache_folder() / "files")


def test_a_node_without_the_files_fetches_them_part_by_part(
    foreign: FileSet, small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.cluster.file_set.PART_BYTES", 10_000)

    def read_part(path: Path, offset: int, n_bytes: int) -> bytes:
        assert path.parent == Path("/nowhere")  # where the driver's node has them
        return (small_pack.folder / path.name).read_bytes()[offset : offset + n_bytes]

    assert need(foreign, read_part) == own_copy(foreign)
    assert open_pack(own_copy(foreign), check_hashes=True).fingerprint == small_pack.fingerprint


def test_workers_of_a_node_that_lack_the_files_at_once_fetch_them_once(
    foreign: FileSet, small_pack: PackedDataset
) -> None:
    fetched: list[str] = []

    def read_part(path: Path, offset: int, n_bytes: int) -> bytes:
        fetched.append(path.name)
        time.sleep(0.01)
        return (small_pack.folder / path.name).read_bytes()[offset : offset + n_bytes]

    with ThreadPoolExecutor(3) as workers:
        assert {*workers.map(lambda _: need(foreign, read_part), range(3))} == {own_copy(foreign)}
    assert sorted(fetched) == sorted(file.name for file in foreign.files)


def test_what_cannot_be_fetched_leaves_nothing(foreign: FileSet) -> None:
    def read_part(path: Path, offset: int, n_bytes: int) -> bytes:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        need(foreign, read_part)
    assert list(own_copy(foreign).parent.iterdir()) == []
