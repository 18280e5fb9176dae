"""Statistics of scores: intervals that know which images belong together, bounds of rare failures, ties with the best.

Numbers in, numbers out. groups: a label per image; images of one group (the same field twice) are no independent
evidence, so they are resampled and counted together. None: every image stands for itself.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

N_RESAMPLES = 4000  # the 2.5 % quantile is then known to 0.04 standard errors
CHUNK = 4_000_000  # drawn places at a time, 32 MB of them


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval it lies in; without bounds (infinite) where one image or group tells of no spread.

    n: images that the estimate rests on.
    """

    estimate: float
    low: float
    high: float
    n: int


def mean_interval(values: ArrayLike, groups: ArrayLike | None = None, confidence: float = 0.95) -> Interval:
    """Return the mean of values [N] with its t interval.

    With groups its variance is cluster-robust, G / (G - 1) * sum over groups of (sum of residuals)^2 / N^2, with G - 1
    degrees of freedom (Cameron and Miller, Journal of Human Resources 50 (2015), for a mean): without, the usual one.
    """
    numbers = np.asarray(values, np.float64)
    if not numbers.size:
        return Interval(math.nan, -math.inf, math.inf, 0)
    mean = float(numbers.mean())
    residuals = _sum_groups(numbers - mean, groups)
    n_groups = residuals.size
    if n_groups < 2:
        return Interval(mean, -math.inf, math.inf, numbers.size)
    error = math.sqrt(n_groups / (n_groups - 1) * float(np.sum(residuals**2))) / numbers.size
    reach = error * float(special.stdtrit(n_groups - 1, (1 + confidence) / 2))
    return Interval(mean, mean - reach, mean + reach, numbers.size)


def paired_bootstrap(
    differences: ArrayLike, groups: ArrayLike | None = None, *, rng: np.random.Generator, confidence: float = 0.95
) -> Interval:
    """Return the mean of differences [N] between two sides of the same images, with its BCa bootstrap interval.

    Either bound alone is a one-sided one of (1 + confidence) / 2.
    """
    return paired_bootstraps(np.asarray(differences, np.float64)[None], groups, rng=rng, confidence=confidence)[0]


def paired_bootstraps(
    differences: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    kept: ArrayLike | None = None,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> list[Interval]:
    """Return `paired_bootstrap` of each row of differences [K, N], all from the same resamples of images.

    kept: bool [K, N], the images that a row's mean is over; None: all. A row with a NaN that is kept has no bounds.
    """
    table = np.asarray(differences, np.float64)
    used = np.ones(table.shape, np.bool_) if kept is None else np.asarray(kept, np.bool_)
    above = _sum_groups(np.where(used, table, 0), groups)
    below = _sum_groups(used.astype(np.float64), groups)
    n, n_groups = used.sum(axis=1), (below > 0).sum(axis=1)
    estimates = np.divide(above.sum(axis=1), n, out=np.full(len(table), math.nan), where=n > 0)
    bounded = np.flatnonzero((n_groups > 1) & np.isfinite(estimates))
    low, high = np.full(len(table), -math.inf), np.full(len(table), math.inf)
    if bounded.size:
        low[bounded], high[bounded] = _bca(above[bounded], below[bounded], rng, confidence)
    rows = zip(estimates.tolist(), low.tolist(), high.tolist(), n.tolist(), strict=True)
    return [Interval(*row) for row in rows]


def ratio_bootstrap(
    numerators: ArrayLike,
    denominators: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> Interval:
    """Return the sum of numerators [N] over the sum of denominators [N], with its BCa bootstrap interval over images.

    BCa: Efron, Journal of the American Statistical Association 82 (1987).
    """
    above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
    if not above.size:
        return Interval(math.nan, -math.inf, math.inf, 0)
    sums = np.stack([_sum_groups(above, groups), _sum_groups(below, groups)])
    estimate = float(sums[0].sum() / sums[1].sum())
    if sums.shape[1] < 2:
        return Interval(estimate, -math.inf, math.inf, above.size)
    low, high = _bca(sums[:1], sums[1:], rng, confidence)
    return Interval(estimate, float(low[0]), float(high[0]), above.size)


def tie_set(
    scores: ArrayLike, groups: ArrayLike | None = None, *, rng: np.random.Generator, confidence: float = 0.95
) -> NDArray[np.bool_]:
    """Tell which candidates cannot be told from the best: the interval of their paired difference to it includes 0.

    scores: [K, N], higher is better, NaN where a candidate has no score of an image; the best is the one with the
    largest mean. A difference is over the images that both have; without two such groups nothing tells them apart.
    Each candidate is compared at the given confidence on its own. All False where no candidate has a score.
    """
    table = np.asarray(scores, np.float64)
    known = np.isfinite(table)
    counts = known.sum(axis=1)
    tied: NDArray[np.bool_] = counts > 0
    if not counts.any():
        return tied
    means = np.where(known, table, 0).sum(axis=1) / np.maximum(counts, 1)
    best = int(np.argmax(np.where(counts > 0, means, -np.inf)))
    both = known & known[best]
    differences = np.where(both, table - table[best], 0)
    intervals = paired_bootstraps(differences, groups, kept=both, rng=rng, confidence=confidence)
    tied &= [interval.low <= 0 <= interval.high for interval in intervals]
    return tied


def share_upper_bound(n_events: int, n: int, confidence: float = 0.975) -> float:
    """Return the one-sided upper bound of a share of which n_events in n were seen.

    Clopper and Pearson, Biometrika 26 (1934).
    """
    return 1.0 if n_events >= n else float(special.betaincinv(n_events + 1, n - n_events, confidence))


def images_for_share(observed: float, limit: float, confidence: float = 0.975) -> int | None:
    """Return the least n at which the upper bound of a share is at most the limit, if the share stays as observed.

    None where no number suffices: the observed share is not below the limit.
    """
    if observed >= limit:
        return None

    def shows(n: int) -> bool:
        return float(special.betaincinv(observed * n + 1, n * (1 - observed), confidence)) <= limit

    high = 1
    while not shows(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def images_for_mean(interval: Interval, limit: float) -> int | None:
    """Return about how many images bring the lower bound of a mean above the limit, if mean and spread stay.

    The bound's distance shrinks with the square root of n. None where no number suffices, or the spread is unknown.
    """
    if not interval.estimate > limit or not math.isfinite(interval.low):
        return None
    ratio = (interval.estimate - interval.low) / (interval.estimate - limit)
    return max(1, math.floor(interval.n * ratio**2) + 1)


def _sum_groups(values: Floats, groups: ArrayLike | None) -> Floats:
    """Sum values [..., N] over the images of each group: [..., G]."""
    if groups is None:
        return values
    labels, places = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(labels.size))
    sums: Floats = np.add.reduceat(values[..., order], starts, axis=-1)
    return sums


def _bca(above: Floats, below: Floats, rng: np.random.Generator, confidence: float) -> tuple[Floats, Floats]:
    """Return the bounds of K ratios of sums over groups, above and below: [K, G], from the same resamples."""
    estimates = above.sum(axis=1) / below.sum(axis=1)
    resampled = _resample(above, below, rng)
    n_known = np.isfinite(resampled).sum(axis=0)  # a draw may hold none of a candidate's images
    below_estimate = ((resampled < estimates).sum(axis=0) + (resampled <= estimates).sum(axis=0)) / (2 * n_known)
    bias = special.ndtri(np.clip(below_estimate, 1 / N_RESAMPLES, 1 - 1 / N_RESAMPLES))
    acceleration = _acceleration(above, below)
    bounds = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        moved = bias + special.ndtri(tail)
        levels = special.ndtr(bias + moved / (1 - acceleration * moved))
        pairs = zip(resampled.T, levels, strict=True)
        bounds.append(np.array([np.nanquantile(column, level) for column, level in pairs]))
    return bounds[0], bounds[1]


def _resample(above: Floats, below: Floats, rng: np.random.Generator) -> Floats:
    """Return K ratios in N_RESAMPLES draws of as many groups as there are: [N_RESAMPLES, K]."""
    n_groups = above.shape[1]
    n_rows = max(1, CHUNK // n_groups)
    parts = []
    for start in range(0, N_RESAMPLES, n_rows):
        rows = min(n_rows, N_RESAMPLES - start)
        drawn = rng.integers(0, n_groups, (rows, n_groups)) + n_groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n_groups).reshape(rows, n_groups).astype(np.float64)
        sizes = counts @ below.T
        parts.append((counts @ above.T) / np.where(sizes == 0, np.nan, sizes))
    return np.concatenate(parts)


def _acceleration(above: Floats, below: Floats) -> Floats:
    """Return BCa's acceleration from the ratios without each group in turn; 0 where they do not differ."""
    without = (above.sum(axis=1, keepdims=True) - above) / (below.sum(axis=1, keepdims=True) - below)
    pulls = without.mean(axis=1, keepdims=True) - without
    squares = (pulls**2).sum(axis=1)
    cubes = (pulls**3).sum(axis=1)
    return np.where(squares > 0, cubes / (6 * np.where(squares > 0, squares, 1) ** 1.5), 0.0)
