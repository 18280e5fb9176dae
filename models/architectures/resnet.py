"""ResNet: five residual blocks of three convolutions, without batch normalisation (thesis, section 2.6)."""

import keras
from keras import layers

from models.architectures.last import LastConvolution

N_BLOCKS = 5
WIDTH = 16


def resnet(
    degraded: keras.KerasTensor, last_convolution: LastConvolution, width: int = WIDTH, n_blocks: int = N_BLOCKS
) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 114,691 parameters."""
    features = layers.Conv2D(width, 5, padding="same", activation="relu")(degraded)
    for _ in range(n_blocks):
        features = residual_block(features, width)
    return last_convolution(degraded.shape[-1])(features)


def residual_block(features: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Add to features [B, H, W, width] what three convolutions make of them."""
    inner = layers.Conv2D(2 * width, 5, padding="same", activation="relu")(features)
    inner = layers.Conv2D(2 * width, 3, padding="same", activation="relu")(inner)
    inner = layers.Conv2D(width, 1, activation="relu")(inner)
    return layers.Add()([features, inner])
