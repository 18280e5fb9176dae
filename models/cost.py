"""What a network costs: multiply-accumulates."""

import math

import keras

from models.build import build_model

SIDE_PX = 48  # divisible by what the networks' poolings divide by


def macs_per_pixel(architecture: str) -> int:
    """Return the multiply-accumulates of a network's convolutions for a pixel of its input, rounded."""
    model = build_model(architecture, side_px=SIDE_PX)
    macs = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.SeparableConv2D):
            kernels = [weight for weight in layer.trainable_weights if len(weight.shape) == 4]
            macs += math.prod(layer.output.shape[1:3]) * sum(math.prod(kernel.shape) for kernel in kernels)
    return round(macs / SIDE_PX**2)
