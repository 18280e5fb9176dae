"""The same restorer in 32 and in 8 bits, in onnxruntime and in TFLite: for restore.py."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.restoring.onnx_file import to_onnx
from models.restoring.tensorflow_file import to_tflite

Run = Callable[[NDArray[np.float32]], Any]  # images [1, H, W, 3] -> restored, alike
Ways = dict[str, tuple[int, Run]]  # name -> bytes of the file, the network


def in_onnxruntime(model: keras.Model, calibrating: Sequence[NDArray[np.float32]], n_threads: int) -> Ways:
    """Return a network in 32 bits, and with the convolutions of its residual blocks in 8.

    Those that change colours, filter, or give what is added to the image stay in 32 bits: 8 are too few for them.
    """
    import onnx
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Calibration(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.images = iter(calibrating)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self.images, None)
            return None if image is None else {"degraded": image}

    found: Ways = {}
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        plain.write_bytes(to_onnx(model))
        nodes = [node.name for node in onnx.load(plain).graph.node if node.op_type == "Conv" and len(node.input) == 3]
        quantize_static(plain, small, Calibration(), per_channel=True, nodes_to_quantize=nodes[:-1])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        for bits, file in ((32, plain), (8, small)):
            session = onnxruntime.InferenceSession(file, options)
            run = lambda images, session=session: session.run(None, {"degraded": images})[0]  # noqa: E731
            found[f"onnxruntime {bits} bits"] = file.stat().st_size, run
    return found


def in_tflite(model: keras.Model, n_threads: int) -> Ways:
    """Return a network in 32 bits, and with weights in 8 bits as `python -m models export --int8` writes them."""
    import tensorflow as tf

    found: Ways = {}
    for bits in (32, 8):
        data = to_tflite(model, int8=bits == 8)
        interpreter = tf.lite.Interpreter(model_content=data, num_threads=n_threads)

        def run(images: NDArray[np.float32], interpreter: Any = interpreter) -> Any:
            place = interpreter.get_input_details()[0]["index"]
            if tuple(interpreter.get_input_details()[0]["shape"]) != images.shape:
                interpreter.resize_tensor_input(place, images.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(place, images)
            interpreter.invoke()
            return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

        found[f"tflite {bits} bits"] = len(data), run
    return found
