"""SmallXception: depthwise separable convolutions in residual blocks (thesis, section 2.6)."""

import keras
from keras import layers

from models.architectures.last import LastConvolution

N_BLOCKS = 5
WIDTH = 20


def smallxception(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 11,183 parameters."""
    features = layers.Conv2D(WIDTH, 3, padding="same")(degraded)
    features = layers.ReLU()(layers.BatchNormalization()(features))
    for _ in range(N_BLOCKS):
        inner = features
        for _ in range(2):
            inner = layers.SeparableConv2D(WIDTH, 5, padding="same")(inner)
            inner = layers.ReLU()(layers.BatchNormalization()(inner))
        features = layers.Add()([features, inner])
    return last_convolution(degraded.shape[-1])(features)
