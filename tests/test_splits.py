"""Splits: every image in one subset, the sizes of the thesis, and the same division every time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import InputError
from datasets.grouping.splits import SPLITS, SUBSETS, split_images

THESIS_IMAGES = 60_296
n_images_of_a_pack = st.integers(6, 2000)


def _count(subsets: list[str]) -> dict[str, int]:
    return {subset: subsets.count(subset) for subset in (*SUBSETS, "")}


@settings(deadline=None, max_examples=50)
@given(n_images=n_images_of_a_pack)
def test_data100_and_data101_put_every_image_in_one_of_three_subsets_of_60_20_20(n_images: int) -> None:
    splits = split_images(n_images)
    fifth = n_images // 5
    for name in ("data100", "data101"):
        assert _count(splits[name]) == {"train": n_images - 2 * fifth, "validation": fifth, "test": fifth, "": 0}


@settings(deadline=None, max_examples=50)
@given(n_images=n_images_of_a_pack)
def test_tiny_is_four_to_one_and_drawn_from_the_same_subsets_of_data101(n_images: int) -> None:
    splits = split_images(n_images)
    counts = _count(splits["tiny"])
    assert counts["test"] == 0
    assert counts["validation"] == (counts["train"] + counts["validation"]) // 5
    assert counts["train"] >= 1
    assert counts["validation"] >= 1
    assert all(tiny in ("", whole) for tiny, whole in zip(splits["tiny"], splits["data101"], strict=True))


def test_the_sizes_at_the_number_of_images_of_the_thesis() -> None:
    splits = split_images(THESIS_IMAGES)
    assert _count(splits["tiny"]) == {"train": 9_600, "validation": 2_399, "test": 0, "": THESIS_IMAGES - 11_999}
    for name in ("data100", "data101"):  # 60296 / 5 = 12059.2
        assert _count(splits[name]) == {"train": 36_178, "validation": 12_059, "test": 12_059, "": 0}


def test_the_division_of_ten_images_stays_what_it_is() -> None:
    # Python's random.Random(100) shuffles range(10) to 4 0 5 9 3 1 6 8 7 2, random.Random(101) to 6 7 2 1 4 0 8 5 3 9.
    splits = split_images(10)
    expected = {"data100": {"test": [0, 4], "validation": [5, 9]}, "data101": {"test": [6, 7], "validation": [1, 2]}}
    for name, subsets in expected.items():
        for subset, images in subsets.items():
            assert [image for image, found in enumerate(splits[name]) if found == subset] == images


@settings(deadline=None, max_examples=20)
@given(n_images=n_images_of_a_pack)
def test_the_same_number_of_images_is_divided_the_same_way(n_images: int) -> None:
    assert split_images(n_images) == split_images(n_images)


def test_data100_and_data101_differ() -> None:
    splits = split_images(100)
    assert list(splits) == list(SPLITS)
    assert splits["data100"] != splits["data101"]


@pytest.mark.parametrize("n_images", [0, 1, 5])
def test_too_few_images_for_three_subsets_are_refused(n_images: int) -> None:
    with pytest.raises(InputError, match=f"at least 6 images, one or more in every subset, got {n_images}"):
        split_images(n_images)
