"""Bytes at parity: interpolated between settings by hand, bounded beyond them, 1 for JPEG as it is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.parity import FARTHEST, bytes_at_parity, smallest_margin

JPEG = {"mae": 0.007, "mse": 0.00025, "psnr_db": 40.0, "ssim": 0.985}
LOWER = {"mae": 0.009, "mse": 0.00035, "psnr_db": 38.0, "ssim": 0.975}


def test_the_smallest_of_four_margins_is_in_units_of_what_jpeg_loses() -> None:
    means = {"mae": [0.006, 0.008], "mse": [0.0002, 0.00025], "psnr_db": [41.0, 40.0], "ssim": [0.990, 0.985]}
    # 0.5 steps each, then MAE half a step worse.
    assert smallest_margin(means, JPEG, LOWER) == pytest.approx([0.5, -0.5])


def test_a_metric_in_which_the_two_qualities_do_not_differ_tells_nothing() -> None:
    assert np.isnan(smallest_margin({"ssim": [0.99]}, JPEG, JPEG)).all()


def test_parity_lies_where_the_line_over_log_bytes_crosses_zero() -> None:
    # From -1 at 500 bytes to +1 at 800: the middle of the logarithms.
    assert bytes_at_parity([500, 800], [-1.0, 1.0], 1000) == pytest.approx(math.sqrt(500 * 800) / 1000)
    assert bytes_at_parity([800, 500], [1.0, -1.0], 1000) == pytest.approx(math.sqrt(500 * 800) / 1000)


def test_jpeg_as_it_is_has_one() -> None:
    assert bytes_at_parity([500, 1000, 2000], [-1.0, 0.0, 2.0], 1000) == pytest.approx(1.0)


def test_every_setting_of_more_bytes_must_reach_too() -> None:
    reached_once = bytes_at_parity([400, 500, 800, 1000], [0.1, 0.2, -0.1, 0.1], 1000)
    assert reached_once == pytest.approx(math.sqrt(800 * 1000) / 1000)


def test_beyond_what_was_measured_the_line_is_followed_up_to_a_bound() -> None:
    # -2 at 500, -1 at 1000: 0 would be at 2000, just at the bound.
    assert bytes_at_parity([500, 1000], [-2.0, -1.0], 1000) == pytest.approx(2.0)
    assert bytes_at_parity([500, 1000], [-9.0, -8.9], 1000) == pytest.approx(FARTHEST)
    assert bytes_at_parity([500, 1000], [-8.9, -9.0], 1000) == pytest.approx(FARTHEST)  # it leads away
    assert bytes_at_parity([1000], [-0.5], 1000) == pytest.approx(FARTHEST)  # one point tells no direction
    assert bytes_at_parity([500, 1000], [0.5, 1.0], 1000) == pytest.approx(0.25)
    assert bytes_at_parity([500, 1000], [0.5, 0.6], 1000) == pytest.approx(0.5 / FARTHEST)


def test_points_without_a_margin_are_left_out_and_none_is_no_parity() -> None:
    assert bytes_at_parity([500, 600, 800], [-1.0, math.nan, 1.0], 1000) == pytest.approx(math.sqrt(0.4))
    assert np.isnan(bytes_at_parity([500.0], [math.nan], 1000))


def test_rows_are_reckoned_each_on_its_own() -> None:
    both = bytes_at_parity([[500, 800], [500, 1000]], [[-1, 1], [-1, 0]], [1000, 1000])
    assert both == pytest.approx([math.sqrt(0.4), 1.0])


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(-5, 5)), min_size=1, max_size=8), st.floats(0.01, 2))
def test_a_better_restorer_never_needs_more_bytes(points: list[tuple[float, float]], more: float) -> None:
    size, margin = np.array(points).T
    worse, better = bytes_at_parity(size, margin, 1000), bytes_at_parity(size, margin + more, 1000)
    assert np.isfinite(worse)
    if len(np.unique(size)) == len(size) and (np.diff(margin[np.argsort(size)]) > 0).all():
        assert better <= worse * (1 + 1e-9)
