"""Padding for networks that halve the image: sides become divisible by reflection, and are cut back at the end."""

from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="lowq")
class PadToMultiple(keras.layers.Layer):  # type: ignore[misc]
    """Reflects the last rows and columns until both sides are divisible by a number; images [B, H, W, C]."""

    def __init__(self, multiple: int, **options: Any) -> None:
        super().__init__(**options)
        self.multiple = multiple

    def call(self, images: Any) -> Any:
        _, height, width, channels = ops.shape(images)
        down, across = ((-side) % self.multiple for side in (height, width))
        padded = ops.pad(images, ((0, 0), (0, down), (0, across), (0, 0)), mode="reflect")
        # TensorFlow forgets the channels where sides are not known, and TFLite cannot convert what follows
        return ops.reshape(padded, (-1, height + down, width + across, channels))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        padded = (None if side is None else side + (-side) % self.multiple for side in (height, width))
        return (batch, *padded, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="lowq")
class CutTo(keras.layers.Layer):  # type: ignore[misc]
    """Cuts padded images back to the sides of those they came from."""

    def call(self, padded: Any, images: Any) -> Any:
        _, height, width, _ = ops.shape(images)
        return padded[:, :height, :width]

    def compute_output_shape(self, padded_shape: Shape, images_shape: Shape) -> Shape:
        return (*images_shape[:3], padded_shape[3])
