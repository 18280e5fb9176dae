"""How far a restored pixel sees, read off a network as built: what a tile needs around it to be restored exactly."""

import math
from dataclasses import dataclass

import keras

from models.architectures.padding import CutTo, PadToMultiple
from models.architectures.planes import PlaneFilter, ToPixels, ToPlanes

# Layers and operations that make each place of their output of the same place of their inputs alone.
POINTWISE = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Rescaling", "Activation"}
POINTWISE |= {"ReLU", "LeakyReLU", "ELU", "PReLU", "BatchNormalization", "Dropout", "SpatialDropout2D", "Identity"}
# Operations that do so as the networks of the table use them: on colours, the last axis.
ON_COLOURS = {"Matmul", "GetItem", "ZerosLike"}


class ReachError(ValueError):
    """A network has a layer of which it is not known how far it sees; the message names it."""


@dataclass(frozen=True)
class Reach:
    """What a restored pixel depends on: so many pixels before it and after it, on both axes.

    multiple: by which the first row and column of a tile must be divisible, so that what is halved is halved alike.
    """

    before_px: int
    after_px: int
    multiple: int

    @property
    def margin_px(self) -> int:
        """The pixels that a tile needs on every side, a multiple of `multiple`."""
        return -(-max(self.before_px, self.after_px) // self.multiple) * self.multiple


@dataclass(frozen=True)
class _Field:
    """Of a feature map: place i depends on the pixels from i * distance - before to i * distance + after."""

    before: float = 0.0
    after: float = 0.0
    distance: float = 1.0

    def through_window(self, first: int, last: int, strides: int) -> "_Field":
        """Return the field of what sees the places from i * strides + first to i * strides + last."""
        before, after = self.before - first * self.distance, self.after + last * self.distance
        return _Field(before, after, self.distance * strides)


def find_reach(model: keras.Model, is_known: bool = True) -> Reach:
    """Work out the reach of a restorer by its layers. is_known: its network is of the table, not of a plugin.

    Raises ReachError where a layer is not known here, such as one that pools a whole image.
    """
    pixels = model.inputs[0]
    fields: dict[int, _Field | None] = {id(tensor): None for tensor in model.inputs}  # None: the same everywhere
    fields[id(pixels)] = _Field()
    multiple = 1
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        inputs = [fields[id(tensor)] for node in operation._inbound_nodes for tensor in node.input_tensors]
        known = [field for field in inputs if field is not None]
        if isinstance(operation, PadToMultiple):
            multiple = math.lcm(multiple, operation.multiple)
        if not known:
            fields[id(operation.output)] = None
            continue
        if len({field.distance for field in known}) > 1:
            raise ReachError(f"{operation.name} joins feature maps of different resolution")
        joined = _Field(max(f.before for f in known), max(f.after for f in known), known[0].distance)
        field = _passed(operation, joined, is_known)
        fields[id(operation.output)] = field
        multiple = math.lcm(multiple, math.ceil(field.distance))
    last = fields[id(model.outputs[0])] or _Field()
    if last.distance != 1:
        raise ReachError("the restored image has another resolution than its input")
    return Reach(math.ceil(last.before), math.ceil(last.after), multiple)


def _passed(operation: keras.Operation, field: _Field, is_known: bool) -> _Field:
    """Return the field of an operation's output by that of its input."""
    kind = type(operation).__name__
    if kind in POINTWISE or isinstance(operation, CutTo | PadToMultiple) or (is_known and kind in ON_COLOURS):
        return field
    match operation:
        case ToPlanes():
            return field.through_window(0, 1, 2)
        case ToPixels():
            return _enlarged(field, 2, "nearest")
        case PlaneFilter():
            edge = operation.kernel.shape[0] // 2
            return field.through_window(-edge, edge, 1)
        case keras.layers.Conv2D() | keras.layers.SeparableConv2D() | keras.layers.DepthwiseConv2D():
            reach = max((side - 1) * spread for side, spread in _pairs(operation.kernel_size, operation.dilation_rate))
            return _windowed(operation, field, reach + 1)
        case keras.layers.MaxPooling2D() | keras.layers.AveragePooling2D():
            return _windowed(operation, field, max(operation.pool_size))
        case keras.layers.UpSampling2D():
            (factor,) = _only(operation, operation.size)
            return _enlarged(field, factor, operation.interpolation)
    raise ReachError(f"it is not known how far a layer {kind} sees")


def _windowed(operation: keras.Operation, field: _Field, window: int) -> _Field:
    """Return the field behind a window of a size, padded to "same" or as large as its strides."""
    (strides,) = _only(operation, operation.strides)
    if operation.padding != "same" and window != strides:
        raise ReachError(f"{operation.name} makes its feature map smaller than its input by a border")
    before = max(window - strides, 0) // 2
    return field.through_window(-before, window - 1 - before, strides)


def _enlarged(field: _Field, factor: int, interpolation: str) -> _Field:
    """Return the field of a map that is enlarged by repeating places, or between neighbours, half a place apart."""
    distance = field.distance / factor
    before, after = {
        "nearest": (field.distance - distance, 0.0),
        "bilinear": (field.distance * (1.5 - 1 / factor), field.distance / 2),
    }.get(interpolation, (math.nan, math.nan))
    if math.isnan(before):
        raise ReachError(f"it is not known how far {interpolation} interpolation sees")
    return _Field(field.before + before, field.after + after, distance)


def _only(operation: keras.Operation, pair: tuple[int, ...]) -> set[int]:
    if len(set(pair)) != 1:
        raise ReachError(f"{operation.name} differs between rows and columns")
    return set(pair)


def _pairs(one: tuple[int, ...], other: "tuple[int, ...] | int") -> list[tuple[int, int]]:
    return list(zip(one, other if isinstance(other, tuple) else (other,) * len(one), strict=True))
