"""Spaces: countable cells, balanced from the first on, and the same to Optuna."""

from collections import Counter
from dataclasses import replace

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.names import ARCHITECTURES, LOSSES
from search.spaces import SPACES, Space, find_space

FULL = SPACES["full"]


def test_the_full_space_has_every_network_loss_quality_and_activation_once() -> None:
    cells = FULL.cells()
    assert len(cells) == len(set(cells)) == (len(ARCHITECTURES) - 1) * len(LOSSES) * 4 * 2


@pytest.mark.parametrize("axis", ["architecture", "loss"])
@pytest.mark.parametrize("n", range(8, 64))
def test_any_prefix_of_the_full_space_covers_networks_and_losses_evenly(axis: str, n: int) -> None:
    place = list(FULL.axes).index(axis)
    counts = Counter(cell[place] for cell in FULL.cells()[:n])
    assert len(counts) == len(FULL.axes[axis])
    assert max(counts.values()) - min(counts.values()) <= 1


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=1), st.integers(1, 4), min_size=1, max_size=4))
def test_cells_are_the_product_of_the_axes_and_every_value_comes_up_before_any_comes_up_often(
    sizes: dict[str, int],
) -> None:
    space = Space("any", {axis: tuple(range(size)) for axis, size in sizes.items()})
    cells = space.cells()
    assert len(set(cells)) == len(cells)
    largest = max(sizes.values())
    for place, size in enumerate(sizes.values()):
        assert {cell[place] for cell in cells[:largest]} == set(range(size))


def test_the_first_parameters_of_a_cell_are_what_optuna_would_draw() -> None:
    for parameters in FULL.first_parameters():
        assert FULL.suggest(optuna.trial.FixedTrial(parameters)) == parameters


def test_a_space_is_narrowed_to_the_values_asked_for_in_its_own_order() -> None:
    narrowed = FULL.narrowed("training_quality", [25, "random"]).narrowed("loss", None)
    assert narrowed.axes["training_quality"] == ("random", 25)
    assert narrowed.axes["loss"] == FULL.axes["loss"]


def test_narrowing_to_an_unknown_value_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown loss 'l3' in space full; known: mse, mae, hf"):
        FULL.narrowed("loss", ["mse", "l3"])


def test_an_unknown_space_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown space 'fulll'; known: full, smoke"):
        find_space("fulll")


def test_without_learning_rates_a_space_samples_its_axes_alone() -> None:
    assert set(replace(FULL, learning_rates=None).first_parameters()[0]) == set(FULL.axes)
