"""Evaluation: 8 bits by hand, both regions as if each had been scored alone, raw scores beside rounded ones."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.build import build_model
from models.evaluation import restore, score_regions, score_shown, to_8_bits
from models.metrics import measure
from models.names import METRICS, REGIONS, REPORTED_METRICS

ORIGINAL = np.random.default_rng(0).integers(30, 220, (37, 45, 3), np.uint8)
CROP_PX = 20
TABLES = np.zeros(8, np.float32)  # for models that want to be told
CENTRE = np.s_[8:28, 12:32]  # (37 - 20) // 2 = 8, (45 - 20) // 2 = 12


@pytest.fixture(scope="module")
def restored() -> NDArray[np.float32]:
    """Return a restored image some of whose values lie outside [0, 1] and none on the grid of 8 bits."""
    noise = np.random.default_rng(1).normal(0, 0.2, ORIGINAL.shape)
    floats = (ORIGINAL / 255 + noise).astype(np.float32)
    assert floats.min() < 0
    assert floats.max() > 1
    return floats


def _regions(original: NDArray[np.uint8], restored: NDArray[np.float32]) -> dict[str, dict[str, float]]:
    """Return the scores of one image."""
    regions = score_regions(original[None], restored[None], CROP_PX)
    assert all(len(scores) == 1 for scores in regions.values())
    return {region: scores[0] for region, scores in regions.items()}


def _scores(original: NDArray[np.uint8], restored: NDArray[np.float32]) -> dict[str, float]:
    scores = measure(np.divide(original, 255, dtype=np.float32)[None], restored[None])
    return {name: float(values[0]) for name, values in scores.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, 0),
        (1.0, 255),
        (-0.3, 0),
        (1.7, 255),
        (0.4 / 255, 0),
        (0.6 / 255, 1),
        (99.49 / 255, 99),
        (99.51 / 255, 100),
        (np.nan, 0),
        (np.inf, 255),
        (-np.inf, 0),
    ],
)
def test_floats_are_clipped_and_rounded_to_the_nearest_of_256_steps(value: float, expected: int) -> None:
    pixels = to_8_bits(np.full((1, 2, 2, 3), value, np.float32))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (1, 2, 2, 3)
    assert np.all(pixels == expected)


def test_an_image_of_8_bits_has_the_scores_of_the_same_one_restored(restored: NDArray[np.float32]) -> None:
    shown = to_8_bits(restored)
    scored = score_shown(ORIGINAL, shown, CROP_PX)
    as_restored = _regions(ORIGINAL, restored)
    assert scored.keys() == set(REGIONS)
    for region, scores in scored.items():
        rounded = {name: value for name, value in as_restored[region].items() if not name.endswith("_raw")}
        assert scores == pytest.approx(rounded, rel=1e-5)


def test_8_bits_to_floats_and_back_changes_nothing() -> None:
    steps = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_8_bits(np.divide(steps, 255, dtype=np.float32)), steps)


def test_identity_restores_8_bit_images_to_themselves() -> None:
    restored = restore(build_model("identity"), ORIGINAL[None], TABLES)
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(to_8_bits(restored)[0], ORIGINAL)


def test_restored_images_are_as_the_model_gives_them_not_clipped() -> None:
    degraded = keras.Input((None, None, 3))
    model = keras.Model(degraded, degraded * 3 - 1)
    images = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3, 1).repeat(3, axis=-1)
    np.testing.assert_allclose(restore(model, images, TABLES)[0, 0, :, 0], [-1, -0.4, 2], atol=1e-6)


def test_both_regions_hold_every_metric_rounded_and_raw(restored: NDArray[np.float32]) -> None:
    regions = _regions(ORIGINAL, restored)
    assert set(regions) == set(REGIONS)
    for scores in regions.values():
        assert set(scores) == {*REPORTED_METRICS, *(f"{metric}_raw" for metric in METRICS)}
        assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize(("region", "part"), [("crop", CENTRE), ("full", np.s_[:, :])])
@pytest.mark.parametrize("metric", REPORTED_METRICS)
def test_a_region_scores_as_the_sliced_arrays_do(
    restored: NDArray[np.float32], region: str, part: tuple[slice, slice], metric: str
) -> None:
    scores = _regions(ORIGINAL, restored)[region]
    rounded = np.divide(to_8_bits(restored), 255, dtype=np.float32)
    assert scores[metric] == pytest.approx(_scores(ORIGINAL[part], rounded[part])[metric], rel=1e-5)
    if metric in METRICS:  # the worst window has no raw score
        assert scores[f"{metric}_raw"] == pytest.approx(_scores(ORIGINAL[part], restored[part])[metric], rel=1e-5)


def test_rounding_and_clipping_make_a_difference_that_only_the_raw_scores_leave_out(
    restored: NDArray[np.float32],
) -> None:
    full = _regions(ORIGINAL, restored)["full"]
    assert full["mse"] < full["mse_raw"]  # clipping brings values closer to originals, which lie inside


def test_an_error_smaller_than_half_a_step_is_none_once_rounded() -> None:
    almost = (ORIGINAL / 255 + 0.3 / 255).astype(np.float32)
    full = _regions(ORIGINAL, almost)["full"]
    assert (full["mae"], full["psnr_db"]) == (0, np.inf)
    assert full["mae_raw"] == pytest.approx(0.3 / 255, rel=1e-3)


def test_an_error_outside_the_centre_is_in_the_full_region_only() -> None:
    spoilt = np.divide(ORIGINAL, 255, dtype=np.float32)
    spoilt[0, 0] = 0
    regions = _regions(ORIGINAL, spoilt)
    assert regions["crop"]["mse"] == 0
    assert regions["full"]["mse"] > 0


def test_an_image_that_is_not_a_number_scores_as_black_and_says_so_in_the_raw_scores() -> None:
    nothing = np.full(ORIGINAL.shape, np.nan, np.float32)
    full = _regions(ORIGINAL, nothing)["full"]
    assert full["mae"] == pytest.approx(ORIGINAL.mean() / 255, rel=1e-5)
    assert np.isnan(full["mae_raw"])


def test_images_of_a_batch_are_scored_as_each_alone(restored: NDArray[np.float32]) -> None:
    originals = np.stack([ORIGINAL, ORIGINAL[::-1], 255 - ORIGINAL])
    batch = np.stack([restored, restored[::-1] * 0.9, restored])
    together = score_regions(originals, batch, CROP_PX)
    for place, (original, image) in enumerate(zip(originals, batch, strict=True)):
        for region, scores in _regions(original, image).items():
            assert together[region][place] == pytest.approx(scores, rel=1e-4)


def test_images_are_restored_a_few_at_a_time_and_come_back_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.evaluation.AT_ONCE_PX", 2 * 16 * 20)
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 20, 3), np.uint8)
    model, sizes = build_model("identity"), []
    predict = model.predict_on_batch
    monkeypatch.setattr(model, "predict_on_batch", lambda part: sizes.append(len(part)) or predict(part))
    np.testing.assert_array_equal(to_8_bits(restore(model, images, TABLES)), images)
    assert sizes == [2, 2, 1]


def test_an_image_larger_than_what_is_restored_at_a_time_is_restored_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.evaluation.AT_ONCE_PX", 10)
    np.testing.assert_array_equal(to_8_bits(restore(build_model("identity"), ORIGINAL[None], TABLES))[0], ORIGINAL)


def test_a_model_that_is_told_tables_gets_them_with_every_image() -> None:
    degraded, tables = keras.Input((None, None, 3)), keras.Input((8,))
    first = keras.layers.Reshape((1, 1, 8))(tables)[..., :3]
    model = keras.Model([degraded, tables], degraded + first)
    told = np.array([0.25, 0.5, 0, 9, 9, 9, 9, 9], np.float32)
    restored = restore(model, np.zeros((3, 4, 4, 3), np.uint8), told)
    np.testing.assert_allclose(restored, np.broadcast_to(told[:3], (3, 4, 4, 3)))
