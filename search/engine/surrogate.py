"""What untried settings promise: a Gaussian process over those that were tried, sampled at candidates."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.space.space import Space

LENGTH = 0.3  # of a number's range, over which its effect changes
POWER = 2  # of the kernel: 1 would add up the effects of single values, 2 those of pairs too
SPREAD = 0.5  # of what is drawn, where 1 would be the posterior's: to look less far for so few trials
NOISE = 0.2  # variance between trainings of the same settings, where that over all settings is 1
JITTER = 1e-6  # that keeps rounding from making a variance negative

Settings = Mapping[str, str | float]  # name -> a choice, or the place of a number in its range, 0 to 1
Floats = NDArray[np.float64]


class Draw:
    """Stands where a space wants a trial of Optuna: draws by chance what is not given, and keeps the settings."""

    def __init__(self, given: Mapping[str, Any], rng: np.random.Generator) -> None:
        self.given, self.rng, self.settings = given, rng, dict[str, str | float]()

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        value = self.given[name] if name in self.given else choices[int(self.rng.integers(len(choices)))]
        self.settings[name] = str(value)
        return value

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        start, end = (float(np.log(low)), float(np.log(high))) if log else (low, high)
        if name in self.given:
            value = float(self.given[name])
            place = ((np.log(value) if log else value) - start) / (end - start)
        else:
            place = self.rng.random()
            value = start + place * (end - start)
            value = float(np.exp(value)) if log else value
        self.settings[name] = float(place)
        return value


def draw(space: Space, given: Mapping[str, Any], rng: np.random.Generator) -> tuple[dict[str, Any], Settings]:
    """Return parameters of a space, by chance where they are not given, and their settings."""
    one = Draw(given, rng)
    return space.suggest(one), one.settings


def sample(
    tried: Sequence[Settings], ranks: Sequence[Any], candidates: Sequence[Settings], rng: np.random.Generator
) -> Floats:
    """Return a draw from the posterior at each candidate (Thompson sampling), lower is better.

    ranks: of the tried ones, the least is the best; they count as the normal scores of their order.
    """
    n = len(tried)
    covariance = _kernel([*tried, *candidates])
    known = covariance[:n, :n] + NOISE * np.eye(n)
    gain = np.linalg.solve(known, covariance[:n, n:]).T
    spread = covariance[n:, n:] - gain @ covariance[:n, n:]
    root = np.linalg.cholesky(spread + JITTER * np.eye(len(candidates)))
    drawn = root @ rng.standard_normal(len(candidates))
    return np.asarray(gain @ _normal_scores(ranks) + SPREAD * drawn, np.float64)


def _normal_scores(ranks: Sequence[Any]) -> Floats:
    """Return what a normal distribution has at the place of each rank; equal ranks share one."""
    ordered = sorted(ranks)
    places = [(bisect_left(ordered, rank) + bisect_right(ordered, rank)) / 2 / len(ordered) for rank in ranks]
    return np.array([NormalDist().inv_cdf(place) for place in places])


def _kernel(settings: Sequence[Settings]) -> Floats:
    """Return how alike settings are, 1 of the same: the share of values that they have in common, to a power."""
    alike = np.zeros((len(settings), len(settings)))
    for name in sorted({name for each in settings for name in each}):
        values = [each.get(name) for each in settings]
        choices = list(dict.fromkeys(values))
        is_number = any(isinstance(value, float) for value in values)
        numbers = [np.nan if value is None else value if is_number else choices.index(value) for value in values]
        apart = np.subtract.outer(numbers, numbers)
        match = np.exp(-0.5 * (apart / LENGTH) ** 2) if is_number else apart == 0
        alike += np.where(np.isnan(apart), 0.0, match)
    size = np.sqrt(np.diag(alike))
    return np.asarray((alike / np.outer(size, size)) ** POWER, np.float64)
