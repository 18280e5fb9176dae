"""The table of networks, and the restorer made from one: degraded images in, restored images out."""

from collections.abc import Callable, Iterable

import keras

from models.architectures.densenet import densenet
from models.architectures.denseunet import denseunet
from models.architectures.identity import identity
from models.architectures.jjnet import jjnet
from models.architectures.last import last_convolution
from models.architectures.linear import linear
from models.architectures.memnet import memnet
from models.architectures.native import NATIVE_NETWORKS, native
from models.architectures.resnet import resnet
from models.architectures.resnetyuv import resnetyuv
from models.architectures.smallxception import smallxception
from models.architectures.unet import unet
from models.names import OUTPUT_ACTIVATIONS, STARTS
from models.sizes import N_TABLE_NUMBERS, NetworkSize

Network = Callable[..., keras.KerasTensor]  # degraded, last convolution -> residual

ARCHITECTURES: dict[str, Network] = {
    "identity": identity,
    "linear": linear,
    **NATIVE_NETWORKS,
    "resnet": resnet,
    "jjnet": jjnet,
    "memnet": memnet,
    "unet": unet,
    "denseunet": denseunet,
    "smallxception": smallxception,
    "densenet": densenet,
    "resnetyuv": resnetyuv,
}


def build_model(
    architecture: str,
    output_activation: str = "none",
    global_residual: bool = True,
    start: str = "thesis",
    side_px: int | None = None,
    precision: str = "float32",
    size: NetworkSize | None = None,
) -> keras.Model:
    """Build a restorer of float32 [B, H, W, 3] in [0, 1] -> the same (not clipped).

    It takes any height and width from 16 px, or with side_px that side alone, so that every layer knows its size.

    global_residual adds the input to what the network predicts. start is a name of STARTS: "thesis" is Keras' default
    initialisation; "near_identity" has the last convolution start at zero, so that training starts from the input as it
    is, and the others blind to flat colour. precision "mixed_float16" has the network compute in 16 bits with weights
    of 32; the input is added to its residual in 32 bits, which the rounding of 16 would hide. size: of a native
    network, where it is another than the table's. Raises ValueError for an unknown name, listing the known ones.
    """
    _require_known("network", architecture, ARCHITECTURES)
    network = ARCHITECTURES[architecture] if size is None else native(size)
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return build_restorer(network, output_activation, global_residual, start, side_px)
    finally:
        keras.config.set_dtype_policy(usual)


def build_restorer(
    network: Network,
    output_activation: str = "none",
    global_residual: bool = True,
    start: str = "thesis",
    side_px: int | None = None,
) -> keras.Model:
    """Build a restorer, as `build_model` does, from the function of a network that need not be in the table.

    One with an attribute told_tables that is true is given the input of quantisation tables, [B, 8], as well.
    """
    for noun, name, known in (("start", start, STARTS), ("output activation", output_activation, OUTPUT_ACTIVATIONS)):
        _require_known(noun, name, known)
    degraded = keras.Input((side_px, side_px, 3), name="degraded")
    last = last_convolution(output_activation, start == "near_identity")
    tables = keras.Input((N_TABLE_NUMBERS,), name="tables") if getattr(network, "told_tables", False) else None
    residual = network(degraded, last) if tables is None else network(degraded, last, tables)
    if global_residual:
        restored = keras.layers.Add(dtype="float32")([degraded, residual])
    else:
        restored = keras.layers.Activation("linear", dtype="float32")(residual)
    inputs = degraded if tables is None else [degraded, tables]
    model = keras.Model(inputs, restored, name=getattr(network, "__name__", None))
    if start == "near_identity":
        _blind_to_flat_colour(model)
    return model


def _require_known(noun: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(f"unknown {noun} {name!r}; known: {', '.join(known)}")


def _blind_to_flat_colour(model: keras.Model) -> None:
    """Take the mean over space out of every kernel, so that features start as contrasts, which JPEG's errors are.

    Otherwise the brightness of the image, some hundred times its JPEG error, fills every feature, and the first few
    hundred steps go into cancelling it. Larger first kernels help resnet a little and harm jjnet (benchmarks/start.py).
    """
    for weight in model.trainable_weights:
        if len(weight.shape) == 4 and max(weight.shape[:2]) > 1:  # a kernel, depthwise or not, that sees neighbours
            kernel = keras.ops.convert_to_numpy(weight)
            weight.assign(kernel - kernel.mean(axis=(0, 1), keepdims=True))
