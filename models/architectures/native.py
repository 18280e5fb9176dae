"""Native: networks made for JPEG. Residual blocks at half resolution in YCbCr, beside a fitted linear filter.

What the filter leaves is small and looks like noise; the blocks start at zero, so that training starts from the filter.
The contrasts that they see are centred and enlarged, since the brightness of an image hides its JPEG error.
"""

from collections.abc import Callable

import keras
from keras import layers

from models.architectures.last import LastConvolution
from models.architectures.padding import CutTo, PadToMultiple
from models.architectures.planes import PlaneFilter, ToPixels, ToPlanes
from models.architectures.upsampling import BilinearUpSampling2D
from models.sizes import NATIVE_SIZES, PLANES, NetworkSize

Network = Callable[..., keras.KerasTensor]

GREY = 0.75  # about the luma of a smear's background; chroma is centred already
CONTRAST = 8.0
RESIDUAL_SCALE = 0.1
N_BRANCH_BLOCKS = 1


def native(size: NetworkSize) -> Network:
    """Return the network of a size: it predicts the residual of degraded [B, H, W, 3], told tables [B, 8] or not."""

    def network(
        degraded: keras.KerasTensor, last_convolution: LastConvolution, tables: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        planes = ToPlanes()(PadToMultiple(2 * size.downscale if size.branch_width else size.downscale)(degraded))
        features = _head(size)(layers.Rescaling(CONTRAST, offset=_offsets())(planes))
        for block in range(size.depth):
            features = _residual_block(_scaled(features, tables), size.width, size.kernel_px)
            if size.branch_width and block == 0:
                features = _branch(features, size)
        if size.downscale > 2:
            features = layers.UpSampling2D(size.downscale // 2)(features)
        residual = layers.Rescaling(RESIDUAL_SCALE)(last_convolution(PLANES)(features))
        residual = layers.Add()([_scaled(PlaneFilter(name="filter")(planes), tables), residual])
        return CutTo()(ToPixels()(residual), degraded)

    network.told_tables = size.told_tables  # type: ignore[attr-defined]
    return network


def _offsets() -> list[float]:
    return [-CONTRAST * GREY if plane % 3 == 0 else 0.0 for plane in range(PLANES)]


def _scaled(features: keras.KerasTensor, tables: keras.KerasTensor | None) -> keras.KerasTensor:
    """Scale each feature map by 1, and what the tables add to that: nothing at first. Without tables, as it is."""
    if tables is None:
        return features
    change = layers.Dense(features.shape[-1], kernel_initializer="zeros")(tables)
    change = layers.Reshape((1, 1, features.shape[-1]))(change)
    return layers.Add()([features, layers.Multiply()([features, change])])


def _head(size: NetworkSize) -> keras.layers.Layer:
    strides = size.downscale // 2
    return layers.Conv2D(size.width, 3 if strides == 1 else 2 * strides, strides=strides, padding="same")


def _residual_block(features: keras.KerasTensor, width: int, kernel_px: int) -> keras.KerasTensor:
    """Add to features what two convolutions make of them, nothing at first."""
    inner = layers.Conv2D(width, kernel_px, padding="same", activation="relu")(features)
    inner = layers.Conv2D(width, kernel_px, padding="same", kernel_initializer="zeros")(inner)
    return layers.Add()([features, inner])


def _branch(features: keras.KerasTensor, size: NetworkSize) -> keras.KerasTensor:
    """Add what blocks at half the features' resolution see of a larger field, nothing at first."""
    inner = layers.Conv2D(size.branch_width, 3, strides=2, padding="same", activation="relu")(features)
    for _ in range(N_BRANCH_BLOCKS):
        inner = _residual_block(inner, size.branch_width, size.kernel_px)
    inner = layers.Conv2D(size.width, 1, kernel_initializer="zeros")(inner)
    return layers.Add()([features, BilinearUpSampling2D(2, interpolation="bilinear")(inner)])


NATIVE_NETWORKS: dict[str, Network] = {name: native(size) for name, size in NATIVE_SIZES.items()}
