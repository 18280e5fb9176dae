"""Means, standard deviations and 95 % intervals of many cells at once; `analysis.statistics` has them of one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Places = NDArray[np.integer[Any]]

LEVEL = 0.975  # of either side of a 95 % interval


@dataclass(frozen=True)
class Cells:
    """Which of n cells each of N values belongs to, and which cluster: images that belong together within a cell.

    place: int [N]; cluster: int [N], no cluster in two cells; None: every value is a cluster of its own.
    """

    n: int
    place: Places
    cluster: Places | None = None

    def of(self, kept: NDArray[np.bool_]) -> "Cells":
        """Return the cells of the values that are kept; a cell may become empty."""
        return Cells(self.n, self.place[kept], None if self.cluster is None else self.cluster[kept])

    def count(self, values: NDArray[np.bool_] | None = None) -> Places:
        """Count the values of each cell, or those that are true."""
        return np.bincount(self.place if values is None else self.place[values], minlength=self.n)

    def mean(self, values: Floats) -> Floats:
        """Return the mean of each cell; NaN where it is empty or holds a NaN."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.bincount(self.place, weights=values, minlength=self.n) / self.count())


@dataclass(frozen=True)
class Moments:
    """What values tell of each of n cells; sd, low and high are NaN where a cell has a single value or cluster."""

    n: Places
    mean: Floats
    sd: Floats
    low: Floats
    high: Floats


def moments(values: Floats, cells: Cells) -> Moments:
    """Return mean, standard deviation and the mean's t interval of values [N] in each cell.

    With clusters the variance of the mean is cluster-robust, as `analysis.statistics.mean_interval` has it.
    """
    count, mean = cells.count(), cells.mean(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        residuals = values - mean[cells.place]
        squares = np.bincount(cells.place, weights=residuals**2, minlength=cells.n)
        sd = np.sqrt(squares / np.where(count > 1, count - 1, np.nan))
        n_clusters, spread = (count, squares) if cells.cluster is None else _clustered(residuals, cells, cells.cluster)
        more = np.where(n_clusters > 1, n_clusters, np.nan)
        reach = np.sqrt(more / (more - 1) * spread) / count * special.stdtrit(more - 1, LEVEL)
    return Moments(count, mean, sd, mean - reach, mean + reach)


def _clustered(residuals: Floats, cells: Cells, clusters: Places) -> tuple[Places, Floats]:
    """Return the number of clusters of each cell, and the sum over them of the squared sum of residuals."""
    _, first, cluster = np.unique(clusters, return_index=True, return_inverse=True)
    owner = cells.place[first]
    sums = np.bincount(cluster, weights=residuals, minlength=owner.size)
    n_clusters = np.asarray(np.bincount(owner, minlength=cells.n), np.int64)
    return n_clusters, np.asarray(np.bincount(owner, weights=sums**2, minlength=cells.n), np.float64)
