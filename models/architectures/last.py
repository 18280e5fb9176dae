"""The last convolution of a network, whose output activation and start are choices of the trial."""

from collections.abc import Callable

import keras

LastConvolution = Callable[[int], keras.layers.Layer]  # number of output channels -> layer


def last_convolution(output_activation: str, starts_at_zero: bool) -> LastConvolution:
    """Return a maker of 3 x 3 convolutions with an output activation ("none" or "tanh"), all zero at first if asked."""
    activation = None if output_activation == "none" else output_activation
    kernel = "zeros" if starts_at_zero else "glorot_uniform"

    def layer(channels: int) -> keras.layers.Layer:
        name = f"last_{channels}"
        return keras.layers.Conv2D(
            channels, 3, padding="same", activation=activation, kernel_initializer=kernel, name=name
        )

    return layer
