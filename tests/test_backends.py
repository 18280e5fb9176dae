"""Every backend of Keras computes what TensorFlow did: networks, losses, metrics and steps of training."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.backend import value_and_gradient
from models.build import ARCHITECTURES
from models.losses import LOSSES
from models.metrics import METRICS
from tests.backend_fixture import AVERAGED, FIXTURE, TRAINED, compute

NAMES = [
    *(f"network {name}" for name in ARCHITECTURES),
    *(f"loss {name}" for name in LOSSES),
    *(f"metric {name}" for name in METRICS),
    *(f"trained {name}" for name in TRAINED),
    *(f"averaged {name}" for name in AVERAGED),
    "network told tables",
]


@pytest.fixture(scope="module")
def computed() -> dict[str, NDArray[np.float32]]:
    return compute()


def test_the_fixture_holds_every_network_loss_and_metric() -> None:
    with np.load(FIXTURE) as kept:
        assert set(kept.files) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_backend_agrees_with_tensorflow(name: str, computed: dict[str, NDArray[np.float32]]) -> None:
    with np.load(FIXTURE) as kept:
        np.testing.assert_allclose(computed[name], kept[name], rtol=1e-4, atol=1e-4, err_msg=keras.backend.backend())


def test_a_value_comes_with_its_gradient() -> None:
    growth = value_and_gradient(lambda at: keras.ops.sum(keras.ops.square(at)))
    for at in (np.array([1.0, -2.0], np.float32), np.array([[3.0]], np.float32)):
        value, slope = growth(keras.ops.convert_to_tensor(at))
        assert float(value) == pytest.approx(float(np.sum(at**2)))
        np.testing.assert_allclose(keras.ops.convert_to_numpy(slope), 2 * at)
