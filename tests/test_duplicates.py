"""Images of the same field are found when moved or brighter; others are not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from datasets.grouping.duplicates import REACH_PX, SIDE_PX, group_thumbnails
from datasets.grouping.groups import join
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, group_images, open_pack
from search.scoring.images import IMAGES_FILE, describe_images
from tests.pack_fixture import tiny_sources

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


@pytest.mark.parametrize(
    ("top", "left"), [(0, 0), (1, 0), (0, -1), (1, 1), (2, 3), (-4, 4), (0, 5), (-REACH_PX, -REACH_PX)]
)
def test_a_field_that_moved_is_found_as_far_as_the_reach(top: int, left: int) -> None:
    assert _with(_cut(_fields()[3], top, left))[-1] == 3


@pytest.mark.parametrize(("top", "left"), [(3, 0), (-4, 4), (5, -5)])
def test_every_pair_of_moved_fields_is_found_and_no_other(top: int, left: int) -> None:
    fields = _fields()
    seen = np.concatenate([_cut(fields), _cut(fields, top, left)])
    assert list(group_thumbnails(seen)) == [*range(N_FIELDS)] * 2


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


def _cell(left: int) -> NDArray[np.float32]:
    cell = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    cell[8:24, left : left + 12] = 900
    return cell


def test_what_a_system_has_in_common_makes_its_images_alike_neither_to_each_other_nor_to_anothers() -> None:
    fields = _cut(_fields())
    half = N_FIELDS // 2
    seen = np.concatenate([fields[:half] + _cell(2), fields[half:] + _cell(18)])
    systems = ["left"] * half + ["right"] * (N_FIELDS - half)
    assert list(group_thumbnails(seen, systems)) == list(range(N_FIELDS))
    assert len(set(group_thumbnails(seen))) < N_FIELDS  # a test of the test: without systems the cells decide


def test_a_field_that_two_systems_show_is_one() -> None:
    fields = _cut(_fields())
    seen = np.concatenate([fields + _cell(2), 0.7 * _cut(_fields()[4:12], 2, 1) + _cell(18)])
    systems = ["left"] * N_FIELDS + ["right"] * 8
    assert list(group_thumbnails(seen, systems)) == [*range(N_FIELDS), *range(4, 12)]


def test_groups_that_share_an_image_are_one() -> None:
    ways = [np.array([0, 1, 2, 2, 4, 5]), np.array([0, 1, 2, 3, 3, 5]), np.array([0, 1, 2, 3, 4, 0])]
    assert join(ways).tolist() == [0, 1, 2, 2, 2, 0]


def test_a_pack_says_what_its_groups_are_and_an_old_one_is_compared_anew(tmp_path: Path) -> None:
    sources = tiny_sources(20)
    sources[9] = replace(sources[9], read=sources[4].read)
    write_pack(sources, tmp_path / "pack", PackSettings(32, (75,)))
    pack = open_pack(tmp_path / "pack")
    assert group_images(pack).tolist() == [*range(9), 4, *range(10, 20)]
    old = replace(pack, groups=None)
    np.testing.assert_array_equal(group_images(old), group_images(pack))


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
