"""Losses: values by hand, a number per image, and gradients that can train."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import convolve2d

from models.losses import LOSSES
from models.names import METRICS

# Two images of 2 x 2 pixels and one channel; errors 0, 0.1, -0.3, 0.2 and 0.5 everywhere.
ORIGINAL = np.array([[0.2, 0.3, 0.6, 0.4], [0.0, 0.0, 0.0, 0.0]], np.float32).reshape(2, 2, 2, 1)
RESTORED = np.array([[0.2, 0.4, 0.3, 0.6], [0.5, 0.5, 0.5, 0.5]], np.float32).reshape(2, 2, 2, 1)
BY_HAND = {"mae": (0.15, 0.5), "mse": (0.035, 0.25)}  # hf needs 7 px


def _values(loss: str, original: NDArray[np.float32], restored: NDArray[np.float32]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = keras.ops.convert_to_numpy(LOSSES[loss](original, restored))
    return values


@pytest.mark.parametrize("loss", BY_HAND)
def test_a_loss_has_the_value_reckoned_by_hand_for_each_image(loss: str) -> None:
    np.testing.assert_allclose(_values(loss, ORIGINAL, RESTORED), BY_HAND[loss], rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_of_identical_images_is_zero(loss: str) -> None:
    images = np.random.default_rng(0).random((3, 16, 17, 3), np.float32)
    np.testing.assert_array_equal(_values(loss, images, images.copy()), np.zeros(3))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_images=st.integers(1, 4))
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_positive_and_of_each_image_alone(loss: str, seed: int, n_images: int) -> None:
    rng = np.random.default_rng(seed)
    original, restored = (rng.random((n_images, 16, 16, 3), np.float32) for _ in range(2))
    values = _values(loss, original, restored)
    assert values.shape == (n_images,)
    assert np.all(values > 0)
    alone = [_values(loss, original[i : i + 1], restored[i : i + 1])[0] for i in range(n_images)]
    np.testing.assert_allclose(values, alone, rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("original", "restored"),
    [
        ((2, 4, 4, 3), (2, 4, 5, 3)),
        ((2, 4, 4, 3), (2, 4, 4, 1)),
        ((1, 4, 4, 3), (2, 4, 4, 3)),
        ((4, 4, 3), (4, 4, 3)),
    ],
)
def test_batches_of_different_shapes_are_refused(
    loss: str, original: tuple[int, ...], restored: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"both batches must be \[B, H, W, C\] of one shape, got \(.+\) and \(.+\)"):
        _values(loss, np.zeros(original, np.float32), np.zeros(restored, np.float32))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_larger_error_is_a_larger_loss(loss: str) -> None:
    original = np.full((1, 16, 16, 3), 0.5, np.float32)
    values = [float(_values(loss, original, original + np.float32(error))[0]) for error in (0, 0.01, 0.1, -0.2)]
    assert values == sorted(values)
    assert len(set(values)) == 4


def test_a_loss_that_is_a_metric_too_bears_the_same_name() -> None:
    assert {"mae", "mse"} <= set(LOSSES) & set(METRICS)


def test_every_loss_is_checked_against_values_from_elsewhere() -> None:
    assert set(LOSSES) == {*BY_HAND, "hf"}


def test_hf_of_a_flat_error_is_the_little_mae_alone() -> None:
    original = np.full((1, 16, 16, 3), 0.5, np.float32)
    np.testing.assert_allclose(_values("hf", original, original + np.float32(0.1)), 0.01 * 0.1, rtol=1e-3)


def test_hf_agrees_with_a_gaussian_convolution_by_scipy() -> None:
    rng = np.random.default_rng(0)
    original, restored = (rng.random((2, 20, 17, 3), np.float32) for _ in range(2))
    offsets = np.arange(7) - 3
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 3.0**2))
    kernel /= kernel.sum()
    expected = []
    for error in (original - restored).astype(float):
        blurred = np.stack([convolve2d(error[..., channel], kernel, mode="valid") for channel in range(3)], axis=-1)
        expected.append(0.99 * np.abs(error[3:-3, 3:-3] - blurred).mean() + 0.01 * np.abs(error).mean())
    np.testing.assert_allclose(_values("hf", original, restored), expected, rtol=1e-5)
