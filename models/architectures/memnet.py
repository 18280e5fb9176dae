"""MemNet: memory blocks of recursive units, each block's gate sees its units and every earlier block (section 2.6)."""

import keras
from keras import layers

from models.architectures.last import LastConvolution

N_BLOCKS = 4
N_UNITS = 4
WIDTH = 16


def memnet(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 84,403 parameters. Units do not share weights."""
    features = layers.Conv2D(WIDTH, 3, padding="same")(degraded)
    features = layers.ReLU()(layers.BatchNormalization()(features))
    blocks: list[keras.KerasTensor] = []
    for _ in range(N_BLOCKS):
        units: list[keras.KerasTensor] = []
        for _ in range(N_UNITS):
            features = layers.Add()([features, _normalised_convolution(_normalised_convolution(features, 3), 3)])
            units.append(features)
        features = _normalised_convolution(layers.Concatenate()([*units, *blocks]), 1)
        blocks.append(features)
    return last_convolution(degraded.shape[-1])(layers.ReLU()(layers.BatchNormalization()(features)))


def _normalised_convolution(features: keras.KerasTensor, size_px: int) -> keras.KerasTensor:
    features = layers.ReLU()(layers.BatchNormalization()(features))
    return layers.Conv2D(WIDTH, size_px, padding="same")(features)
