"""TFLite and SavedModel: every network of the table gives the same pixels in both, at sides that nothing divides."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.build import build_restorer
from models.names import ARCHITECTURES
from models.restoring.model_file import ModelFile
from models.restoring.network import load_network
from models.restoring.onnx_file import ExportError
from models.restoring.tensorflow_file import RESTORE, to_tflite, write_saved_model
from models.restoring.tiles import Network
from tests.model_fixture import drawn_model_file

tf = pytest.importorskip("tensorflow", reason="no TensorFlow here")
pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="another backend than TensorFlow's"),
    pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated:UserWarning"),
]
LEVEL = 1 / 255
IMAGE = np.random.default_rng(4).integers(0, 256, (45, 63, 3), np.uint8)
GIVEN = {"degraded": np.divide(IMAGE, 255, dtype=np.float32)[None], "tables": np.linspace(0, 1, 8, dtype=np.float32)}
GIVEN["tables"] = GIVEN["tables"][None]
Restore = Callable[[dict[str, NDArray[np.float32]]], NDArray[np.float32]]


def in_tflite(data: bytes) -> Restore:
    """Return a TFLite file as a function of its named inputs."""
    interpreter = tf.lite.Interpreter(model_content=data)
    inputs, (output,) = interpreter.get_input_details(), interpreter.get_output_details()

    def restore(given: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        for put in inputs:
            interpreter.resize_tensor_input(put["index"], given[put["name"]].shape)
        interpreter.allocate_tensors()
        for put in inputs:
            interpreter.set_tensor(put["index"], given[put["name"]])
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(output["index"])[0])

    return restore


def in_saved_model(folder: Path) -> Restore:
    """Return a SavedModel as a function of its named inputs."""
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[RESTORE]
    names = signature.structured_input_signature[1]

    def restore(given: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        restore.loaded = loaded  # type: ignore[attr-defined]  # which holds the variables
        return np.asarray(signature(**{name: tf.constant(given[name]) for name in names})["restored"][0])

    return restore


def expected_of(file: ModelFile) -> tuple[keras.Model, NDArray[np.float32]]:
    model = load_network(file)
    expected = Network(model)(IMAGE, GIVEN["tables"][0])
    assert np.abs(expected - IMAGE / 255).max() > LEVEL  # it changes its input
    return model, expected


def compare(restored: NDArray[Any], expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(restored, expected, rtol=0, atol=0.01 * LEVEL)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "identity"])
def test_tflite_gives_the_networks_pixels(architecture: str) -> None:
    model, expected = expected_of(drawn_model_file(architecture, start="thesis", output_activation="tanh"))
    restore = in_tflite(to_tflite(model))
    compare(restore(GIVEN), expected)
    smaller = {**GIVEN, "degraded": GIVEN["degraded"][:, :40, :48]}
    compare(restore(smaller), Network(model)(IMAGE[:40, :48], GIVEN["tables"][0]))


@pytest.mark.parametrize(
    "spec",
    [
        {"architecture": "native10k"},
        {"architecture": "native11k", "told_tables": True},
        {"architecture": "native10k", "downscale": 4, "kernel_px": 5, "start": "thesis", "global_residual": False},
    ],
)
def test_all_formats_give_the_networks_pixels(tmp_path: Path, spec: dict[str, Any]) -> None:
    model, expected = expected_of(drawn_model_file(**spec))
    compare(in_tflite(to_tflite(model))(GIVEN), expected)
    write_saved_model(tmp_path / "saved", model)
    compare(in_saved_model(tmp_path / "saved")(GIVEN), expected)


@pytest.mark.parametrize("architecture", ["native11k", "resnet"])
def test_weights_of_8_bits_make_a_smaller_file_of_nearly_the_same_pixels(architecture: str) -> None:
    model, expected = expected_of(drawn_model_file(architecture))
    whole, small = to_tflite(model), to_tflite(model, int8=True)
    assert len(small) < 0.6 * len(whole)
    change, error = (np.abs(pixels).mean() for pixels in (expected - IMAGE / 255, in_tflite(small)(GIVEN) - expected))
    assert 0 < error < 0.05 * change


def test_the_linear_filter_stays_in_32_bits() -> None:
    model, expected = expected_of(drawn_model_file("linear"))
    compare(in_tflite(to_tflite(model, int8=True))(GIVEN), expected)


def test_a_network_is_held_while_its_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow.python.framework import convert_to_constants as made_constant

    convert = made_constant.convert_variables_to_constants_v2

    def collected_then_converted(function: Any) -> Any:
        gc.collect()
        return convert(function)

    monkeypatch.setattr(made_constant, "convert_variables_to_constants_v2", collected_then_converted)
    model, expected = expected_of(drawn_model_file("native10k"))
    compare(in_tflite(to_tflite(model))(GIVEN), expected)


def inverted(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return keras.ops.erfinv(degraded)


def test_what_tensorflow_cannot_convert_is_said() -> None:
    with pytest.raises(ExportError, match=r"TensorFlow cannot convert it to TFLite: TFLite has no tf\.Erfinv"):
        to_tflite(build_restorer(inverted))
