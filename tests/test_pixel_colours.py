"""Colours of pixels in figures: JFIF's luma and chroma, by hand and by Pillow, and equalised grey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from analysis.figures.pixels import equalising_curve, to_grey, to_luma, to_ycbcr


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [  # JFIF 1.02, page 3, by hand
        ((0, 0, 0), (0, 128, 128)),
        ((255, 255, 255), (255, 128, 128)),
        ((100, 100, 100), (100, 128, 128)),
        ((255, 0, 0), (76.245, 84.972, 255.5)),
        ((0, 255, 0), (149.685, 43.528, 21.235)),
        ((0, 0, 255), (29.07, 255.5, 107.265)),
    ],
)
def test_pure_colours_have_the_luma_and_chroma_of_jfif(
    rgb: tuple[int, int, int], ycbcr: tuple[float, float, float]
) -> None:
    pixel = np.array([[rgb]], np.uint8)
    np.testing.assert_allclose(to_ycbcr(pixel)[0, 0], ycbcr, atol=1e-3)
    assert to_luma(pixel)[0, 0] == pytest.approx(ycbcr[0])
    assert to_grey(pixel)[0, 0] == round(ycbcr[0])


@settings(deadline=None)  # a busy machine is no fault
@given(arrays(np.uint8, (3, 4, 3)))
def test_luma_and_chroma_are_pillows_but_for_the_fraction_it_cuts_off(pixels: np.ndarray) -> None:  # type: ignore[type-arg]
    theirs = np.asarray(Image.fromarray(pixels).convert("YCbCr"), np.float64)
    fraction = to_ycbcr(pixels) - theirs
    assert -0.05 < fraction.min() <= fraction.max() < 1.05  # its constants are rounded too


def test_equalising_spreads_levels_by_how_many_pixels_are_up_to_them() -> None:
    grey = np.array([[10, 10], [11, 13]], np.uint8)
    curve = equalising_curve(grey)
    assert curve[grey].tolist() == [[0, 0], [128, 255]]  # of two brighter than the darkest, one is up to 11
    assert (curve[5], curve[12], curve[200]) == (0, 128, 255)


def test_equalising_leaves_an_even_histogram_as_it_is() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(equalising_curve(grey)[grey], grey)


def test_equalising_leaves_a_constant_picture_as_it_is() -> None:
    grey = np.full((4, 4), 77, np.uint8)
    np.testing.assert_array_equal(equalising_curve(grey)[grey], grey)


@settings(deadline=None)  # a busy machine is no fault
@given(arrays(np.uint8, (5, 5), elements=st.integers(0, 255)))
def test_equalising_never_swaps_two_levels(grey: np.ndarray) -> None:  # type: ignore[type-arg]
    assert (np.diff(equalising_curve(grey).astype(int)) >= 0).all()
