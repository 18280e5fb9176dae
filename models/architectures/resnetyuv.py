"""ResNetYUV: predicts the JPEG error in YCbCr, most of it spent on chroma (thesis, section 3.4 and Figure 23).

The thesis gives no sizes. Ours: two residual blocks of width 8 for luma, and ResNet's five of width 16 for chroma,
which sees the restored luma beside the degraded chroma.
"""

import keras
from keras import layers

from models.architectures.last import LastConvolution
from models.architectures.resnet import residual_block
from models.colour import to_rgb, to_ycbcr

LUMA_BLOCKS, LUMA_WIDTH = 2, 8
CHROMA_BLOCKS, CHROMA_WIDTH = 5, 16


def resnetyuv(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3], returned in RGB; 126,171 parameters."""
    ycbcr = to_ycbcr(degraded)
    luma, chroma = ycbcr[..., :1], ycbcr[..., 1:]
    luma_features = _features(luma, LUMA_BLOCKS, LUMA_WIDTH)
    luma_residual = last_convolution(1)(luma_features)
    restored_luma = layers.Add()([luma, luma_residual])
    chroma_features = _features(layers.Concatenate()([restored_luma, chroma]), CHROMA_BLOCKS, CHROMA_WIDTH)
    chroma_residual = last_convolution(2)(chroma_features)
    return to_rgb(layers.Concatenate()([luma_residual, chroma_residual]))


def _features(image: keras.KerasTensor, n_blocks: int, width: int) -> keras.KerasTensor:
    features = layers.Conv2D(width, 5, padding="same", activation="relu")(image)
    for _ in range(n_blocks):
        features = residual_block(features, width)
    return features
