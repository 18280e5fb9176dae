"""Metrics: values by hand, and PSNR and SSIM as scikit-image and TensorFlow compute them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.smear import draw_smear
from models.metrics import METRICS, measure
from models.names import METRIC_DIRECTIONS

Images = NDArray[np.float32]
BT601 = np.array([0.299, 0.587, 0.114])
BEST = {"mae": 0.0, "mse": 0.0, "psnr_db": np.inf, "ssim": 1.0, "worst_window_psnr_db": np.inf}
BETTER = {**METRIC_DIRECTIONS, "worst_window_psnr_db": 1}
QUALITIES = (5, 25, 75, 95)


@pytest.fixture(scope="module")
def original() -> Images:
    """Return crops of two smears and one of noise, the sides odd and unequal: [3, 75, 48, 3]."""
    rng = np.random.default_rng(0)
    smears = [draw_smear(system, rng)[140:215, 150:198] for system in ("white", "green")]
    return np.divide([*smears, rng.integers(0, 256, smears[0].shape)], 255, dtype=np.float32)


def _jpeg(images: Images, quality: int) -> Images:
    pixels = [decode_jpeg(encode_jpeg(np.rint(image * 255).astype(np.uint8), quality)) for image in images]
    return np.divide(pixels, 255, dtype=np.float32)


def _outside_ssim(original: Images, restored: Images) -> float:
    """Return scikit-image's SSIM of two grey images [H, W, 3], over the windows that lie within the image."""
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        original.astype(np.float64) @ BT601,
        restored.astype(np.float64) @ BT601,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    return float(similarity[5:-5, 5:-5].mean())


@pytest.mark.parametrize("quality", QUALITIES)
def test_psnr_is_that_of_scikit_image(original: Images, quality: int) -> None:
    restored = _jpeg(original, quality)
    expected = [
        peak_signal_noise_ratio(*pair, data_range=1.0)  # type: ignore[no-untyped-call]
        for pair in zip(original, restored, strict=True)
    ]
    np.testing.assert_allclose(measure(original, restored)["psnr_db"], expected, atol=1e-4)


@pytest.mark.parametrize("quality", QUALITIES)
def test_ssim_is_that_of_scikit_image_on_grey_with_gaussian_windows(original: Images, quality: int) -> None:
    restored = _jpeg(original, quality)
    expected = [_outside_ssim(*pair) for pair in zip(original, restored, strict=True)]
    np.testing.assert_allclose(measure(original, restored)["ssim"], expected, atol=1e-4)


@pytest.mark.parametrize("quality", QUALITIES)
def test_ssim_is_that_of_tensorflow_on_grey(original: Images, quality: int) -> None:
    tf = pytest.importorskip("tensorflow")
    restored = _jpeg(original, quality)
    grey = [(images.astype(np.float64) @ BT601).astype(np.float32)[..., None] for images in (original, restored)]
    expected = tf.image.ssim(*grey, max_val=1.0).numpy()
    np.testing.assert_allclose(measure(original, restored)["ssim"], expected, atol=1e-4)


def test_scores_of_unclipped_floats_agree_with_scikit_image_too(original: Images) -> None:
    noise = np.random.default_rng(1).normal(0, 0.3, original.shape).astype(np.float32)
    restored = original + noise
    assert restored.min() < 0
    assert restored.max() > 1
    expected = [_outside_ssim(*pair) for pair in zip(original, restored, strict=True)]
    np.testing.assert_allclose(measure(original, restored)["ssim"], expected, atol=1e-4)


def test_values_by_hand_of_one_changed_number() -> None:
    original = np.zeros((1, 16, 16, 3), np.float32)
    restored = original.copy()
    restored[0, 3, 4, 1] = 0.1
    scores = measure(original, restored)
    assert scores["mae"][0] == pytest.approx(0.1 / 768)
    assert scores["mse"][0] == pytest.approx(0.01 / 768)
    assert scores["psnr_db"][0] == pytest.approx(10 * np.log10(768 / 0.01))


def test_ssim_by_hand_of_two_flat_images() -> None:
    dark, bright = (np.full((1, 16, 16, 3), value, np.float32) for value in (0.2, 0.6))
    luminance = (2 * 0.2 * 0.6 + 0.01**2) / (0.2**2 + 0.6**2 + 0.01**2)  # no contrast: the other factor is 1
    assert measure(dark, bright)["ssim"][0] == pytest.approx(luminance, abs=1e-5)


def test_psnr_is_not_capped() -> None:
    original = np.zeros((1, 192, 192, 3), np.float32)
    restored = original.copy()
    restored[0, 0, 0, 0] = 1e-4
    assert measure(original, restored)["psnr_db"][0] == pytest.approx(80 + 10 * np.log10(192 * 192 * 3), abs=1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_identical_images_have_the_best_score_there_is(original: Images, metric: str) -> None:
    scores = measure(original, original.copy())[metric]
    if np.isfinite(BEST[metric]):
        np.testing.assert_allclose(scores, BEST[metric], atol=1e-6)
    else:
        np.testing.assert_array_equal(scores, BEST[metric])


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_falls_or_rises_with_the_quality_as_its_direction_says(original: Images, metric: str) -> None:
    smears = original[:2]
    scores = [BETTER[metric] * measure(smears, _jpeg(smears, quality))[metric] for quality in QUALITIES]
    assert np.all(np.diff(scores, axis=0) > 0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), strength=st.floats(0.01, 1))
@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_of_each_image_alone_and_the_same_both_ways(metric: str, seed: int, strength: float) -> None:
    rng = np.random.default_rng(seed)
    original = rng.random((2, 16, 19, 3), np.float32)
    restored = (original + strength * rng.standard_normal(original.shape)).astype(np.float32)
    scores = measure(original, restored)[metric]
    assert scores.shape == (2,)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, measure(restored, original)[metric], rtol=1e-4, atol=1e-5)
    alone = [measure(original[i : i + 1], restored[i : i + 1])[metric][0] for i in range(2)]
    np.testing.assert_allclose(scores, alone, rtol=1e-4, atol=1e-5)


def test_what_is_not_a_number_stays_visible_in_every_metric() -> None:
    original = np.zeros((1, 16, 16, 3), np.float32)
    assert all(np.isnan(values).all() for values in measure(original, original * np.float32(np.nan)).values())


@pytest.mark.parametrize("metric", METRICS)
def test_images_of_different_shapes_are_refused(metric: str) -> None:
    with pytest.raises(ValueError, match=r"both batches must be \[B, H, W, C\] of one shape, got .+ and .+"):
        METRICS[metric](np.zeros((2, 16, 16, 3), np.float32), np.zeros((2, 16, 17, 3), np.float32))


def test_the_worst_window_is_the_worst_of_all_windows_of_32_px(original: Images) -> None:
    restored = _jpeg(original, 25)
    errors = np.mean((original.astype(float) - restored) ** 2, axis=-1)
    windows = np.lib.stride_tricks.sliding_window_view(errors, (32, 32), axis=(1, 2)).mean(axis=(3, 4))
    expected = -10 * np.log10(windows.max(axis=(1, 2)))
    np.testing.assert_allclose(measure(original, restored)["worst_window_psnr_db"], expected, atol=1e-4)


def test_where_an_image_is_smaller_than_a_window_the_worst_is_the_whole(original: Images) -> None:
    small = original[:, :20, :30]
    scores = measure(small, _jpeg(original, 25)[:, :20, :30])
    np.testing.assert_allclose(scores["worst_window_psnr_db"], scores["psnr_db"], atol=1e-4)
