"""Colour: the YCbCr of JPEG, there and back."""

import numpy as np
from keras import ops
from PIL import Image

from models.colour import to_rgb, to_ycbcr

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), np.uint8)
UNIT = np.divide(IMAGES, 255, dtype=np.float32)


def test_ycbcr_is_that_of_pillow_to_its_rounding() -> None:
    ours = ops.convert_to_numpy(to_ycbcr(UNIT)) * 255 + np.array([0, 128, 128])
    theirs = np.stack([np.asarray(Image.fromarray(image).convert("YCbCr")) for image in IMAGES])
    np.testing.assert_allclose(ours, theirs, atol=1.01)
    assert np.abs(ours - theirs).mean() < 0.5


def test_rgb_comes_back() -> None:
    np.testing.assert_allclose(ops.convert_to_numpy(to_rgb(to_ycbcr(UNIT))), UNIT, atol=1e-6)


def test_grey_has_no_chroma() -> None:
    grey = np.full((1, 2, 2, 3), 0.4, np.float32)
    np.testing.assert_allclose(ops.convert_to_numpy(to_ycbcr(grey))[0, 0, 0], [0.4, 0, 0], atol=1e-6)
