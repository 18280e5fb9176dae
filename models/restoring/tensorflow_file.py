"""A restorer in TensorFlow's own formats: TFLite for phones and small devices, SavedModel for servers.

As in ONNX, the input "degraded" is float32 [1, height, width, 3] in [0, 1] at any size, and where the network is told
tables "tables", [1, 8]; the output "restored" is neither clipped nor projected.
"""

import math
import re
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.architectures.planes import PlaneFilter
from models.restoring.onnx_file import ExportError

RESTORE = "serving_default"  # the signature's name that other programs look for
LEAST_QUANTISED = 1024  # numbers of a constant that TFLite's converter turns into 8 bits
Shape = tuple[int | None, ...]
SAVED_MODEL = "saved_model.pb"  # what every SavedModel's folder holds


def to_tflite(model: keras.Model, int8: bool = False) -> bytes:
    """Return the bytes of a restorer's TFLite file.

    int8: its blocks' weights in 8 bits, and their feature maps, as far as those of an image range.

    Raises ExportError where it cannot be converted.
    """
    tf = _tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    convertible = _convertible(model, int8)  # a traced function only refers weakly to the variables that this holds
    whole = convert_variables_to_constants_v2(_traced(tf, convertible))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([whole])
    converter.optimizations = [tf.lite.Optimize.DEFAULT] if int8 else []
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter's own class is not public
        if type(error).__name__ != "ConverterError":
            raise
        unknown = sorted(set(re.findall(r"error: '(tf\.\w+)' op", str(error))))
        reason = f"TFLite has no {', '.join(unknown)}" if unknown else "it does not say why"
        raise ExportError(f"TensorFlow cannot convert it to TFLite: {reason}") from error


def write_saved_model(path: Path, model: keras.Model) -> None:
    """Write a restorer as a SavedModel, a folder that appears when it is whole, in the place of an earlier SavedModel.

    Raises ExportError where something else is in its place.
    """
    tf = _tensorflow()
    if path.exists() and not (path / SAVED_MODEL).is_file():
        raise ExportError(f"{path} is no SavedModel, and is not replaced: name another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    module = tf.Module()
    module.model = _convertible(model)  # what holds the variables must be reachable
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        made, before = Path(folder, "made"), Path(folder, "before")
        tf.saved_model.save(module, str(made), signatures={RESTORE: _traced(tf, module.model)})
        if path.exists():
            path.rename(before)
        made.rename(path)


def _tensorflow() -> Any:
    if keras.backend.backend() != "tensorflow":
        raise ExportError("TFLite and SavedModel need Keras' TensorFlow backend: leave KERAS_BACKEND out")
    import tensorflow as tf

    return tf


def _traced(tf: Any, model: keras.Model) -> Any:
    """Return a restorer as a concrete function of images of any size."""
    names = ["degraded" if len(tensor.shape) == 4 else "tables" for tensor in model.inputs]
    shapes = [
        tf.TensorSpec([1, *tensor.shape[1:]], tf.float32, name)
        for tensor, name in zip(model.inputs, names, strict=True)
    ]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def restored(*inputs: Any) -> dict[str, Any]:
        return {"restored": model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)}

    return restored.get_concrete_function(*shapes)


def _convertible(model: keras.Model, int8: bool = False) -> keras.Model:
    """Return a restorer with other layers where Keras' own cannot take images of unknown sides.

    int8: and where 8 bits are too few: in the filter, and in the last convolution, which gives what is added.
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]

    def change(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.UpSampling2D):
            return _Enlarged(layer)
        if int8 and isinstance(layer, PlaneFilter):
            return _InParts(layer, _values(layer.centred_kernel()), None, "symmetric")
        if int8 and convolutions and layer is convolutions[-1] and layer.activation is keras.activations.linear:
            return _InParts(layer, _values(layer.kernel), layer.bias, "constant")
        return type(layer).from_config(layer.get_config())

    changed = keras.models.clone_model(model, clone_function=change)
    for layer in changed.layers:
        if not isinstance(layer, _Enlarged | _InParts):
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return changed


def _values(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


class _Enlarged(keras.layers.Layer):  # type: ignore[misc]
    """UpSampling2D of feature maps whose sides are not known."""

    def __init__(self, layer: keras.layers.UpSampling2D) -> None:
        super().__init__(name=layer.name)
        self.factor, self.interpolation = layer.size, layer.interpolation

    def call(self, features: Any) -> Any:
        import tensorflow as tf

        enlarged = tf.image.resize(features, tf.shape(features)[1:3] * tf.constant(self.factor), self.interpolation)
        enlarged.set_shape([features.shape[0], None, None, features.shape[3]])
        return enlarged

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], None, None, shape[3])


class _InParts(keras.layers.Layer):  # type: ignore[misc]
    """A convolution that gives a few maps at a time, by kernels so small that TFLite leaves them in 32 bits."""

    def __init__(self, layer: keras.layers.Layer, kernel: NDArray[np.float32], bias: Any, border: str) -> None:
        super().__init__(name=layer.name)
        self.bias, self.border = None if bias is None else _values(bias), border
        n_at_once = max(1, (LEAST_QUANTISED - 1) // math.prod(kernel.shape[:3]))
        self.kernels = [kernel[..., first : first + n_at_once] for first in range(0, kernel.shape[3], n_at_once)]

    def call(self, features: Any) -> Any:
        down, across = (side // 2 for side in self.kernels[0].shape[:2])
        padded = keras.ops.pad(features, ((0, 0), (down, down), (across, across), (0, 0)), mode=self.border)
        parts = [keras.ops.conv(padded, kernel, padding="valid") for kernel in self.kernels]
        joined = keras.ops.concatenate(parts, axis=-1)
        return joined if self.bias is None else joined + self.bias

    def compute_output_shape(self, shape: Shape) -> Shape:
        return (*shape[:3], sum(kernel.shape[3] for kernel in self.kernels))
