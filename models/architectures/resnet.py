"""ResNet: five residual blocks of three convolutions, without batch normalisation (thesis, section 2.6)."""

import keras
from keras import layers

from models.architectures.last import LastConvolution

N_BLOCKS = 5
WIDTH = 16


def resnet(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 114,691 parameters."""
    features = layers.Conv2D(WIDTH, 5, padding="same", activation="relu")(degraded)
    for _ in range(N_BLOCKS):
        inner = layers.Conv2D(2 * WIDTH, 5, padding="same", activation="relu")(features)
        inner = layers.Conv2D(2 * WIDTH, 3, padding="same", activation="relu")(inner)
        inner = layers.Conv2D(WIDTH, 1, activation="relu")(inner)
        features = layers.Add()([features, inner])
    return last_convolution(degraded.shape[-1])(features)
