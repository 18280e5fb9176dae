"""What VGG16 sees of images: the maps of its last convolution, for looking at."""

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.losses import vgg16_features

LAST_CONVOLUTION = "block5_conv3"  # thesis, Figure 16; the perceptual loss compares the pooling after it
LEAST_PX = 32  # five poolings halve the side


def feature_maps(images: NDArray[np.uint8], weights: Path | None) -> NDArray[np.float32]:
    """Return the maps of VGG16's last convolution: uint8 [B, H, W, 3] -> float32 [B, H / 16, W / 16, 512].

    weights: a file of its convolutions' weights; None leaves them random, for tests.
    """
    vgg16 = vgg16_features(weights)
    last = keras.Model(vgg16.input, vgg16.get_layer(LAST_CONVOLUTION).output)
    seen = keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    maps: NDArray[np.float32] = np.asarray(last.predict_on_batch(seen))
    return maps
