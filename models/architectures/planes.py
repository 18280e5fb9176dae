"""Between RGB images and half resolution, where JPEG keeps its chroma: Y, Cb and Cr of 2 x 2 pixels in 12 planes."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.colour import RGB_TO_YCBCR, YCBCR_TO_RGB
from models.sizes import FILTER_PX, PLANES

Shape = tuple[int | None, ...]
# The scale of the filter's weights: Adam's steps, which suit the weights of networks, would undo what was fitted.
FILTER_SCALE = 0.05


def _corners(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the kernel [2, 2, 3, 12] that takes each of 2 x 2 pixels to three planes of its own."""
    kernel = np.zeros((2, 2, 3, PLANES), np.float32)
    for corner in range(4):
        kernel[corner // 2, corner % 2, :, 3 * corner : 3 * corner + 3] = colours
    return kernel


TO_PLANES = _corners(RGB_TO_YCBCR.T)
TO_PIXELS = _corners(YCBCR_TO_RGB)


@keras.saving.register_keras_serializable(package="lowq")
class ToPlanes(keras.layers.Layer):  # type: ignore[misc]
    """Takes RGB [B, H, W, 3] with even sides to Y, Cb, Cr of 2 x 2 pixels, [B, H / 2, W / 2, 12]."""

    def call(self, images: Any) -> Any:
        return ops.conv(images, ops.cast(TO_PLANES, images.dtype), strides=2, padding="valid")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, _ = input_shape
        return (batch, *(None if side is None else side // 2 for side in (height, width)), PLANES)


@keras.saving.register_keras_serializable(package="lowq")
class ToPixels(keras.layers.Layer):  # type: ignore[misc]
    """Takes 12 planes of half resolution back to RGB [B, H, W, 3]; being linear, it takes differences too."""

    def call(self, planes: Any) -> Any:
        return ops.conv_transpose(planes, ops.cast(TO_PIXELS, planes.dtype), strides=2, padding="valid")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, _ = input_shape
        return (batch, *(None if side is None else side * 2 for side in (height, width)), 3)


@keras.saving.register_keras_serializable(package="lowq")
class PlaneFilter(keras.layers.Layer):  # type: ignore[misc]
    """A 5 x 5 linear filter of 12 planes to 12, blind to flat colour: its kernels have no mean over space.

    Borders are reflected, so that flat colour stays flat up to them. Starts at zero; `set_filter` puts a fitted one in.
    """

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_weight(shape=(FILTER_PX, FILTER_PX, PLANES, PLANES), initializer="zeros", name="kernel")

    def set_filter(self, kernel: NDArray[np.float32]) -> None:
        """Put a filter [5, 5, 12, 12] in."""
        self.kernel.assign(kernel / FILTER_SCALE)

    def centred_kernel(self) -> Any:
        """Return the filter's kernel without its mean over space: [5, 5, 12, 12]."""
        return FILTER_SCALE * (self.kernel - ops.mean(self.kernel, axis=(0, 1), keepdims=True))

    def call(self, planes: Any) -> Any:
        kernel = self.centred_kernel()
        edge = FILTER_PX // 2
        padded = ops.pad(planes, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="symmetric")
        return ops.conv(padded, ops.cast(kernel, planes.dtype), padding="valid")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
