"""A restorer as an ONNX graph, layer by layer: uint8 or larger images of any size, in any program that runs ONNX.

Its input is "degraded", float32 [1, height, width, 3] in [0, 1], and where the network is told tables "tables", [1, 8];
its output "restored" is as the network gives it, neither clipped nor projected. Within, channels come first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.architectures.padding import CutTo, PadToMultiple
from models.architectures.planes import FILTER_SCALE, TO_PIXELS, TO_PLANES, PlaneFilter, ToPixels, ToPlanes

OPSET, IR_VERSION = 18, 10
FIRST, LAST = 1, 3  # the axis of channels here and in Keras
ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "linear": "Identity", "sigmoid": "Sigmoid"}
FAR = np.iinfo(np.int64).min  # where a slice that runs backwards ends: before the first


class ExportError(ValueError):
    """A network cannot be exported; the message says which layer is why."""


class _Graph:
    """Nodes and constants in the making; every method returns the name of what it adds."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name

    def whole(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def side(self, images: str, axis: int) -> str:
        return self.add("Gather", [self.add("Shape", [images]), self.whole(axis)])

    def conv(self, x: str, kernel: NDArray[Any], bias: Any = None, **attributes: Any) -> str:
        """Convolve by a kernel [h, w, in, out]."""
        inputs = [x, self.constant(kernel.transpose(3, 2, 0, 1))]
        return self.add("Conv", inputs if bias is None else [*inputs, self.constant(bias)], **attributes)


def to_onnx(model: keras.Model) -> bytes:
    """Return the bytes of a restorer's ONNX file. Raises ExportError for a layer that is not known here."""
    from onnx import TensorProto, checker, helper, numpy_helper

    graph = _Graph(helper, numpy_helper)
    names, inputs = {}, []
    for tensor in model.inputs:
        is_image = len(tensor.shape) == 4
        name, shape = ("degraded", [1, "height", "width", 3]) if is_image else ("tables", [1, tensor.shape[1]])
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        names[id(tensor)] = graph.add("Transpose", [name], perm=[0, 3, 1, 2]) if is_image else name
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        (node,) = operation._inbound_nodes
        taken = [names[id(tensor)] for tensor in node.input_tensors]
        names[id(operation.output)] = _emitted(graph, operation, taken, node.arguments.args)
    last = graph.add("Transpose", [names[id(model.outputs[0])]], perm=[0, 2, 3, 1])
    graph.nodes.append(helper.make_node("Identity", [last], ["restored"]))
    output = helper.make_tensor_value_info("restored", TensorProto.FLOAT, [1, "height", "width", 3])
    made = helper.make_model(
        helper.make_graph(graph.nodes, "restorer", inputs, [output], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="lowq",
    )
    checker.check_model(made)
    return bytes(made.SerializeToString())


def _emitted(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    kind = type(operation).__name__
    if kind not in EMITTERS:
        raise ExportError(f"a layer {kind} cannot be exported to ONNX")
    made: str = EMITTERS[kind](graph, operation, x, arguments)
    return made


def _values(weight: Any) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(weight))


def _activated(graph: _Graph, operation: Any, x: str) -> str:
    name = operation.activation.__name__
    if name not in ACTIVATIONS:
        raise ExportError(f"an activation {name} cannot be exported to ONNX")
    return x if name == "linear" else graph.add(ACTIVATIONS[name], [x])


def _pads(operation: Any) -> list[int]:
    """Return what "same" adds before and after both axes, which the strides divide."""
    if operation.padding != "same":
        return [0, 0, 0, 0]
    reached = [
        max((side - 1) * spread + 1 - stride, 0)
        for side, spread, stride in zip(operation.kernel_size, operation.dilation_rate, operation.strides, strict=True)
    ]
    return [*(side // 2 for side in reached), *(side - side // 2 for side in reached)]


def _conv2d(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    bias = _values(operation.bias) if operation.use_bias else None
    convolved = graph.conv(
        x[0],
        _values(operation.kernel),
        bias,
        strides=list(operation.strides),
        dilations=list(operation.dilation_rate),
        group=operation.groups,
        pads=_pads(operation),
    )
    return _activated(graph, operation, convolved)


def _separable(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    depthwise = _values(operation.depthwise_kernel)
    n_channels, multiplier = depthwise.shape[2:]
    kernel = depthwise.reshape(*depthwise.shape[:2], 1, n_channels * multiplier)
    between = graph.conv(x[0], kernel, group=n_channels, pads=_pads(operation), strides=list(operation.strides))
    bias = _values(operation.bias) if operation.use_bias else None
    return _activated(graph, operation, graph.conv(between, _values(operation.pointwise_kernel), bias))


def _normalised(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    numbers = (operation.gamma, operation.beta, operation.moving_mean, operation.moving_variance)
    constants = [graph.constant(_values(number)) for number in numbers]
    return graph.add("BatchNormalization", [x[0], *constants], epsilon=operation.epsilon)


def _rescaled(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    scale, offset = (np.reshape(number, (1, -1, 1, 1)) for number in (operation.scale, operation.offset))
    return graph.add("Add", [graph.add("Mul", [x[0], graph.constant(scale)]), graph.constant(offset)])


def _padded(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    multiple = graph.whole(operation.multiple)
    missing = [graph.add("Mod", [graph.add("Neg", [graph.side(x[0], axis)]), multiple]) for axis in (2, 3)]
    pads = graph.add("Concat", [graph.whole(0, 0, 0, 0, 0, 0), *missing], axis=0)
    return graph.add("Pad", [x[0], pads], mode="reflect")


def _cut(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    sides = graph.add("Concat", [graph.side(x[1], axis) for axis in (2, 3)], axis=0)
    return graph.add("Slice", [x[0], graph.whole(0, 0), sides, graph.whole(2, 3)])


def _filtered(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    kernel = _values(operation.kernel)
    kernel = FILTER_SCALE * (kernel - kernel.mean(axis=(0, 1), keepdims=True))
    edge, padded = kernel.shape[0] // 2, x[0]
    for axis in (2, 3):  # ONNX has no symmetric padding: rows are turned round and joined
        backwards = graph.whole(axis), graph.whole(-1)
        first = graph.add("Slice", [padded, graph.whole(edge - 1), graph.whole(FAR), *backwards])
        last = graph.add("Slice", [padded, graph.whole(-1), graph.whole(-1 - edge), *backwards])
        padded = graph.add("Concat", [first, padded, last], axis=axis)
    return graph.conv(padded, kernel)


def _enlarged(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    scales = graph.constant([1, 1, *operation.size])
    if operation.interpolation == "bilinear":
        options = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    else:
        options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.add("Resize", [x[0], "", scales], **options)


def _colours_of(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    *_, channels = arguments[1]
    start, stop, step = channels.indices(2**31)
    return graph.add("Slice", [x[0], *map(graph.whole, (start, stop, FIRST, step))])


def _multiplied(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    return graph.conv(x[0], np.asarray(arguments[1])[None, None])


def _dense(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    inputs = [x[0], graph.constant(_values(operation.kernel)), graph.constant(_values(operation.bias))]
    return _activated(graph, operation, graph.add("Gemm", inputs))


def _reshaped(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    return graph.add("Reshape", [x[0], graph.whole(1, -1, 1, 1)])  # of tables: to a number for each feature map


def _joined(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    return graph.add("Concat", x, axis=FIRST)


def _of_two(kind: str) -> Callable[..., str]:
    def emit(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
        made = x[0]
        for other in x[1:]:
            made = graph.add(kind, [made, other])
        return made

    return emit


def _pooled(graph: _Graph, operation: Any, x: list[str], arguments: Sequence[Any]) -> str:
    return graph.add("MaxPool", x, kernel_shape=list(operation.pool_size), strides=list(operation.strides))


EMITTERS: dict[str, Callable[..., str]] = {
    "Conv2D": _conv2d,
    "SeparableConv2D": _separable,
    "BatchNormalization": _normalised,
    "Rescaling": _rescaled,
    PadToMultiple.__name__: _padded,
    CutTo.__name__: _cut,
    PlaneFilter.__name__: _filtered,
    ToPlanes.__name__: lambda graph, operation, x, arguments: graph.conv(x[0], TO_PLANES, strides=[2, 2]),
    ToPixels.__name__: lambda graph, operation, x, arguments: graph.add(
        "ConvTranspose", [x[0], graph.constant(TO_PIXELS.transpose(3, 2, 0, 1))], strides=[2, 2]
    ),
    "UpSampling2D": _enlarged,
    "BilinearUpSampling2D": _enlarged,
    "MaxPooling2D": _pooled,
    "GetItem": _colours_of,
    "Matmul": _multiplied,
    "Dense": _dense,
    "Reshape": _reshaped,
    "Concatenate": _joined,
    "Add": _of_two("Add"),
    "Multiply": _of_two("Mul"),
    "ReLU": lambda graph, operation, x, arguments: graph.add("Relu", x),
    "Activation": lambda graph, operation, x, arguments: _activated(graph, operation, x[0]),
}
