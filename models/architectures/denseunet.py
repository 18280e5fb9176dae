"""DenseUnet: a UNet whose blocks on the way down are dense (thesis, section 2.6)."""

import keras
from keras import layers

from models.architectures.last import LastConvolution
from models.architectures.padding import CutTo, PadToMultiple

HEAD_WIDTH = 32
GROWTH = 16
N_LAYERS = 3
N_POOLINGS = 2


def denseunet(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict the residual of degraded [B, H, W, 3]; 198,115 parameters."""
    padded = PadToMultiple(2**N_POOLINGS)(degraded)
    features = layers.Conv2D(HEAD_WIDTH, 3, padding="same", activation="relu")(padded)
    skips = []
    for _ in range(N_POOLINGS):
        features = dense_block(features)
        skips.append(features)
        features = layers.MaxPooling2D(2)(features)
    features = dense_block(features)
    for skip in reversed(skips):
        features = layers.Concatenate()([layers.UpSampling2D(2)(features), skip])
        for _ in range(N_LAYERS):
            features = normalised_convolution(features)
    return CutTo()(last_convolution(degraded.shape[-1])(features), degraded)


def dense_block(features: keras.KerasTensor) -> keras.KerasTensor:
    """Add N_LAYERS times GROWTH features, each layer seeing all before it."""
    for _ in range(N_LAYERS):
        features = layers.Concatenate()([features, normalised_convolution(features)])
    return features


def normalised_convolution(features: keras.KerasTensor) -> keras.KerasTensor:
    """Normalise, rectify and convolve to GROWTH features."""
    features = layers.ReLU()(layers.BatchNormalization()(features))
    return layers.Conv2D(GROWTH, 3, padding="same")(features)
