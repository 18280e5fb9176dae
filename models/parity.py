"""Bytes at parity: how many bytes files need until the four means of restored images reach those of the reference."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.names import METRIC_DIRECTIONS

Floats = NDArray[np.float64]

# How far beyond what was measured parity is sought, as a factor of bytes: a bound that we accept, no measurement.
FARTHEST = 2.0


def smallest_margin(
    means: Mapping[str, ArrayLike], reference: Mapping[str, ArrayLike], unit: Mapping[str, ArrayLike]
) -> Floats:
    """Return how far above the reference the worst metric is, in units of the distance from the reference to `unit`.

    means: metric -> [..., Q] by setting; reference and unit: metric -> [...], those of JPEG-75 and of JPEG-50 over the
    same images. All of METRIC_DIRECTIONS that means has count. Returns [..., Q]; NaN where a mean is unknown or the two
    do not differ.
    """
    margins = []
    for metric, direction in METRIC_DIRECTIONS.items():
        if metric in means:
            known, level = np.asarray(means[metric], np.float64), np.asarray(reference[metric], np.float64)[..., None]
            distance = np.abs(level - np.asarray(unit[metric], np.float64)[..., None])
            margins.append(direction * (known - level) / np.where(distance == 0, np.nan, distance))
    return np.asarray(np.min(margins, axis=0), np.float64)


def bytes_at_parity(mean_bytes: ArrayLike, margins: ArrayLike, reference_bytes: ArrayLike) -> Floats:
    """Return the mean bytes at which the margin reaches 0 and stays there, as a share of the reference's bytes.

    mean_bytes, margins: [..., Q], a point for each setting, in any order; reference_bytes: [...]. Between two points
    the margin is a line over the logarithm of bytes. Every point of more bytes must reach 0 too. Where the one of most
    bytes does not, or the one of fewest does, the line of the two points at that end is followed, at most FARTHEST
    times beyond what was measured; where it leads away from 0, to there. JPEG as it is has 1. Points without a finite
    margin are left out; NaN where none is left.
    """
    size, margin = np.broadcast_arrays(np.asarray(mean_bytes, np.float64), np.asarray(margins, np.float64))
    shape = size.shape[:-1]
    reference = np.broadcast_to(np.asarray(reference_bytes, np.float64), shape)
    flat = zip(size.reshape(-1, size.shape[-1]), margin.reshape(-1, size.shape[-1]), reference.ravel(), strict=True)
    return np.array([_share(*row) for row in flat], np.float64).reshape(shape)


def _share(size: Floats, margin: Floats, reference: float) -> float:
    known = np.isfinite(margin) & (size > 0)
    order = np.argsort(size[known], kind="stable")
    x, y = np.log(size[known][order]), margin[known][order]
    if not x.size:
        return float("nan")
    failing = np.flatnonzero(y < 0)
    reach = np.log(FARTHEST)
    if not failing.size:
        crossing = max(_crossing(x[:2], y[:2], x[0] - reach), x[0] - reach)
    elif failing[-1] == x.size - 1:
        crossing = min(_crossing(x[-2:], y[-2:], x[-1] + reach), x[-1] + reach)
    else:
        at = failing[-1]
        crossing = _crossing(x[at : at + 2], y[at : at + 2], x[at + 1])
    return float(np.exp(crossing) / reference)


def _crossing(x: Floats, y: Floats, otherwise: float) -> float:
    """Return where the line through two points is 0; otherwise, where there is one point or the line does not rise."""
    if x.size < 2 or not (y[1] > y[0] and x[1] > x[0]):
        return float(x[0]) if x.size and y[0] == 0 else otherwise
    return float(x[0] - y[0] * (x[1] - x[0]) / (y[1] - y[0]))
