"""Intervals, bounds and ties: against scipy, binomial sums and values by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics import (
    Interval,
    images_for_mean,
    images_for_share,
    mean_interval,
    paired_bootstrap,
    paired_bootstraps,
    ratio_bootstrap,
    share_upper_bound,
    tie_set,
)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_mean_interval_is_students_t_interval() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=25)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    interval = mean_interval(values)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (interval.estimate, interval.n) == (pytest.approx(values.mean()), 25)


def test_mean_interval_of_four_numbers_by_hand() -> None:
    interval = mean_interval([1.0, 2.0, 3.0, 4.0])  # s = 1.2910, s / 2 = 0.6455, t(3, 97.5 %) = 3.1824
    assert (interval.low, interval.high) == pytest.approx((2.5 - 2.0543, 2.5 + 2.0543), abs=1e-4)


def test_groups_of_equal_images_count_as_one_image_each() -> None:
    values = np.random.default_rng(2).normal(size=12)
    once = mean_interval(values)
    thrice = mean_interval(np.repeat(values, 3), np.repeat(np.arange(12), 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert thrice.n == 36


def test_cluster_robust_interval_by_hand() -> None:
    # residuals -2, -1, 0, 3; sums by group -3, 3: error = sqrt(2 / 1 * 18) / 4 = 1.5; t(1, 97.5 %) = 12.7062
    interval = mean_interval([0.0, 1.0, 2.0, 5.0], ["a", "a", "b", "b"])
    assert (interval.low, interval.high) == pytest.approx((2 - 19.0593, 2 + 19.0593), abs=1e-3)


@pytest.mark.parametrize(("values", "groups"), [([3.0], None), ([3.0, 3.5], [7, 7])])
def test_one_image_or_one_group_gives_no_bounds(values: list[float], groups: list[int] | None) -> None:
    for interval in (mean_interval(values, groups), paired_bootstrap(values, groups, rng=_rng())):
        assert interval == Interval(float(np.mean(values)), -math.inf, math.inf, len(values))


def test_no_image_gives_no_estimate() -> None:
    for interval in (mean_interval([]), paired_bootstrap([], rng=_rng())):
        assert math.isnan(interval.estimate)
        assert (interval.low, interval.high, interval.n) == (-math.inf, math.inf, 0)


def test_paired_bootstrap_is_scipys_bca() -> None:
    differences = np.random.default_rng(3).gamma(0.7, size=40) - 0.5
    expected = stats.bootstrap((differences,), np.mean, n_resamples=4000, method="BCa", rng=_rng(), vectorized=True)
    interval = paired_bootstrap(differences, rng=_rng())
    assert interval.low == pytest.approx(expected.confidence_interval.low, abs=1e-6)
    assert interval.high == pytest.approx(expected.confidence_interval.high, abs=1e-6)


def test_ratio_bootstrap_is_scipys_bca_of_a_ratio_of_sums() -> None:
    above, below = np.random.default_rng(4).uniform(1, 3, (2, 30))

    def ratio(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return one.sum(axis=axis) / other.sum(axis=axis)

    expected = stats.bootstrap((above, below), ratio, paired=True, n_resamples=4000, rng=_rng()).confidence_interval
    interval = ratio_bootstrap(above, below, rng=_rng())
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert interval.estimate == pytest.approx(above.sum() / below.sum())


def test_bootstrap_resamples_whole_groups() -> None:
    means = np.random.default_rng(5).normal(size=20)
    once = paired_bootstrap(means, rng=_rng())
    ten_times = paired_bootstrap(np.repeat(means, 10), np.repeat(np.arange(20), 10), rng=_rng())
    assert (ten_times.low, ten_times.high) == pytest.approx((once.low, once.high))
    ignored = paired_bootstrap(np.repeat(means, 10), rng=_rng())
    assert ignored.high - ignored.low < 0.5 * (once.high - once.low)


def test_many_images_are_resampled_in_chunks_like_few() -> None:
    differences = np.random.default_rng(6).normal(0.1, 1, 3000)
    interval, normal = paired_bootstrap(differences, rng=_rng()), mean_interval(differences)
    assert (interval.low, interval.high) == pytest.approx((normal.low, normal.high), abs=0.003)


def test_differences_that_are_all_equal_have_no_width() -> None:
    interval = paired_bootstrap(np.full(10, 0.3), rng=_rng())
    assert (interval.low, interval.high) == pytest.approx((0.3, 0.3))


def test_bootstrap_repeats_with_its_seed() -> None:
    differences = np.random.default_rng(7).normal(size=15)
    assert paired_bootstrap(differences, rng=_rng()) == paired_bootstrap(differences, rng=_rng())
    assert paired_bootstrap(differences, rng=_rng()) != paired_bootstrap(differences, rng=np.random.default_rng(1))


@pytest.mark.parametrize(("n_events", "n"), [(0, 736), (0, 5), (3, 40), (7, 12059), (40, 40)])
def test_share_upper_bound_is_clopper_pearsons(n_events: int, n: int) -> None:
    expected = stats.binomtest(n_events, n).proportion_ci(0.95, method="exact").high
    assert share_upper_bound(n_events, n) == pytest.approx(expected)


def test_share_of_no_images_is_unknown() -> None:
    assert share_upper_bound(0, 0) == 1.0


def test_736_images_without_a_failure_bound_the_share_by_half_a_percent() -> None:
    # 0.995^n <= 0.025 from n = ln 0.025 / ln 0.995 = 735.9 on
    assert images_for_share(0, 0.005) == 736
    assert share_upper_bound(0, 735) > 0.005 >= share_upper_bound(0, 736)


def test_images_for_a_share_grow_with_the_failures_and_no_number_suffices_at_the_limit() -> None:
    needed = images_for_share(1 / 1000, 0.005)
    assert needed is not None
    n_failures = round(needed / 1000)
    assert share_upper_bound(n_failures, needed + 1000) <= 0.005
    assert 736 < needed < 5000
    assert images_for_share(0.005, 0.005) is None
    assert images_for_share(0.2, 0.005) is None


def test_images_for_a_mean_by_hand() -> None:
    # 100 images reach 0.2 down; the limit is 0.1 away: half the reach needs four times the images
    assert images_for_mean(Interval(0.0, -0.2, 0.2, 100), -0.1) == pytest.approx(400, abs=1)
    assert images_for_mean(Interval(-0.1, -0.2, 0.0, 100), -0.1) is None
    assert images_for_mean(Interval(1.0, -math.inf, math.inf, 1), -0.1) is None
    assert images_for_mean(Interval(math.nan, -math.inf, math.inf, 0), -0.1) is None


def test_ties_with_the_best_are_those_whose_difference_may_be_zero() -> None:
    rng = np.random.default_rng(8)
    hard = rng.normal(0, 5, 200)  # how hard an image is moves all scores alike
    best, equal, worse = hard, hard + rng.normal(0, 0.1, 200) - 0.001, hard - 0.05 + rng.normal(0, 0.1, 200)
    assert list(tie_set([worse, best, equal], rng=_rng())) == [False, True, True]


def test_tie_set_counts_a_group_once() -> None:
    base = np.random.default_rng(9).normal(0, 0.1, 10)
    scores = np.stack([np.repeat(base, 40), np.zeros(400)])
    expected = paired_bootstrap(base, rng=_rng())
    grouped = tie_set(scores, np.repeat(np.arange(10), 40), rng=_rng())
    assert grouped.all() == (expected.low <= 0 <= expected.high)
    assert not tie_set(scores, rng=_rng()).all()


def test_tie_set_compares_the_images_that_both_have() -> None:
    best = np.arange(10.0)
    partial = np.where(best < 5, best - 1 + 0.01 * best, np.nan)
    single = np.where(best == 3, best, np.nan)
    assert list(tie_set([best, partial, single, np.full(10, np.nan)], rng=_rng())) == [True, False, True, False]
    assert not tie_set(np.full((2, 3), np.nan), rng=_rng()).any()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20), st.integers(0, 5))
def test_an_interval_holds_its_estimate(values: list[float], seed: int) -> None:
    interval = mean_interval(values)
    assert interval.low <= interval.estimate <= interval.high
    bootstrap = paired_bootstrap(values, rng=np.random.default_rng(seed))
    assert bootstrap.low - 1e-9 <= bootstrap.high


def test_many_rows_are_resampled_alike() -> None:
    one, other = np.random.default_rng(10).normal(size=(2, 30))
    together = paired_bootstraps([one, other, one], rng=_rng())
    assert together[0] == together[2]
    assert [item.low for item in together[:2]] == pytest.approx(
        [paired_bootstrap(row, rng=_rng()).low for row in (one, other)]
    )


def test_a_row_is_averaged_over_the_images_it_keeps() -> None:
    row = np.array([1.0, 2.0, 3.0, math.inf])
    (interval,) = paired_bootstraps([row], kept=[np.isfinite(row)], rng=_rng())
    assert (interval.estimate, interval.n) == (2.0, 3)
    assert 1 <= interval.low <= 2 <= interval.high <= 3


def test_a_score_that_is_no_number_gives_no_bounds_and_hurts_no_other_row() -> None:
    known, unknown = paired_bootstraps([[1.0, 2.0, 3.0], [1.0, math.nan, 3.0]], rng=_rng())
    assert math.isnan(unknown.estimate)
    assert (unknown.low, unknown.high) == (-math.inf, math.inf)
    assert math.isfinite(known.low)
