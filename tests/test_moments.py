"""Moments of many cells at once, against scipy and numpy of each cell alone."""

import numpy as np
import pytest
from scipy import stats

from analysis.moments import Cells, moments

VALUES = np.array([1.0, 2.0, 4.0, 10.0, 11.0, 7.0])
PLACE = np.array([0, 0, 0, 1, 1, 2])


def test_moments_of_each_cell_are_those_of_its_values_alone() -> None:
    found = moments(VALUES, Cells(4, PLACE))
    assert list(found.n) == [3, 2, 1, 0]
    for cell in (0, 1):
        own = VALUES[cell == PLACE]
        low, high = stats.t.interval(0.95, len(own) - 1, loc=own.mean(), scale=stats.sem(own))
        assert found.mean[cell] == pytest.approx(own.mean())
        assert found.sd[cell] == pytest.approx(own.std(ddof=1))
        assert (found.low[cell], found.high[cell]) == pytest.approx((low, high))


def test_one_value_has_a_mean_without_spread_and_no_value_has_none() -> None:
    found = moments(VALUES, Cells(4, PLACE))
    assert found.mean[2] == 7.0
    assert np.isnan([found.sd[2], found.low[2], found.high[2]]).all()
    assert np.isnan([found.mean[3], found.sd[3], found.low[3]]).all()


def test_clusters_count_as_one_each() -> None:
    # Four values in two clusters of equal size: as if their two means were the values (Cameron and Miller 2015).
    values = np.array([1.0, 3.0, 5.0, 9.0])
    found = moments(values, Cells(1, np.zeros(4, np.int64), np.array([0, 0, 1, 1])))
    low, high = stats.t.interval(0.95, 1, loc=4.5, scale=stats.sem([2.0, 7.0]))
    assert (found.low[0], found.high[0]) == pytest.approx((low, high))
    assert found.n[0] == 4


def test_a_single_cluster_tells_of_no_spread_of_the_mean() -> None:
    found = moments(np.array([1.0, 3.0]), Cells(1, np.zeros(2, np.int64), np.array([5, 5])))
    assert found.sd[0] == pytest.approx(np.sqrt(2))
    assert np.isnan([found.low[0], found.high[0]]).all()


def test_cells_of_kept_values_may_be_empty() -> None:
    cells = Cells(3, PLACE, PLACE).of(VALUES < 10)
    assert list(cells.count()) == [3, 0, 1]
    assert list(cells.count(np.array([True, False, False, True]))) == [1, 0, 1]


def test_a_value_that_is_not_a_number_makes_its_mean_none() -> None:
    found = moments(np.array([1.0, np.nan, 3.0]), Cells(2, np.array([0, 0, 1])))
    assert np.isnan(found.mean[0])
    assert found.mean[1] == 3.0
