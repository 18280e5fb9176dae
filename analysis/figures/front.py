"""The front of two aims: what none beats in both."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def on_front(costs: ArrayLike, qualities: ArrayLike) -> NDArray[np.bool_]:
    """Tell which of N have no other that costs at most as much and is at least as good, one of the two being better.

    What has no finite cost or quality is on no front, and keeps none off it.
    """
    cost, quality = np.asarray(costs, np.float64), np.asarray(qualities, np.float64)
    known: NDArray[np.bool_] = np.isfinite(cost) & np.isfinite(quality)
    as_good: NDArray[Any] = (cost <= cost[:, None]) & (quality >= quality[:, None]) & known
    beaten = as_good & ((cost < cost[:, None]) | (quality > quality[:, None]))
    return known & ~beaten.any(axis=1)
