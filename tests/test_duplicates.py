"""Images of the same field are found when moved or brighter; others are not."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from datasets.duplicates import REACH_PX, SIDE_PX, group_thumbnails
from datasets.packed import PackedDataset, group_images
from search.images import IMAGES_FILE, describe_images
from tests.pack_fixture import write_tiny_pack

N_FIELDS = 30
SMOOTH_PX = 9


def _fields(n_fields: int = N_FIELDS) -> NDArray[np.float32]:
    """Return fields that are smooth over a few pixels and wider than a thumbnail."""
    wide = SIDE_PX + 2 * REACH_PX
    noise = np.random.default_rng(5).normal(size=(n_fields, wide + SMOOTH_PX, wide + SMOOTH_PX))
    smooth = sum(noise[:, y : y + wide, x : x + wide] for y in range(SMOOTH_PX) for x in range(SMOOTH_PX))
    return np.asarray(100 + 20 * smooth, np.float32)


def _cut(fields: NDArray[np.float32], top: int = 0, left: int = 0) -> NDArray[np.float32]:
    y, x = REACH_PX + top, REACH_PX + left
    return fields[..., y : y + SIDE_PX, x : x + SIDE_PX]


def _with(other: NDArray[np.float32]) -> list[int]:
    return list(group_thumbnails(np.concatenate([_cut(_fields()), other[None]])))


def test_different_fields_are_groups_of_their_own() -> None:
    assert list(group_thumbnails(_cut(_fields()))) == list(range(N_FIELDS))


@pytest.mark.parametrize(("top", "left"), [(0, 0), (1, 0), (0, -1), (1, 1)])
def test_a_field_that_moved_a_little_is_found(top: int, left: int) -> None:
    assert _with(_cut(_fields()[3], top, left))[-1] == 3


def test_a_field_under_brighter_light_and_more_contrast_is_found() -> None:
    assert _with(1.3 * _cut(_fields()[7]) + 10)[-1] == 7


def test_a_field_seen_three_times_is_one_group_named_by_its_first_image() -> None:
    fields = _fields()
    seen = np.concatenate([_cut(fields), _cut(fields[2:3], 1), _cut(fields[2:3], 0, 1)])
    assert list(group_thumbnails(seen)[-2:]) == [2, 2]


def test_what_all_thumbnails_have_in_common_makes_none_alike() -> None:
    cell = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    cell[8:24, 8:24] = 600
    assert list(group_thumbnails(_cut(_fields()) + cell)) == list(range(N_FIELDS))


def test_flat_thumbnails_are_alike_to_nothing() -> None:
    flat = np.full((2, SIDE_PX, SIDE_PX), 100, np.float32)
    assert list(group_thumbnails(np.concatenate([_cut(_fields()), flat])))[-2:] == [N_FIELDS, N_FIELDS + 1]


def test_only_images_of_one_system_share_a_field(tmp_path: Path) -> None:
    pack = write_tiny_pack(tmp_path / "pack")
    groups = group_images(pack)
    assert all(pack.systems[image] == pack.systems[group] for image, group in enumerate(groups))


def test_a_run_is_told_of_each_image_once(tmp_path: Path, small_pack: PackedDataset) -> None:
    said: list[str] = []
    describe_images(tmp_path, small_pack, said.append)
    describe_images(tmp_path, small_pack, said.append)
    assert said == [f"looking for images of the same field among {len(small_pack.names)}"]
    table = pq.read_table(tmp_path / IMAGES_FILE).to_pydict()
    assert table["image"] == list(range(len(small_pack.names)))
    assert table["name"] == list(small_pack.names)
    assert {split: table[split] for split in small_pack.subsets} == {
        split: list(subset) for split, subset in small_pack.subsets.items()
    }
