"""The monitored value: its zero, its sign, the smallest of four by hand, and none where it cannot be reckoned."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.encoders.family import find_family
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.packed import PackedDataset, open_pack
from datasets.sampling import deal_images
from datasets.smear import draw_smear
from datasets.tables import tables_of_quality
from models.build import build_model
from models.metrics import measure
from models.names import METRICS
from search.space.scale import SCORED_QUALITIES, Protocol
from search.trial import monitor as monitor_module
from search.trial.monitor import Monitor, Scores, read_monitor

SIZE_PX = 48
SIZES = {25: 1000.0, 50: 1500.0, 75: 2000.0}  # mean bytes of a file
TOLD = {quality: tables_of_quality(quality) for quality in SIZES}
Pixels = dict[int, NDArray[np.uint8]]


def _unit(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.divide(pixels, 255, dtype=np.float32)


def _monitor(originals: NDArray[np.uint8], degraded: Pixels) -> Monitor:
    scores = {quality: measure(_unit(originals), _unit(pixels)) for quality, pixels in degraded.items()}
    return Monitor(_unit(originals), degraded, scores, SIZES, TOLD, scores, SIZES[75])


@pytest.fixture(scope="module")
def originals() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    return np.stack(
        [draw_smear(system, rng)[140 : 140 + SIZE_PX, 150 : 150 + SIZE_PX] for system in ("white", "green")]
    )


@pytest.fixture(scope="module")
def degraded(originals: NDArray[np.uint8]) -> Pixels:
    return {
        quality: np.stack([decode_jpeg(encode_jpeg(image, quality)) for image in originals])
        for quality in SCORED_QUALITIES
    }


def _scores(**means: float) -> dict[str, NDArray[np.float64]]:
    """Return scores of two images with these means."""
    return {metric: np.array([0.9, 1.1]) * means[metric] for metric in METRICS}


# From JPEG-75 to JPEG-50: MAE +0.002, MSE +0.0001, PSNR -2 dB, SSIM -0.01.
INPUT_SCORES: Scores = {
    75: _scores(mae=0.007, mse=0.0001, psnr_db=40, ssim=0.985),
    50: _scores(mae=0.009, mse=0.0002, psnr_db=38, ssim=0.975),
    25: _scores(mae=0.012, mse=0.0003, psnr_db=36, ssim=0.960),
}


def _margin(monkeypatch: pytest.MonkeyPatch, restored: Scores, inputs: Scores = INPUT_SCORES) -> float | None:
    """Return the margin when restored images score so, whatever they are."""
    nothing = {quality: np.zeros((2, 16, 16, 3), np.uint8) for quality in SCORED_QUALITIES}
    monkeypatch.setattr(monitor_module, "_score", lambda originals, images: restored)
    originals = np.zeros((2, 16, 16, 3), np.float32)
    return Monitor(originals, nothing, inputs, SIZES, TOLD, inputs, SIZES[75]).compare(nothing).margin


def test_the_margin_is_zero_when_every_restored_image_is_the_jpeg_of_quality_75(
    originals: NDArray[np.uint8], degraded: Pixels
) -> None:
    reading = _monitor(originals, degraded).compare(dict.fromkeys(SCORED_QUALITIES, degraded[75]))
    assert reading.margin == pytest.approx(0, abs=1e-9)


def test_jpeg_as_it_is_needs_its_own_bytes(originals: NDArray[np.uint8], degraded: Pixels) -> None:
    assert _monitor(originals, degraded).compare(degraded).bytes_at_parity == pytest.approx(1)


def test_bytes_at_parity_lie_where_the_smallest_margin_crosses_zero_over_the_logarithm_of_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = {"mae": 0.001, "mse": 0.00001, "psnr_db": 44.0}
    restored = {25: _scores(**good, ssim=0.975), 50: _scores(**good, ssim=0.995), 75: _scores(**good, ssim=0.999)}
    nothing = {quality: np.zeros((2, 16, 16, 3), np.uint8) for quality in SCORED_QUALITIES}
    monkeypatch.setattr(monitor_module, "_score", lambda originals, images: restored)
    originals = np.zeros((2, 16, 16, 3), np.float32)
    reading = Monitor(originals, nothing, INPUT_SCORES, SIZES, TOLD, INPUT_SCORES, SIZES[75]).compare(nothing)
    # SSIM is 1 under JPEG-75 at quality 25 and 1 above it at 50, where MSE is 0.9 above it
    assert reading.bytes_at_parity == pytest.approx(1000 * 1.5 ** (1 / 1.9) / 2000)


def test_the_margin_of_jpeg_as_it_is_is_negative_and_its_gain_and_change_are_zero(
    originals: NDArray[np.uint8], degraded: Pixels
) -> None:
    reading = _monitor(originals, degraded).compare(degraded)
    assert reading.margin is not None
    assert reading.margin < -0.5
    assert (reading.psnr_gain_db, reading.largest_change) == (0, 0)


def test_the_margin_is_minus_one_when_every_restored_image_is_the_jpeg_of_quality_50(
    originals: NDArray[np.uint8], degraded: Pixels
) -> None:
    reading = _monitor(originals, degraded).compare(dict.fromkeys(SCORED_QUALITIES, degraded[50]))
    assert reading.margin == pytest.approx(-1, abs=1e-9)


def test_almost_perfect_images_have_a_positive_margin(originals: NDArray[np.uint8], degraded: Pixels) -> None:
    perfect = originals.copy()
    perfect[0, 0, 0, 0] ^= 1  # without an error, every PSNR would be infinite
    reading = _monitor(originals, degraded).compare(dict.fromkeys(SCORED_QUALITIES, perfect))
    assert reading.margin is not None
    assert reading.margin > 0


def test_identity_reads_as_jpeg_as_it_is(originals: NDArray[np.uint8], degraded: Pixels) -> None:
    monitor = _monitor(originals, degraded)
    assert monitor.read(build_model("identity")) == monitor.compare(degraded)


def test_a_model_is_read_through_8_bits(originals: NDArray[np.uint8], degraded: Pixels) -> None:
    images = keras.Input((None, None, 3))
    model = keras.Model(images, images * 0 + 1.5)  # clipped to white
    monitor = _monitor(originals, degraded)
    white = {quality: np.full_like(pixels, 255) for quality, pixels in degraded.items()}
    assert monitor.read(model) == monitor.compare(white)


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ({"mae": 0.006, "mse": 0.00005, "psnr_db": 41.0, "ssim": 0.986}, 0.1),  # 0.5, 0.5, 0.5, 0.1
        ({"mae": 0.006, "mse": 0.00005, "psnr_db": 40.1, "ssim": 0.995}, 0.05),  # 0.5, 0.5, 0.05, 1
        ({"mae": 0.0075, "mse": 0.00005, "psnr_db": 41.0, "ssim": 0.995}, -0.25),  # -0.25, 0.5, 0.5, 1
        ({"mae": 0.006, "mse": 0.0004, "psnr_db": 36.0, "ssim": 0.995}, -3.0),  # 0.5, -3, -2, 1
    ],
)
def test_the_margin_is_the_smallest_of_the_four_in_steps_from_jpeg_75_to_jpeg_50(
    monkeypatch: pytest.MonkeyPatch, means: dict[str, float], expected: float
) -> None:
    restored = dict.fromkeys(SCORED_QUALITIES, _scores(**means))
    assert _margin(monkeypatch, restored) == pytest.approx(expected)


def test_the_margin_is_of_the_mean_over_all_monitored_qualities(monkeypatch: pytest.MonkeyPatch) -> None:
    best = {"mae": 0.001, "mse": 0.00001, "ssim": 0.999}
    restored = {q: _scores(**best, psnr_db=psnr_db) for q, psnr_db in zip(SCORED_QUALITIES, (39, 40, 44), strict=True)}
    assert _margin(monkeypatch, restored) == pytest.approx((41 - 40) / 2)


def test_an_infinite_psnr_is_left_out_of_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    means = {"mae": 0.001, "mse": 0.00001, "psnr_db": 41.0, "ssim": 0.999}
    restored = dict.fromkeys(SCORED_QUALITIES, _scores(**means) | {"psnr_db": np.array([41.0, np.inf])})
    assert _margin(monkeypatch, restored) == pytest.approx(0.5)


@pytest.mark.parametrize("metric", METRICS)
def test_there_is_no_margin_when_a_metric_has_no_finite_score(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    scores = INPUT_SCORES[75] | {metric: np.array([np.inf, np.nan])}
    assert _margin(monkeypatch, dict.fromkeys(SCORED_QUALITIES, scores)) is None


@pytest.mark.parametrize("metric", METRICS)
def test_there_is_no_margin_when_jpeg_75_and_jpeg_50_do_not_differ(
    monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    inputs = INPUT_SCORES | {50: INPUT_SCORES[50] | {metric: INPUT_SCORES[75][metric]}}
    assert _margin(monkeypatch, INPUT_SCORES, inputs) is None


def test_there_is_no_gain_when_the_input_is_without_error(originals: NDArray[np.uint8]) -> None:
    reading = _monitor(originals, dict.fromkeys(SCORED_QUALITIES, originals)).compare(
        dict.fromkeys(SCORED_QUALITIES, originals)
    )
    assert (reading.margin, reading.psnr_gain_db, reading.largest_change) == (None, None, 0)


def test_the_gain_is_the_mean_difference_of_psnr_to_the_input(originals: NDArray[np.uint8], degraded: Pixels) -> None:
    restored = {25: degraded[50], 50: degraded[75], 75: degraded[75]}
    psnr_db = {quality: measure(_unit(originals), _unit(degraded[quality]))["psnr_db"].mean() for quality in degraded}
    expected = (psnr_db[50] - psnr_db[25] + psnr_db[75] - psnr_db[50] + 0) / 3
    assert _monitor(originals, degraded).compare(restored).psnr_gain_db == pytest.approx(expected)


def test_the_largest_change_is_that_of_any_number_at_any_quality(
    originals: NDArray[np.uint8], degraded: Pixels
) -> None:
    restored = {quality: pixels.copy() for quality, pixels in degraded.items()}
    value = int(restored[50][1, 5, 6, 2])
    restored[50][1, 5, 6, 2] = value - 37 if value >= 37 else value + 37
    restored[25][0, 0, 0, 0] ^= 1
    assert _monitor(originals, degraded).compare(restored).largest_change == 37


@pytest.mark.parametrize("monitor_px", [32, 96])
def test_the_monitor_of_a_pack_holds_validation_images_dealt_over_systems_and_their_jpegs(
    small_pack: PackedDataset, monitor_px: int
) -> None:
    monitor = read_monitor(small_pack, "data100", Protocol(n_monitored=1, monitor_px=monitor_px, n_scored=None))
    images = deal_images(small_pack, small_pack.images_of("data100", "validation"), 1)
    start = (small_pack.size_px - monitor_px) // 2
    part = np.s_[:, start : start + monitor_px, start : start + monitor_px]
    np.testing.assert_array_equal(monitor.originals, _unit(small_pack.originals[images])[part])
    for quality in SCORED_QUALITIES:
        whole = np.stack([decode_jpeg(encode_jpeg(small_pack.originals[image], quality)) for image in images])
        np.testing.assert_array_equal(monitor.degraded[quality], whole[part])
        expected = measure(monitor.originals, _unit(whole[part]))
        for metric in METRICS:
            np.testing.assert_allclose(monitor.input_scores[quality][metric], expected[metric])


def test_files_of_other_encoders_are_held_against_jpeg_75_as_it_is_stored(small_pack: PackedDataset) -> None:
    protocol = Protocol(n_monitored=2, monitor_px=64, n_scored=None)
    stored = read_monitor(small_pack, "data100", protocol)
    optimised = read_monitor(small_pack.written_by(find_family("jpeg")), "data100", protocol)
    for quality, pixels in stored.degraded.items():  # the same pixels in fewer bytes
        np.testing.assert_array_equal(optimised.degraded[quality], pixels)
    images = small_pack.images_of("data100", "validation")
    mean_bytes = np.mean([len(small_pack.file_bytes(image, 75)) for image in images])
    assert optimised.reference_bytes == stored.reference_bytes == pytest.approx(mean_bytes)
    share = optimised.compare(optimised.degraded).bytes_at_parity
    assert share == pytest.approx(optimised.file_bytes[75] / stored.file_bytes[75])
    assert share is not None
    assert share < 1
    assert optimised.viewable_ssim(share) == pytest.approx(stored.input_scores[75]["ssim"].mean())
    assert optimised.quality_at(share) == pytest.approx(75)
    between = math.sqrt(stored.file_bytes[50] * stored.file_bytes[60]) / stored.file_bytes[75]
    assert stored.quality_at(between) == pytest.approx(55)


def test_parity_needs_files_that_can_be_viewed_where_that_is_asked_for(small_pack: PackedDataset) -> None:
    protocol = Protocol(n_monitored=2, monitor_px=64, n_scored=None)
    monitor = read_monitor(small_pack, "data100", protocol)
    almost = np.rint(255 * monitor.originals).astype(np.uint8)
    almost[:, 0, 0] ^= 1  # the mean PSNR of perfect images is no number
    perfect = dict.fromkeys(monitor.degraded, almost)
    floor = float(monitor.input_scores[60]["ssim"].mean())
    viewable = replace(monitor, least_viewable_ssim=floor).compare(perfect).bytes_at_parity
    assert viewable == pytest.approx(monitor.file_bytes[60] / monitor.file_bytes[75])
    assert (monitor.compare(perfect).bytes_at_parity or 1) < viewable


def test_what_is_monitored_is_read_once_for_the_trials_of_a_worker(small_pack: PackedDataset) -> None:
    protocol = Protocol(n_monitored=1, monitor_px=32, n_scored=None)
    found = read_monitor(small_pack, "data100", protocol)
    assert read_monitor(open_pack(small_pack.folder), "data100", protocol) is found
    assert read_monitor(small_pack.written_by(find_family("jpeg-c0.6")), "data100", protocol) is not found
