"""What luma and chroma take and lose: by hand, and of real files of an encoder."""

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.encoders.compress import degrade
from datasets.encoders.family import find_family
from datasets.smear import draw_smear
from search.trial.channels import channel_errors, channel_shares, chroma_bytes

SIZE_PX = 96


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    crops = [draw_smear(name, rng)[140 : 140 + SIZE_PX, 150 : 150 + SIZE_PX] for name in ("white", "green")]
    return np.stack(crops)


def test_an_error_of_all_three_numbers_is_lumas_and_one_without_luma_is_chromas() -> None:
    grey = np.full((1, 2, 2, 3), 0.1, np.float32)
    assert channel_errors(grey) == pytest.approx((3 * 0.01, 0))
    colour = np.zeros((1, 2, 2, 3), np.float32)
    colour[..., :] = (0.587, -0.299, 0)  # 0.299 R + 0.587 G stays
    assert channel_errors(colour) == pytest.approx((0, 0.587**2 + 0.299**2))
    assert channel_errors(grey + colour) == pytest.approx((3 * 0.01, 0.587**2 + 0.299**2), rel=1e-5)


def test_what_is_restored_to_the_original_is_removed_and_what_is_left_is_not(pixels: NDArray[np.uint8]) -> None:
    shown = np.stack([degrade(image, find_family("jpeg").at(50))[1] for image in pixels])
    originals = np.divide(pixels, 255, dtype=np.float32)
    as_shown, perfect = (channel_shares(originals, shown, restored) for restored in (shown, pixels))
    assert as_shown is not None
    assert perfect is not None
    assert (as_shown["luma_removed"], as_shown["chroma_removed"]) == (0, 0)
    assert (perfect["luma_removed"], perfect["chroma_removed"]) == (1, 1)


def test_coarser_chroma_takes_fewer_of_the_bytes_and_has_more_of_the_error(pixels: NDArray[np.uint8]) -> None:
    originals, in_bytes, in_error = np.divide(pixels, 255, dtype=np.float32), [], []
    for name in ("jpeg-c2", "jpeg", "jpeg-c0.5"):
        encoder = find_family(name).at(50)
        shown = np.stack([degrade(image, encoder)[1] for image in pixels])
        in_bytes.append(chroma_bytes(pixels, encoder))
        in_error.append((channel_shares(originals, shown, shown) or {})["chroma_error"])
    assert 0 < in_bytes[0] < in_bytes[1] < in_bytes[2] < 1
    assert 1 > in_error[0] > in_error[1] > in_error[2] > 0


def test_images_without_an_error_have_no_shares(pixels: NDArray[np.uint8]) -> None:
    originals = np.divide(pixels, 255, dtype=np.float32)
    assert channel_shares(originals, pixels, pixels) is None


def test_a_grey_image_has_hardly_a_byte_of_colour(pixels: NDArray[np.uint8]) -> None:
    grey = np.repeat(pixels[..., :1], 3, axis=-1)
    assert chroma_bytes(grey, find_family("jpeg").at(50)) == pytest.approx(0, abs=0.005)
