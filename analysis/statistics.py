"""Statistics of scores: intervals that know which images belong together, bounds of rare failures, what these need.

Numbers in, numbers out. groups: a label per image; images of one group (the same field twice) are no independent
evidence, so they are resampled and counted together. None: every image stands for itself.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]
Places = NDArray[np.integer[Any]]

CONFIDENCE = 0.95  # of an interval, so 97.5 % of either of its bounds
N_RESAMPLES = 4000  # the 2.5 % quantile is then known to 0.04 standard errors
# A bound needs so many groups: of two the 97.5 % bound of a bootstrap is the worse one, and errs a quarter of the time.
LEAST_GROUPS = 20
BATCH_BYTES = 32_000_000  # of resampled values at a time


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval it lies in; its bounds are NaN where fewer than LEAST_GROUPS tell of no spread.

    n, n_groups: images and groups that it rests on.
    """

    estimate: float
    low: float
    high: float
    n: int
    n_groups: int

    @property
    def has_bounds(self) -> bool:
        return math.isfinite(self.low)


@dataclass(frozen=True)
class Grouping:
    """Which of n cells each of N values belongs to, and which group: images that belong together within a cell.

    cell: int [N]; group: int [N], no group in two cells; None: every value is a group of its own.
    """

    n: int
    cell: Places
    group: Places | None = None

    def of(self, kept: NDArray[np.bool_]) -> "Grouping":
        """Return the cells of the values that are kept; a cell may become empty."""
        if kept.all():
            return self
        return Grouping(self.n, self.cell[kept], None if self.group is None else self.group[kept])

    @cached_property
    def counts(self) -> Places:
        """The number of values of each cell."""
        return np.bincount(self.cell, minlength=self.n)

    def mean(self, values: Floats) -> Floats:
        """Return the mean of each cell; NaN where it is empty or holds a NaN."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.bincount(self.cell, weights=values, minlength=self.n) / self.counts)


@dataclass(frozen=True)
class Means:
    """What values tell of each of n cells. n_groups: groups in it; sd: over values; low, high: as of `Interval`."""

    n: Places
    n_groups: Places
    mean: Floats
    sd: Floats
    low: Floats
    high: Floats


def means_of(values: Floats, cells: Grouping) -> Means:
    """Return mean, standard deviation and the mean's t interval of values [N] in each cell.

    With groups the variance of the mean is cluster-robust, G / (G - 1) * sum over groups of (sum of residuals)^2 / N^2,
    with G - 1 degrees of freedom (Cameron and Miller, Journal of Human Resources 50 (2015), for a mean).
    """
    count, mean = cells.counts, cells.mean(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        residuals = values - mean[cells.cell]
        squares = np.bincount(cells.cell, weights=residuals**2, minlength=cells.n)
        sd = np.sqrt(squares / np.where(count > 1, count - 1, np.nan))
        n_groups, spread = (count, squares) if cells.group is None else _by_group(residuals, cells, cells.group)
        enough = np.where(n_groups >= LEAST_GROUPS, n_groups, np.nan)
        reach = np.sqrt(enough / (enough - 1) * spread) / count * special.stdtrit(enough - 1, (1 + CONFIDENCE) / 2)
    return Means(count, n_groups, mean, sd, mean - reach, mean + reach)


def mean_interval(values: ArrayLike, groups: ArrayLike | None = None) -> Interval:
    """Return `means_of` one cell."""
    numbers = np.asarray(values, np.float64)
    labels = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    found = means_of(numbers, Grouping(1, np.zeros(numbers.size, np.int64), labels))
    return Interval(
        float(found.mean[0]), float(found.low[0]), float(found.high[0]), int(found.n[0]), int(found.n_groups[0])
    )


def bootstrap_mean(values: ArrayLike, groups: ArrayLike | None = None) -> Interval:
    """Return the mean of values [N] with its BCa bootstrap interval, such as of differences of the same images.

    Either bound alone is a one-sided one of 97.5 %. A NaN among the values leaves no bounds.
    """
    numbers = np.asarray(values, np.float64)
    return bootstrap_ratio(numbers, np.ones_like(numbers), groups)


def bootstrap_ratio(numerators: ArrayLike, denominators: ArrayLike, groups: ArrayLike | None = None) -> Interval:
    """Return the sum of numerators [N] over the sum of denominators [N], with its BCa bootstrap interval over groups.

    BCa: Efron, Journal of the American Statistical Association 82 (1987).
    """
    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if not above.size:
        return Interval(math.nan, math.nan, math.nan, 0, 0)
    sums = sum_groups(above, groups), sum_groups(below, groups)
    estimate, n_groups = float(sums[0].sum() / sums[1].sum()), sums[0].size
    if n_groups < LEAST_GROUPS or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan, above.size, n_groups)
    if np.allclose(sums[0], estimate * sums[1], rtol=1e-12, atol=0):  # every group tells the same
        return Interval(estimate, estimate, estimate, above.size, n_groups)
    found = stats.bootstrap(
        sums,
        lambda one, other, axis: one.sum(axis) / other.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=N_RESAMPLES,
        batch=max(1, BATCH_BYTES // (16 * n_groups)),
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(0),
    )
    bounds = found.confidence_interval
    return Interval(estimate, float(bounds.low), float(bounds.high), above.size, n_groups)


def share_upper_bound(n_events: int, n: int) -> float:
    """Return the one-sided 97.5 % upper bound of a share of which n_events in n were seen.

    Clopper and Pearson, Biometrika 26 (1934).
    """
    return 1.0 if n_events >= n else float(stats.beta.ppf((1 + CONFIDENCE) / 2, n_events + 1, n - n_events))


def groups_for_share(observed: float, limit: float) -> int | None:
    """Return the least n at which the upper bound of a share is at most the limit, if the share stays as observed.

    None where no number suffices: the observed share is not below the limit.
    """
    if observed >= limit:
        return None

    def excess(n: float) -> float:
        return float(stats.beta.ppf((1 + CONFIDENCE) / 2, observed * n + 1, n * (1 - observed))) - limit

    high = 1
    while excess(high) > 0:
        high *= 2
    return high if high == 1 else math.ceil(optimize.brentq(excess, high / 2, high))


def groups_for_mean(interval: Interval, limit: float) -> int | None:
    """Return about how many groups bring the lower bound of a mean above the limit, if mean and spread stay.

    The bound's distance shrinks with the square root of their number. None where no number suffices; LEAST_GROUPS
    where the spread is unknown.
    """
    if not interval.estimate > limit:
        return None
    if not interval.has_bounds:
        return LEAST_GROUPS
    ratio = (interval.estimate - interval.low) / (interval.estimate - limit)
    return max(LEAST_GROUPS, math.floor(interval.n_groups * ratio**2) + 1)


def sum_groups(values: Floats, groups: ArrayLike | None) -> Floats:
    """Sum values [..., N] over the images of each group: [..., G]."""
    if groups is None:
        return values
    labels, places = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(labels.size))
    sums: Floats = np.add.reduceat(values[..., order], starts, axis=-1)
    return sums


def on_pareto_front(costs: ArrayLike, qualities: ArrayLike) -> NDArray[np.bool_]:
    """Tell which of N have no other that costs at most as much and is at least as good, one of the two being better.

    What has no finite cost or quality is on no front, and keeps none off it.
    """
    cost, quality = np.asarray(costs, np.float64), np.asarray(qualities, np.float64)
    known: NDArray[np.bool_] = np.isfinite(cost) & np.isfinite(quality)
    as_good: NDArray[np.bool_] = (cost <= cost[:, None]) & (quality >= quality[:, None]) & known
    beaten = as_good & ((cost < cost[:, None]) | (quality > quality[:, None]))
    return known & ~beaten.any(axis=1)


def _by_group(residuals: Floats, cells: Grouping, groups: Places) -> tuple[Places, Floats]:
    """Return the number of groups of each cell, and the sum over them of the squared sum of residuals."""
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    owner = cells.cell[first]
    sums = np.bincount(group, weights=residuals, minlength=owner.size)
    n_groups = np.asarray(np.bincount(owner, minlength=cells.n), np.int64)
    return n_groups, np.asarray(np.bincount(owner, weights=sums**2, minlength=cells.n), np.float64)
