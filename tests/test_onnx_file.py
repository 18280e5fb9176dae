"""ONNX: every network of the table gives the same pixels in onnxruntime, at sides that nothing divides."""

import keras
import numpy as np
import pytest

from models.build import build_restorer
from models.names import ARCHITECTURES
from models.restoring.network import load_network
from models.restoring.onnx_file import ExportError, to_onnx
from models.restoring.tiles import Network
from tests.model_fixture import drawn_model_file

onnxruntime = pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'lowq[export]'")
pytest.importorskip("onnx", reason="no onnx: pip install 'lowq[export]'")
LEVEL = 1 / 255
IMAGE = np.random.default_rng(4).integers(0, 256, (45, 63, 3), np.uint8)
TABLES = np.linspace(0, 1, 8, dtype=np.float32)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "identity"])
def test_onnxruntime_gives_the_networks_pixels(architecture: str) -> None:
    _compare(drawn_model_file(architecture, start="thesis", output_activation="tanh"), (45, 63), (40, 48))


def test_tables_and_a_direct_prediction_are_exported_too() -> None:
    _compare(drawn_model_file("native11k", told_tables=True), (45, 63))
    _compare(drawn_model_file("native10k", downscale=4, kernel_px=5, start="thesis", global_residual=False), (45, 63))


def _compare(file: object, *sides: tuple[int, int]) -> None:
    model = load_network(file)  # type: ignore[arg-type]
    session = onnxruntime.InferenceSession(to_onnx(model))
    for height, width in sides:
        image = IMAGE[:height, :width]
        expected = Network(model)(image, TABLES)
        given = {"degraded": np.divide(image, 255, dtype=np.float32)[None], "tables": TABLES[None]}
        (restored,) = session.run(None, {put.name: given[put.name] for put in session.get_inputs()})
        assert np.abs(expected - image / 255).max() > LEVEL  # it changes its input
        np.testing.assert_allclose(restored[0], expected, rtol=0, atol=0.01 * LEVEL)


def _rolls(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return keras.ops.roll(degraded, 1, axis=1)


def _swishes(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return keras.layers.Conv2D(3, 3, padding="same", activation="swish")(degraded)


@pytest.mark.parametrize(
    ("network", "words"), [(_rolls, "a layer Roll cannot"), (_swishes, "an activation silu cannot")]
)
def test_what_is_not_known_is_not_exported(network: object, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        to_onnx(build_restorer(network))  # type: ignore[arg-type]
