"""Is a file like the training images: the background's colour, by hand, and a camera that was left out."""

import numpy as np
import pytest

from datasets.smear import synthesize
from models.restoring.likeness import FAINTEST, FAR, LEAST_SPREAD, describe, distance, statistics_of

IMAGES = [(image.system, image.read()) for image in synthesize(24, seed=11)]
SYSTEMS = sorted({system for system, _ in IMAGES})


def test_an_image_is_described_by_its_background_its_cells_and_its_contrast() -> None:
    image = np.zeros((16, 35, 3), np.uint8)
    image[:, 16:32] = (255, 0, 0)
    # Four places across, two down: one of three differences across is 0.299, those down are none.
    contrast = np.log(np.sqrt(2 * 0.299**2 / (2 * 3 + 4)) + FAINTEST)
    assert describe(image) == pytest.approx([0.299, -0.168736, 0.5, 0, 0, 0, contrast], abs=1e-5)
    white = [1, 0, 0] * 2 + [np.log(FAINTEST)]
    assert describe(np.full((3, 5, 3), 255, np.uint8)) == pytest.approx(white, abs=1e-5)


def test_a_distance_is_in_standard_deviations_of_the_nearest_system() -> None:
    grey = [np.full((16, 16, 3), level, np.uint8) for level in (100, 110)]
    statistics = statistics_of({"one": grey, "other": [np.zeros((16, 16, 3), np.uint8)]})
    assert statistics["one"]["n"] == 2
    assert statistics["one"]["mean"][0] == pytest.approx(105 / 255)
    assert statistics["one"]["covariance"][0][3] == pytest.approx((5 / 255) ** 2 * 2 / 9)  # shrunk, as of two images
    black = distance(np.full((16, 16, 3), 1, np.uint8), statistics)  # off in the brightness of both of its halves
    assert black == pytest.approx(np.sqrt(2) / 255 / LEAST_SPREAD, abs=1e-3)
    assert distance(grey[0], {}) == 0


def test_statistics_that_go_together_are_known_as_such() -> None:
    rng = np.random.default_rng(0)
    means, slope = rng.uniform(80, 200, 40), np.linspace(-20, 20, 64)[:, None, None]
    images = [np.clip(mean + slope + np.zeros((64, 64, 3)), 0, 255).astype(np.uint8) for mean in means]
    statistics = statistics_of({"one": images})
    steeper = np.clip(140 + 3 * slope + np.zeros((64, 64, 3)), 0, 255).astype(np.uint8)
    assert distance(images[0], statistics) < FAR < distance(steeper, statistics)


def test_older_statistics_of_the_background_alone_are_read() -> None:
    old = {"one": {"mean": [0.5, 0.0, 0.0], "spread": [0.004, 0.1, 0.1], "n": 3}}
    assert distance(np.full((16, 16, 3), 153, np.uint8), old) == pytest.approx(0.1 / 0.005, abs=1e-3)


@pytest.mark.parametrize("left_out", SYSTEMS)
def test_a_camera_that_was_left_out_is_far(left_out: str) -> None:
    known = {name: [pixels for system, pixels in IMAGES if system == name] for name in SYSTEMS if name != left_out}
    statistics = statistics_of(known)
    for system, pixels in IMAGES:
        assert (distance(pixels, statistics) > FAR) is (system == left_out)
