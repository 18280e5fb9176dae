"""Training qualities: one, the thesis' range, or one's own; anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.qualities import quality_range


@pytest.mark.parametrize(
    ("quality", "expected"),
    [(1, (1, 1)), (75, (75, 75)), (100, (100, 100)), ("random", (25, 100)), ("20-80", (20, 80)), ("50-50", (50, 50))],
)
def test_a_quality_or_a_range_has_a_lowest_and_a_highest(quality: int | str, expected: tuple[int, int]) -> None:
    assert quality_range(quality) == expected


@given(st.integers(-10, 110), st.integers(-10, 110))
def test_a_range_is_one_of_1_to_100_that_does_not_fall(low: int, high: int) -> None:
    if 1 <= low <= high <= 100:
        assert quality_range(f"{low}-{high}") == (low, high)
    else:
        with pytest.raises(ValueError, match=r"a training quality must be 1\.\.100, 'random' or a range"):
            quality_range(f"{low}-{high}")


@pytest.mark.parametrize(
    "quality",
    [0, 101, -5, True, "low", "", "75", "20-", "-80", "20 - 80", "80-20", "0-50", "20-101", "1-2-3", "20-80\n"],
)
def test_what_is_no_quality_is_refused(quality: int | str) -> None:
    with pytest.raises(ValueError, match=r"must be 1\.\.100, 'random' or a range such as '20-80', got "):
        quality_range(quality)
