"""Losses with a part of SSIM: against numpy and scikit-image's SSIM, and what their weight and scale mean."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.losses import LossOptions, make_loss
from models.names import WEIGHTED_LOSSES

Image = NDArray[np.float64]


def _ssim(original: Image, restored: Image) -> float:
    """Return scikit-image's SSIM of grey images with the window of Wang et al., without the borders."""
    metrics = pytest.importorskip("skimage.metrics")
    grey = np.array([0.299, 0.587, 0.114])
    _, whole = metrics.structural_similarity(
        original @ grey,
        restored @ grey,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return float(whole[5:-5, 5:-5].mean())


def _mse(error: Image) -> float:
    return float(np.square(error).mean())


def _psnr(error: Image) -> float:
    return float(np.log(_mse(error) + 1e-7))


EXPECTED: dict[str, Callable[[Image, float, float], float]] = {  # error, 1 - SSIM, weight
    "mse-ssim": lambda error, structure, weight: 1000 * _mse(error) + 5 * weight * structure,
    "psnr-ssim": lambda error, structure, weight: _psnr(error) + weight * np.log(structure + 1e-4),
}


def _images(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return two images of blots and the same ones with a little noise, of different strengths."""
    rng = np.random.default_rng(seed)
    original = rng.random((2, 6, 5, 3)).repeat(5, axis=1).repeat(5, axis=2)
    noise = rng.normal(0, 1, original.shape) * np.array([0.01, 0.05]).reshape(2, 1, 1, 1)
    return original.astype(np.float32), (original + noise).astype(np.float32)


def _values(name: str, ssim_weight: float | None, *images: NDArray[np.float32]) -> NDArray[np.float32]:
    loss = make_loss(name, LossOptions(ssim_weight=ssim_weight))
    values: NDArray[np.float32] = keras.ops.convert_to_numpy(loss(*images))
    return values


def test_every_loss_with_a_weight_is_checked_here() -> None:
    assert set(EXPECTED) == set(WEIGHTED_LOSSES)


@pytest.mark.parametrize("ssim_weight", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", WEIGHTED_LOSSES)
def test_a_loss_with_ssim_agrees_with_numpy_and_scikit_image(name: str, ssim_weight: float) -> None:
    original, restored = _images()
    pairs = [(y.astype(float), y_hat.astype(float)) for y, y_hat in zip(original, restored, strict=True)]
    expected = [EXPECTED[name](y - y_hat, 1 - _ssim(y, y_hat), ssim_weight) for y, y_hat in pairs]
    np.testing.assert_allclose(_values(name, ssim_weight, original, restored), expected, rtol=1e-3)


@pytest.mark.parametrize("name", WEIGHTED_LOSSES)
def test_without_a_weight_that_of_ssim_is_1(name: str) -> None:
    images = _images()
    np.testing.assert_array_equal(_values(name, None, *images), _values(name, 1.0, *images))
    assert np.all(_values(name, 2.0, *images) != _values(name, 1.0, *images))


def test_in_psnr_ssim_halving_an_error_counts_the_same_whatever_its_size() -> None:
    original = np.random.default_rng(0).random((1, 24, 24, 3)).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 1, original.shape).astype(np.float32)
    steps = []
    for size in (0.2, 0.02):
        halved, whole = (
            _values("psnr-ssim", 1e-9, original, original + np.float32(part) * noise)[0] for part in (size / 2, size)
        )
        steps.append(float(whole - halved))
    assert steps == pytest.approx([np.log(4)] * 2, rel=1e-2)


def test_an_unknown_loss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown loss 'l3'; known: mae, mse, hf, perceptual, mse-ssim, "):
        make_loss("l3")
