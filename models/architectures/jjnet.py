"""JJNet: ResNet whose blocks are concatenated to their input instead of added (thesis, section 2.6 and Figure 22)."""

import keras
from keras import layers

from models.architectures.last import LastConvolution

N_BLOCKS = 5
WIDTH = 16


def jjnet(
    degraded: keras.KerasTensor, last_convolution: LastConvolution, width: int = WIDTH, n_blocks: int = N_BLOCKS
) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 244,771 parameters.

    The blocks' 1 x 1 convolutions have no bias: only then does the count equal the thesis' Table 4.
    """
    features = layers.Conv2D(width, 5, padding="same", activation="relu")(degraded)
    for _ in range(n_blocks):
        inner = layers.Conv2D(2 * width, 5, padding="same", activation="relu")(features)
        inner = layers.Conv2D(2 * width, 3, padding="same", activation="relu")(inner)
        inner = layers.Conv2D(width, 1, activation="relu", use_bias=False)(inner)
        features = layers.Concatenate()([features, inner])
    return last_convolution(degraded.shape[-1])(features)
