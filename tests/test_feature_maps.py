"""VGG16's feature maps for looking at: those of its last convolution, of random weights here."""

import numpy as np

from models.feature_maps import feature_maps


def test_maps_are_of_the_last_convolution_and_never_negative() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), np.uint8)
    images[1] = images[0]
    maps = feature_maps(images, None)
    assert maps.shape == (2, 3, 4, 512)
    assert maps.dtype == np.float32
    assert maps.min() == 0 < maps.max()  # it ends with a rectifier
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-4, atol=1e-5 * maps.max())
