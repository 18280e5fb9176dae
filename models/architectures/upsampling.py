"""Bilinear upsampling of feature maps of any sides: Keras' own layer fails where TensorFlow does not know them."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="lowq")
class BilinearUpSampling2D(keras.layers.UpSampling2D):  # type: ignore[misc]
    """[B, H, W, C] -> [B, 2 H, 2 W, C], interpolated between the centres of pixels as Keras does it."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        rows = _between(inputs, inputs[:, :1], inputs[:, :-1], inputs[:, 1:], inputs[:, -1:], axis=1)
        return _between(rows, rows[:, :, :1], rows[:, :, :-1], rows[:, :, 1:], rows[:, :, -1:], axis=2)


def _between(
    maps: keras.KerasTensor,
    first: keras.KerasTensor,
    but_last: keras.KerasTensor,
    but_first: keras.KerasTensor,
    last: keras.KerasTensor,
    axis: int,
) -> keras.KerasTensor:
    """Return two values for each along an axis: a quarter of the way to the one before, and to the one behind."""
    before = ops.concatenate([first, but_last], axis)
    behind = ops.concatenate([but_first, last], axis)
    pairs = ops.stack([0.75 * maps + 0.25 * before, 0.75 * maps + 0.25 * behind], axis + 1)
    shape = list(ops.shape(maps))
    shape[axis] = 2 * shape[axis]
    return ops.reshape(pairs, shape)
