"""What a network costs: parameters and multiply-accumulates."""

import keras


def macs_per_pixel(model: keras.Model) -> int:
    """Return the multiply-accumulates a pixel of output takes in the model's convolutions (stride 1 throughout)."""
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    return sum(int(keras.ops.size(layer.kernel)) for layer in convolutions)
