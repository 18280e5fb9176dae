"""Consistency: two promises, each kept by its own cells, and what is left alone."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.jpeg_file import read_jpeg
from datasets.smear import synthesize
from models.colour import RGB_TO_YCBCR, YCBCR_TO_RGB
from models.restoring.consistency import (
    COSINES,
    WORST_RGB_FACTOR,
    Stored,
    is_certain,
    project,
    stored_coefficients,
    transform,
    transform_back,
)

SIDE_PX = 96  # six whole blocks of chroma
SMEARS = [image.read()[:SIDE_PX, :SIDE_PX] for image in synthesize(4, seed=2)]
SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
PROMISED_SHARE = 0.999  # of coefficients that come back, of noise that leaves most at the edge of their cells


def compressed(image: NDArray[np.uint8], quality: int, sampling: str = "4:2:0") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=SAMPLINGS[sampling])
    return buffer.getvalue()


def stored_of(data: bytes) -> Stored:
    jpeg = read_jpeg(data)
    return Stored(jpeg.planes, jpeg.steps, jpeg.frame.factors)


def noisy(data: bytes, seed: int = 0) -> NDArray[np.float32]:
    pixels = read_jpeg(data).pixels / 255
    return (pixels + np.random.default_rng(seed).normal(0, 0.03, pixels.shape)).astype(np.float32)


def in_planes(error: NDArray[np.floating]) -> float:
    return float(np.square(error @ RGB_TO_YCBCR.T.astype(np.float64)).sum())


def test_the_transform_is_the_dct_and_orthonormal() -> None:
    np.testing.assert_allclose(COSINES @ COSINES.T, np.eye(8), atol=1e-6)
    plane = np.zeros((16, 24), np.float32)
    plane[8:, 16:] = 3
    coefficients = transform(plane)
    assert coefficients[1, 0, 2, 0] == pytest.approx(24)  # flat: 8 times the level
    assert np.abs(coefficients).sum() == pytest.approx(24, abs=1e-4)
    drawn = np.random.default_rng(0).normal(size=(16, 24)).astype(np.float32)
    np.testing.assert_allclose(transform_back(transform(drawn)), drawn, atol=1e-5)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [25, 50, 75])
def test_with_wide_cells_no_error_of_the_planes_grows(quality: int, sampling: str) -> None:
    for seed, original in enumerate(SMEARS):
        data = compressed(original, quality, sampling)
        before, wanted = noisy(data, seed), original / 255
        after = project(before, stored_of(data))
        assert np.abs(after - before).max() > 1e-3
        assert in_planes(after - wanted) < in_planes(before - wanted)
        of_rgb = np.square(after - wanted).sum() / np.square(before - wanted).sum()
        assert of_rgb < WORST_RGB_FACTOR**2


@pytest.mark.parametrize("quality", [25, 50, 75])
def test_the_original_lies_in_wide_cells(quality: int) -> None:
    flat = [np.full((32, 32, 3), colour, np.uint8) for colour in ((201, 77, 130), (3, 250, 8), (127, 128, 129))]
    for original in [*SMEARS, *flat]:
        moved = project((original / 255).astype(np.float32), stored_of(compressed(original, quality)))
        np.testing.assert_allclose(moved, original / 255, atol=1e-5)


def test_the_worst_factor_of_rgb_is_that_of_the_colours_matrix() -> None:
    largest, *_, smallest = np.linalg.svd(YCBCR_TO_RGB.astype(np.float64))[1]
    assert pytest.approx(largest / smallest) == WORST_RGB_FACTOR
    assert pytest.approx(1.75, abs=0.005) == WORST_RGB_FACTOR


@pytest.mark.parametrize("quality", [25, 50, 75])
def test_with_narrow_cells_compressing_again_gives_the_stored_coefficients(quality: int) -> None:
    shares = []
    for seed, original in enumerate(SMEARS):
        data = compressed(original, quality)
        stored = stored_of(data)
        after = np.rint(np.clip(project(noisy(data, seed), stored, "narrow"), 0, 1) * 255).astype(np.uint8)
        again = stored_of(compressed(after, quality))
        for one, other, steps in zip(stored.planes, again.planes, stored.steps, strict=True):
            shares.append((stored_coefficients(one, steps) == stored_coefficients(other, steps)).mean())
    assert np.mean(shares) > PROMISED_SHARE


def test_what_lies_in_its_cells_is_not_moved() -> None:
    data = compressed(SMEARS[0], 50)
    shown = (read_jpeg(data).pixels / 255).astype(np.float32)
    np.testing.assert_allclose(project(project(shown, stored_of(data)), stored_of(data)), shown, atol=1e-2)
    once = project(noisy(data), stored_of(data))
    np.testing.assert_allclose(project(once, stored_of(data)), once, atol=1e-5)


def test_blocks_that_touch_black_or_white_and_cut_blocks_stay_as_they_are() -> None:
    original = SMEARS[0][:93, :90].copy()
    original[:16, :16] = 255
    data = compressed(original, 30)
    stored = stored_of(data)
    assert not is_certain(stored.planes[0])[0, 0]
    before = noisy(data)
    after = project(before, Stored(stored.planes[:1], stored.steps[:1], stored.factors))
    np.testing.assert_allclose(after[:8, :8], before[:8, :8], atol=1e-5)
    np.testing.assert_allclose(after[88:], before[88:], atol=1e-5)
    np.testing.assert_allclose(after[:, 88:], before[:, 88:], atol=1e-5)
    assert np.abs(after[16:88, 16:88] - before[16:88, 16:88]).max() > 1e-3


def test_parts_are_projected_as_the_whole_is() -> None:
    data = compressed(SMEARS[1][:93, :90], 40)
    stored, before = stored_of(data), noisy(data)
    whole = project(before, stored)
    for rows, columns in ((slice(0, 48), slice(0, 32)), (slice(48, 93), slice(32, 90))):
        np.testing.assert_allclose(
            project(before[rows, columns], stored.part(rows, columns)), whole[rows, columns], atol=1e-6
        )


def test_cells_of_unknown_encoders_are_wider() -> None:
    data = compressed(SMEARS[2], 40)
    stored, before = stored_of(data), noisy(data)
    unknown = Stored(stored.planes, stored.steps, stored.factors, is_known=False)
    moves = [np.square(project(before, cells) - before).sum() for cells in (stored, unknown)]
    assert 0 < moves[1] < moves[0]


def test_unknown_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown cells 'tight'; known: wide, narrow"):
        project(noisy(compressed(SMEARS[0], 50)), stored_of(compressed(SMEARS[0], 50)), "tight")
