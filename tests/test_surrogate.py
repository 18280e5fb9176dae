"""The surrogate: settings are drawn as a space wants them, and what is like good ones is promising."""

import math

import numpy as np
import pytest

from search.engine.surrogate import draw, sample
from search.space.space import Space
from search.space.values import LogRange

SPACE = Space("s", {"loss": ("mse", "mae"), "size": (1, 2, 3)}, sampled={"learning_rate": LogRange(1e-3, 1e-1)})


def test_settings_are_drawn_by_chance_where_they_are_not_given() -> None:
    drawn = [draw(SPACE, {"loss": "mae"}, np.random.default_rng(seed)) for seed in range(50)]
    assert {parameters["loss"] for parameters, _ in drawn} == {"mae"}
    assert {parameters["size"] for parameters, _ in drawn} == {1, 2, 3}
    places = []
    for parameters, settings in drawn:
        place = settings["learning_rate"]
        assert isinstance(place, float)
        assert parameters["learning_rate"] == pytest.approx(1e-3 * 100**place)
        places.append(place)
    assert 0 <= min(places) < 0.2 < 0.8 < max(places) <= 1


def test_given_settings_are_found_again() -> None:
    given = {"loss": "mse", "size": 2, "learning_rate": 1e-2}
    parameters, settings = draw(SPACE, given, np.random.default_rng(0))
    assert parameters == pytest.approx(given)
    assert settings == {"loss": "mse", "size": "2", "learning_rate": pytest.approx(0.5)}


def _mean(
    tried: list[dict[str, str | float]], ranks: list[float], candidates: list[dict[str, str | float]]
) -> list[float]:
    draws = [sample(tried, ranks, candidates, np.random.default_rng(seed)) for seed in range(300)]
    return [float(value) for value in np.mean(draws, axis=0)]


def test_candidates_like_good_ones_are_promising_and_unlike_ones_are_open() -> None:
    tried: list[dict[str, str | float]] = [{"loss": "mse", "rate": 0.1}, {"loss": "mae", "rate": 0.9}]
    good, bad, new = _mean(
        tried, [1.0, 2.0], [{"loss": "mse", "rate": 0.1}, {"loss": "mae", "rate": 0.9}, {"other": "x"}]
    )
    assert good < -0.3 < 0.3 < bad
    assert abs(new) < 0.15


def test_the_nearer_a_number_the_more_it_counts() -> None:
    tried: list[dict[str, str | float]] = [{"rate": 0.2}, {"rate": 1.0}]
    near, far = _mean(tried, [1.0, 2.0], [{"rate": 0.3}, {"rate": 0.5}])
    assert near < far < 0.05


def test_only_the_order_of_what_was_shown_counts() -> None:
    tried: list[dict[str, str | float]] = [{"loss": "mse"}, {"loss": "mae"}, {"loss": "hf"}]
    candidates: list[dict[str, str | float]] = [{"loss": "mse"}]
    few, many = (
        sample(tried, ranks, candidates, np.random.default_rng(0)) for ranks in ([1.0, 2.0, 3.0], [0.1, 5.0, math.inf])
    )
    assert few == many


def test_the_same_seed_draws_the_same() -> None:
    tried: list[dict[str, str | float]] = [{"loss": "mse"}, {"loss": "mae"}]
    once, again, other = (sample(tried, [1, 2], tried, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
