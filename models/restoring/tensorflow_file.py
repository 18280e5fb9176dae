"""A restorer in TensorFlow's own formats: TFLite for phones and small devices, SavedModel for servers.

As in ONNX, the input "degraded" is float32 [1, height, width, 3] in [0, 1] at any size, and where the network is told
tables "tables", [1, 8]; the output "restored" is neither clipped nor projected.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import keras

from models.restoring.onnx_file import ExportError

RESTORE = "serving_default"  # the signature's name that other programs look for
SAVED_MODEL = "saved_model.pb"  # what every SavedModel's folder holds


def to_tflite(model: keras.Model, int8: bool = False) -> bytes:
    """Return the bytes of a restorer's TFLite file. int8: its weights in 8 bits, feature maps as each image has them.

    Raises ExportError where it cannot be converted.
    """
    tf = _tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    whole = convert_variables_to_constants_v2(_traced(tf, model))
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
    module.model = _with_any_size(tf, model)  # what holds the variables must be reachable
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
    model = _with_any_size(tf, model)
    names = ["degraded" if len(tensor.shape) == 4 else "tables" for tensor in model.inputs]
    shapes = [
        tf.TensorSpec([1, *tensor.shape[1:]], tf.float32, name)
        for tensor, name in zip(model.inputs, names, strict=True)
    ]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def restored(*inputs: Any) -> dict[str, Any]:
        return {"restored": model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)}

    return restored.get_concrete_function(*shapes)


def _with_any_size(tf: Any, model: keras.Model) -> keras.Model:
    """Return a restorer whose enlarging layers, which Keras' own cannot, take images of sizes that are not known."""

    class Enlarged(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, layer: keras.layers.UpSampling2D) -> None:
            super().__init__(name=layer.name)
            self.factor, self.interpolation = layer.size, layer.interpolation

        def call(self, features: Any) -> Any:
            sides = tf.shape(features)[1:3] * tf.constant(self.factor)
            enlarged = tf.image.resize(features, sides, self.interpolation)
            enlarged.set_shape([features.shape[0], None, None, features.shape[3]])
            return enlarged

        def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
            return (shape[0], None, None, shape[3])

    def change(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.UpSampling2D):
            return Enlarged(layer)
        return type(layer).from_config(layer.get_config())

    if not any(isinstance(layer, keras.layers.UpSampling2D) for layer in model.layers):
        return model
    changed = keras.models.clone_model(model, clone_function=change)
    changed.set_weights(model.get_weights())
    return changed
