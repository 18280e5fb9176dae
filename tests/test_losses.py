"""Losses: values by hand, a number per image, and gradients that can train."""

import math
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import convolve2d

from models.losses import LOSSES, Loss, make_loss, perceptual, vgg16_features
from models.names import METRICS, WEIGHTED_LOSSES

# Two images of 2 x 2 pixels and one channel; errors 0, 0.1, -0.3, 0.2 and 0.5 everywhere.
ORIGINAL = np.array([[0.2, 0.3, 0.6, 0.4], [0.0, 0.0, 0.0, 0.0]], np.float32).reshape(2, 2, 2, 1)
RESTORED = np.array([[0.2, 0.4, 0.3, 0.6], [0.5, 0.5, 0.5, 0.5]], np.float32).reshape(2, 2, 2, 1)
BY_HAND = {"mae": (0.15, 0.5), "mse": (0.035, 0.25)}  # hf needs 7 px


@cache
def _loss(name: str) -> Loss:
    return make_loss(name)  # VGG16 with random weights


def _values(loss: str, original: NDArray[np.float32], restored: NDArray[np.float32]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = keras.ops.convert_to_numpy(_loss(loss)(original, restored))
    return values


@pytest.mark.parametrize("loss", BY_HAND)
def test_a_loss_has_the_value_reckoned_by_hand_for_each_image(loss: str) -> None:
    np.testing.assert_allclose(_values(loss, ORIGINAL, RESTORED), BY_HAND[loss], rtol=1e-6)


# Of identical images, where that is not zero: Charbonnier's floor of 0.001 times 20; log 1e-7 and log 1e-4.
LEAST = {"psnr-ssim": math.log(1e-7) + math.log(1e-4)}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_of_identical_images_is_the_least_there_is(loss: str) -> None:
    images = np.random.default_rng(0).random((3, 32, 33, 3), np.float32)
    values = _values(loss, images, images.copy())
    if loss in WEIGHTED_LOSSES:  # SSIM of identical images is 1 but for rounding
        np.testing.assert_allclose(values, LEAST.get(loss, 0), atol=5e-3 if loss in LEAST else 1e-5)
    else:
        np.testing.assert_array_equal(values, np.zeros(3))
    other = np.clip(images + np.float32(0.01), 0, 1)
    assert np.all(_values(loss, images, other) > values)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_images=st.integers(1, 4))
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_above_its_least_and_of_each_image_alone(loss: str, seed: int, n_images: int) -> None:
    rng = np.random.default_rng(seed)
    original, restored = (rng.random((n_images, 32, 32, 3), np.float32) for _ in range(2))
    values = _values(loss, original, restored)
    assert values.shape == (n_images,)
    assert np.all(values > LEAST.get(loss, 0))
    alone = [_values(loss, original[i : i + 1], restored[i : i + 1])[0] for i in range(n_images)]
    np.testing.assert_allclose(values, alone, rtol=1e-4)


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


@pytest.mark.parametrize("loss", [*BY_HAND, "hf"])  # VGG16 with random weights may see it otherwise
def test_a_larger_error_is_a_larger_loss(loss: str) -> None:
    original = np.full((1, 32, 32, 3), 0.5, np.float32)
    values = [float(_values(loss, original, original + np.float32(error))[0]) for error in (0, 0.01, 0.1, -0.2)]
    assert values == sorted(values)
    assert len(set(values)) == 4


def test_a_loss_that_is_a_metric_too_bears_the_same_name() -> None:
    assert {"mae", "mse"} <= set(LOSSES) & set(METRICS)


def test_every_loss_is_checked_against_values_from_elsewhere() -> None:
    assert set(LOSSES) == {*BY_HAND, "hf", "perceptual", *WEIGHTED_LOSSES}


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


def _vgg16_by_hand(features: keras.Model, image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what VGG16 makes of an image [H, W, 3] in [0, 1]: convolutions by scipy, ReLU, the largest of 2 x 2."""
    maps = 255.0 * image[..., ::-1].astype(float) - np.array([103.939, 116.779, 123.68])  # Keras' preprocess_input
    for layer in features.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel, bias = (np.asarray(weights, float) for weights in layer.get_weights())
            padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
            maps = np.maximum(np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True) + bias, 0)
        elif isinstance(layer, keras.layers.MaxPooling2D):
            height, width, channels = maps.shape
            maps = maps.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    return maps


def test_the_perceptual_loss_is_that_of_vgg16_computed_by_numpy() -> None:
    features = vgg16_features(None)
    rng = np.random.default_rng(0)
    original, restored = (rng.random((2, 32, 64, 3), np.float32) for _ in range(2))
    expected = [
        0.9 * np.abs(_vgg16_by_hand(features, y) - _vgg16_by_hand(features, y_hat)).mean()
        + 0.1 * np.abs(y - y_hat).mean()
        for y, y_hat in zip(original, restored, strict=True)
    ]
    values = keras.ops.convert_to_numpy(perceptual(features)(original, restored))
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_vgg16_ends_in_maps_of_6_x_6_x_512_for_the_crop_of_the_thesis_and_is_not_trained() -> None:
    features = vgg16_features(None)
    assert features.compute_output_shape((1, 192, 192, 3)) == (1, 6, 6, 512)
    assert features.trainable_variables == []


def test_weights_of_vgg16_come_from_their_file(tmp_path: Path) -> None:
    vgg16 = keras.applications.VGG16(include_top=False, weights=None)
    vgg16.save_weights(tmp_path / "vgg16.weights.h5")
    loaded = vgg16_features(tmp_path / "vgg16.weights.h5")
    for one, other in zip(loaded.get_weights(), vgg16.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
