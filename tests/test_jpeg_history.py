"""JPEG history: found in what was compressed, off its grid too, with quality and subsampling; not in what was not."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn, idctn

from datasets.inspection.jpeg_history import JpegHistory, describe, find_history
from datasets.smear import SYSTEMS, draw_smear

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
needs_real_images = pytest.mark.skipif(not SHARED.is_dir(), reason="the real images are not beside this repository")


def _smear(number: int) -> NDArray[np.uint8]:
    return draw_smear(SYSTEMS[number % len(SYSTEMS)], np.random.default_rng((11, number)))


def _compressed(image: NDArray[np.uint8], quality: int, subsampling: str = "4:2:0") -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


def _read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [30, 75, 90])
def test_quality_subsampling_and_grid_are_read_off_the_pixels(quality: int, subsampling: str) -> None:
    history = find_history(_compressed(_smear(quality), quality, subsampling)[3:, 5:])
    assert history == JpegHistory(history.log10_false_alarms, (5, 3), quality, subsampling)
    assert history.log10_false_alarms < -100
    assert history.was_jpeg


def test_never_compressed_images_raise_no_false_alarm_wherever_they_are_cut() -> None:
    rng = np.random.default_rng(0)
    for number in range(12):
        image = _smear(number)
        top, left, side = *rng.integers(0, 60, 2), rng.integers(64, 300)
        assert not find_history(image[top : top + side, left : left + side]).was_jpeg


@pytest.mark.parametrize("offset", [(0, 0), (0, 1), (4, 4), (7, 2)])
def test_the_grid_is_found_at_any_offset_of_a_small_part(offset: tuple[int, int]) -> None:
    image = _compressed(_smear(1), 80)[80:, 80:]
    history = find_history(image[offset[0] : offset[0] + 120, offset[1] : offset[1] + 120])
    assert history.was_jpeg
    assert history.grid == tuple(-side % 8 for side in offset)


def test_blocks_quantised_by_hand_in_every_channel_are_found() -> None:
    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[0:48, 0:64]
    image = np.stack([3 * rows % 200, 2 * columns, rows + columns + 60], axis=-1) + rng.integers(0, 24, (48, 64, 3))
    blocks = dctn(image.reshape(6, 8, 8, 8, 3) - 128.0, axes=(1, 3), norm="ortho")
    steps = 20 + 8 * np.add.outer(np.arange(8), np.arange(8))[None, :, None, :, None]
    flat = idctn((blocks / steps).round() * steps, axes=(1, 3), norm="ortho").reshape(48, 64, 3) + 128
    history = find_history(flat.round().clip(0, 255).astype(np.uint8))
    assert history.was_jpeg
    assert history.grid == (0, 0)
    assert not find_history(image.astype(np.uint8)).was_jpeg


def test_a_grey_jpeg_is_told_as_one() -> None:
    file = io.BytesIO()
    Image.fromarray(_smear(3)).convert("L").save(file, "JPEG", quality=75)
    history = find_history(np.asarray(Image.open(file).convert("RGB")))
    assert (history.quality, history.subsampling) == (75, "grey")


@pytest.mark.parametrize("image", [np.full((64, 64, 3), 200), np.zeros((64, 64, 3)), np.full((12, 200, 3), 9)])
def test_what_shows_nothing_or_is_too_small_tells_nothing(image: NDArray[np.float64]) -> None:
    assert not find_history(image.astype(np.uint8)).was_jpeg


def test_a_history_is_told_in_words() -> None:
    assert describe(JpegHistory(-9.0, (0, 0), 85, "4:2:0")) == "JPEG of about quality 85, 4:2:0"
    assert describe(JpegHistory(-9.0, (3, 5))) == "JPEG of unknown quality, cropped off its grid by 3, 5"


@needs_real_images
def test_real_images_that_were_jpeg_are_found_and_real_ones_that_were_not_are_not() -> None:
    assert sum(find_history(_read(path)).was_jpeg for path in (SHARED / "jpeg_history").glob("*.bmp")) == 10
    some = sorted((SHARED / "cells").glob("*/*.png"))[::20]  # none of all 493 is
    assert len(some) == 25
    assert not any(find_history(_read(path)).was_jpeg for path in some)


@needs_real_images
def test_real_cells_compressed_at_up_to_85_are_found_in_nineteen_of_twenty() -> None:
    rng = np.random.default_rng(4)
    paths = sorted((SHARED / "cells").glob("*/*.png"))[::20]
    n_found = 0
    for path in paths:
        image = _compressed(_read(path), int(rng.integers(30, 86)), SUBSAMPLINGS[rng.integers(3)])
        top, left = rng.integers(0, 64, 2)
        n_found += find_history(image[top : top + 160, left : left + 160]).was_jpeg
    assert n_found >= 0.95 * len(paths)
