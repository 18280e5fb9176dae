"""Identity: JPEG as it is, the baseline that goes through the same code as every network."""

import keras

from models.architectures.last import LastConvolution


def identity(degraded: keras.KerasTensor, last_convolution: LastConvolution) -> keras.KerasTensor:
    """Predict no residual at all; 0 parameters."""
    return keras.ops.zeros_like(degraded)
