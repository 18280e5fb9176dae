"""Quantisation tables of JPEG, 8 x 8 steps of luma and of chroma: the standard's, or made from a few numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError

SIDE, N_STEPS = 8, 64
SMALLEST_STEP, LARGEST_STEP = 1, 255  # of baseline JPEG, which every decoder reads
DECIMALS = 4  # of a number, so that its name says all of it
# ITU-T T.81, tables K.1 and K.2, which libjpeg scales by the quality.
LUMA_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
CHROMA_STEPS = np.full((SIDE, SIDE), 99)
CHROMA_STEPS[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

Steps = NDArray[np.int64]  # [2, 64] of 1..255: luma's and chroma's in rows

# What a search may try; a name outside of them is refused.
BOUNDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "scale": (1, 99),
        "slope": (0, 1),
        "exponent": (1, 1.5),
        "chroma_scale": (0.3, 4),
        "chroma_slope": (0, 1),
        "dc": (0.5, 1),
    }
)


@dataclass(frozen=True)
class RadialTables:
    """Tables whose steps grow with the radial frequency: scale (1 + slope r^exponent), r = sqrt(u^2 + v^2).

    Chroma's scale is chroma_scale times luma's, and its slope its own; the first step of both is dc times as large.
    Raises InputError for a number outside of BOUNDS; numbers are rounded to DECIMALS.
    """

    scale: float
    slope: float = 0
    exponent: float = 1
    chroma_scale: float = 1
    chroma_slope: float = 0
    dc: float = 1

    def __post_init__(self) -> None:
        for number in fields(self):
            _keep_bounded(self, number.name)

    def steps(self) -> Steps:
        """Return the tables: int [2, 64], clipped to 1..255."""
        radius = np.hypot(*np.mgrid[0:SIDE, 0:SIDE]) ** self.exponent
        luma = self.scale * (1 + self.slope * radius)
        chroma = self.scale * self.chroma_scale * (1 + self.chroma_slope * radius)
        tables = np.stack([luma, chroma])
        tables[:, 0, 0] *= self.dc
        return _to_steps(tables)


@dataclass(frozen=True)
class ScaledTables:
    """The standard's tables at a quality, chroma's times chroma_scale, the first step of both times dc.

    Raises InputError for a number outside of BOUNDS; numbers are rounded to DECIMALS.
    """

    quality: int
    chroma_scale: float
    dc: float = 1

    def __post_init__(self) -> None:
        check_quality(self.quality)
        for name in ("chroma_scale", "dc"):
            _keep_bounded(self, name)

    def steps(self) -> Steps:
        """Return the tables: int [2, 64], clipped to 1..255."""
        luma, chroma = standard_steps(self.quality)
        tables = np.stack([luma, chroma * self.chroma_scale])
        tables[:, 0, 0] *= self.dc
        return _to_steps(tables)


@dataclass(frozen=True)
class ExplicitTables:
    """Tables step by step, in rows: 64 steps of luma and 64 of chroma. Raises InputError where they cannot be."""

    luma: tuple[int, ...]
    chroma: tuple[int, ...]

    def __post_init__(self) -> None:
        for channel in ("luma", "chroma"):
            steps = getattr(self, channel)
            if not isinstance(steps, list | tuple) or len(steps) != N_STEPS:
                found = len(steps) if isinstance(steps, list | tuple) else type(steps).__name__
                raise InputError(f"a quantisation table has {N_STEPS} steps, got {found} for {channel}")
            wrong = [step for step in steps if not is_whole(step) or not SMALLEST_STEP <= step <= LARGEST_STEP]
            if wrong:
                raise InputError(
                    f"the steps of a quantisation table are whole numbers of {SMALLEST_STEP}..{LARGEST_STEP}, "
                    f"got {wrong[0]!r} for {channel}"
                )
            object.__setattr__(self, channel, tuple(steps))

    def steps(self) -> Steps:
        """Return the tables: int [2, 64]."""
        return np.array([self.luma, self.chroma], np.int64)


Tables = RadialTables | ScaledTables | ExplicitTables


def standard_steps(quality: int) -> NDArray[np.int64]:
    """Return the tables that libjpeg makes of the standard's for a quality of 1..100: int [2, 8, 8], luma's first."""
    percent = round(100 * standard_factor(quality))
    scaled = (np.stack([LUMA_STEPS, CHROMA_STEPS]) * percent + 50) // 100
    return scaled.clip(SMALLEST_STEP, LARGEST_STEP).astype(np.int64)


def standard_factor(quality: int) -> float:
    """Return by what libjpeg multiplies the standard's tables for a quality of 1..100, a whole number of hundredths."""
    return (5000 // quality if quality < 50 else 200 - 2 * quality) / 100


def check_quality(quality: Any) -> None:
    """Raise InputError unless a quality is a whole number of 1..100."""
    if not is_whole(quality) or not 1 <= quality <= 100:
        raise InputError(f"a quality must be a whole number of 1..100, got {quality!r}")


def is_whole(value: object) -> bool:
    """Say whether a value is a whole number, which True is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _keep_bounded(tables: RadialTables | ScaledTables, name: str) -> None:
    value: Any = getattr(tables, name)
    low, high = BOUNDS[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{name} of quantisation tables must be a number, got {value!r}")
    if not low <= round(value, DECIMALS) <= high:
        raise InputError(f"{name} of quantisation tables must be {low:g}..{high:g}, got {value:g}")
    object.__setattr__(tables, name, round(float(value), DECIMALS))


def _to_steps(tables: NDArray[np.float64]) -> Steps:
    rounded: Steps = np.rint(tables.reshape(2, N_STEPS)).clip(SMALLEST_STEP, LARGEST_STEP).astype(np.int64)
    return rounded
