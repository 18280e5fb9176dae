"""Is a file like the training images: the background's colour, by hand, and a camera that was left out."""

import numpy as np
import pytest

from datasets.smear import synthesize
from models.restoring.likeness import FAR, LEAST_SPREAD, describe, distance, statistics_of

IMAGES = [(image.system, image.read()) for image in synthesize(24, seed=11)]
SYSTEMS = sorted({system for system, _ in IMAGES})


def test_the_background_is_the_brighter_half() -> None:
    image = np.zeros((16, 35, 3), np.uint8)
    image[:, 16:32] = (255, 0, 0)
    assert describe(image) == pytest.approx([0.299, -0.168736, 0.5], abs=1e-5)
    assert describe(np.full((3, 5, 3), 255, np.uint8)) == pytest.approx([1, 0, 0], abs=1e-5)


def test_a_distance_is_in_standard_deviations_of_the_nearest_system() -> None:
    grey = [np.full((16, 16, 3), level, np.uint8) for level in (100, 110)]
    statistics = statistics_of({"one": grey, "other": [np.zeros((16, 16, 3), np.uint8)]})
    assert statistics["one"]["n"] == 2
    assert statistics["one"]["mean"][0] == pytest.approx(105 / 255)
    assert distance(np.full((16, 16, 3), 115, np.uint8), statistics) == pytest.approx(2, abs=1e-3)
    black = distance(np.full((16, 16, 3), 1, np.uint8), statistics)
    assert black == pytest.approx(1 / 255 / LEAST_SPREAD, abs=1e-3)
    assert distance(grey[0], {}) == 0


@pytest.mark.parametrize("left_out", SYSTEMS)
def test_a_camera_that_was_left_out_is_far(left_out: str) -> None:
    known = {name: [pixels for system, pixels in IMAGES if system == name] for name in SYSTEMS if name != left_out}
    statistics = statistics_of(known)
    for system, pixels in IMAGES:
        assert (distance(pixels, statistics) > FAR) is (system == left_out)
