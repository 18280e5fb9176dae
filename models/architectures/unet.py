"""UNet: two poolings, more maps on the way down, skips to the way up (thesis, section 2.6 and Figure 14)."""

import keras
from keras import layers

from models.architectures.last import LastConvolution
from models.architectures.padding import CutTo, PadToMultiple

DOWN_WIDTHS = (32, 96)
BOTTOM_WIDTH = 128


def unet(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 888,003 parameters."""
    features, skips = PadToMultiple(2 ** len(DOWN_WIDTHS))(degraded), []
    for width in DOWN_WIDTHS:
        features = _convolutions(features, width, 2)
        skips.append(features)
        features = layers.MaxPooling2D(2)(features)
    features = _convolutions(features, BOTTOM_WIDTH, 2)
    for width, skip in zip(reversed(DOWN_WIDTHS), reversed(skips), strict=True):
        features = layers.UpSampling2D(2)(features)
        features = layers.Conv2D(width, 3, padding="same")(features)
        features = layers.ReLU()(layers.BatchNormalization()(features))
        features = _convolutions(layers.Concatenate()([skip, features]), width, 3)
    return CutTo()(last_convolution(degraded.shape[-1])(features), degraded)


def _convolutions(features: keras.KerasTensor, width: int, n_convolutions: int) -> keras.KerasTensor:
    for _ in range(n_convolutions):
        features = layers.Conv2D(width, 3, padding="same", activation="relu")(features)
    return features
