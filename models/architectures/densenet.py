"""DenseNet: dense blocks at full resolution, joined by 1 x 1 convolutions (thesis, section 2.6 and Figure 13).

The thesis gives no sizes, only fewer parameters than ResNet. Ours: two blocks of three layers that grow by 16, as in
DenseUnet, each followed by a 1 x 1 convolution back to 32 features.
"""

import keras
from keras import layers

from models.architectures.denseunet import HEAD_WIDTH, dense_block
from models.architectures.last import LastConvolution

N_BLOCKS = 2


def densenet(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 49,667 parameters."""
    features = layers.Conv2D(HEAD_WIDTH, 3, padding="same", activation="relu")(degraded)
    for _ in range(N_BLOCKS):
        features = layers.Conv2D(HEAD_WIDTH, 1, activation="relu")(dense_block(features))
    return last_convolution(degraded.shape[-1])(features)
