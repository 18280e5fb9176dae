"""What a network costs, counted from the network as built: multiply-accumulates, receptive field, floats to keep."""

import math
import tempfile
from pathlib import Path

import keras

from models.architectures.planes import PlaneFilter, ToPixels, ToPlanes
from models.build import build_model
from models.footprint import Footprint
from models.sizes import NetworkSize

SIDE_PX = 48  # divisible by what the networks' poolings divide by


def macs_per_pixel(architecture: str, size: NetworkSize | None = None) -> int:
    """Return the multiply-accumulates of a network's convolutions for a pixel of its input, rounded.

    Between colours and planes, which is arithmetic of a pixel with itself, none are counted.
    """
    model = build_model(architecture, side_px=SIDE_PX, size=size)
    macs = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.SeparableConv2D | PlaneFilter):
            kernels = [weight for weight in layer.trainable_weights if len(weight.shape) == 4]
            macs += math.prod(layer.output.shape[1:3]) * sum(math.prod(kernel.shape) for kernel in kernels)
    return round(macs / SIDE_PX**2)


def weights_bytes(model: keras.Model) -> int:
    """Return the size of a file of a model's weights alone, in Keras' HDF5 format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.weights.h5"
        model.save_weights(path)
        return path.stat().st_size


def count_footprint(architecture: str, size: NetworkSize | None = None) -> Footprint:
    """Count what `models.footprint.FOOTPRINTS` holds of a network.

    Kept are the outputs of all layers, but for batch normalisation's, of which the activation behind it is kept
    instead; a separable convolution keeps what is between its two as well.
    """
    model = build_model(architecture, side_px=SIDE_PX, size=size)
    outputs = [math.prod(layer.output.shape[1:]) / SIDE_PX**2 for layer in model.layers]
    kept = 0.0
    for layer, floats in zip(model.layers, outputs, strict=True):
        if isinstance(layer, keras.layers.InputLayer | keras.layers.BatchNormalization):
            continue
        kept += 2 * floats if isinstance(layer, keras.layers.SeparableConv2D) else floats
    return Footprint(
        parameters=model.count_params(),
        macs_per_pixel=macs_per_pixel(architecture, size),
        n_layers=len(model.layers),
        kept_floats=round(kept),
        widest_floats=round(max(outputs)),
    )


def receptive_field_px(architecture: str) -> int:
    """Return the side of the square of input pixels that a restored pixel can depend on.

    Where images are halved the square lies differently for different pixels; it is the largest.
    """
    model = build_model(architecture, side_px=SIDE_PX)
    fields: dict[int, tuple[int, int]] = {id(model.inputs[0]): (1, 1)}  # tensor -> its field, its pixels' distance
    for operation in model.operations:
        if operation.output is model.inputs[0]:
            continue
        inputs = [fields[id(tensor)] for node in operation._inbound_nodes for tensor in node.input_tensors]
        field = max((field for field, _ in inputs), default=1)
        fields[id(operation.output)] = _grown(operation, field, min((distance for _, distance in inputs), default=1))
    return fields[id(model.outputs[0])][0]


def _grown(operation: keras.Operation, field: int, distance: int) -> tuple[int, int]:
    match operation:
        case keras.layers.MaxPooling2D():
            return field + distance, distance * 2
        case ToPlanes():
            return field + distance, distance * 2
        case keras.layers.UpSampling2D() | ToPixels():
            reach = distance if getattr(operation, "interpolation", "nearest") == "bilinear" else 0
            return field + reach, distance // 2
        case PlaneFilter():
            return field + (operation.kernel.shape[0] - 1) * distance, distance
        case keras.layers.Conv2D() | keras.layers.SeparableConv2D():
            return field + (operation.kernel_size[0] - 1) * distance, distance * operation.strides[0]
    return field, distance
