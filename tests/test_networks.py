"""The networks: their size, shapes and start, each one of the table; and no TensorFlow where Keras may run on JAX."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models import names
from models.build import ARCHITECTURES, build_model
from models.cost import macs_per_pixel
from models.footprint import FOOTPRINTS
from models.losses import LOSSES
from models.metrics import METRICS
from models.sizes import NATIVE_SIZES

ROOT = Path(__file__).resolve().parent.parent
PARAMETERS = {  # the thesis' Table 4; it gives none for the last two, nor for what is not its own: by hand
    "identity": 0,
    "linear": 5 * 5 * 12 * 12,
    # filter, head, blocks of two convolutions, the last convolution
    "native1k": 3600 + (9 * 12 * 8 + 8) + 2 * (9 * 8 * 8 + 8) + (9 * 8 * 12 + 12),
    "native10k": 3600 + (9 * 12 * 24 + 24) + 3 * 2 * (9 * 24 * 24 + 24) + (9 * 24 * 12 + 12),
    "native11k": 3600
    + (9 * 12 * 24 + 24)
    + 2 * 2 * (9 * 24 * 24 + 24)
    + (9 * 24 * 48 + 48)  # the branch: down, a block, up
    + 2 * (9 * 48 * 48 + 48)
    + (48 * 24 + 24)
    + (9 * 24 * 12 + 12),
    "native41k": 3600 + (9 * 12 * 64 + 64) + 2 * 2 * (9 * 64 * 64 + 64) + (9 * 64 * 12 + 12),
    "resnet": 114_691,
    "jjnet": 244_771,
    "memnet": 84_403,
    "unet": 888_003,
    "denseunet": 198_115,
    "smallxception": 11_183,
    "densenet": 49_667,
    "resnetyuv": 126_171,
}
# Kernels, by hand: each number is one multiplication a pixel of its level; a pooling leaves a quarter of the pixels.
MACS_PER_PIXEL = {
    "identity": 0,
    # four pixels share a place of half resolution, sixteen one of quarter resolution
    "linear": 3600 // 4,
    "native1k": (3600 + 9 * 12 * 8 + 2 * 9 * 8 * 8 + 9 * 8 * 12) // 4,
    "native10k": (3600 + 9 * 12 * 24 + 6 * 9 * 24 * 24 + 9 * 24 * 12) // 4,
    "native11k": (3600 + 9 * 12 * 24 + 4 * 9 * 24 * 24 + 9 * 24 * 12) // 4
    + (9 * 24 * 48 + 2 * 9 * 48 * 48 + 48 * 24) // 16,
    "native41k": (3600 + 9 * 12 * 64 + 4 * 9 * 64 * 64 + 9 * 64 * 12) // 4,
    "resnet": 114_691 - 16 - 5 * 80 - 3,
    "jjnet": 244_771 - 16 - 5 * 64 - 3,
    "memnet": 432 + 32 * 2304 + (64 + 80 + 96 + 112) * 16 + 432,
    "unet": 75_456 + 552_960 // 4 + 258_048 // 16,
    "denseunet": 40_464 + 89_856 // 4 + 62_208 // 16,
    "smallxception": 540 + 10 * (500 + 400) + 540,
    "densenet": 864 + 2 * (4608 + 6912 + 9216 + 80 * 32) + 864,
    "resnetyuv": 200 + 2 * 5632 + 72 + 1200 + 5 * 22_528 + 288,
}
# Bounded by 1 in Y, Cb and Cr, or by 0.1; B = Y + 1.772 Cb.
LARGEST_TANH = {"resnetyuv": 1 + 1.772, **dict.fromkeys(NATIVE_SIZES, 0.1 * (1 + 1.772))}
TRAINABLE = [name for name in ARCHITECTURES if name not in names.UNTRAINED]
ACTIVATED = [*((name, "none") for name in ARCHITECTURES), ("native11k", "tanh"), ("resnet", "tanh")]
THESIS = [name for name in TRAINABLE if name not in NATIVE_SIZES]
# Kernels beside the last one that are zero at first: the filter's, and the second one of each block.
N_ZERO = {"native1k": 1 + 1, "native10k": 1 + 3, "native11k": 1 + 2 + 1, "native41k": 1 + 2}
SIZES = [(16, 16), (17, 16), (16, 31), (33, 47), (48, 20)]


def _images(height: int, width: int, n_images: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((n_images, height, width, 3), np.float32)


@cache
def _built(architecture: str, activation: str = "none", start: str = "thesis") -> keras.Model:
    """Return a network that several tests look at and none changes."""
    return build_model(architecture, activation, start=start)


def _restored(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    restored: NDArray[np.float32] = keras.ops.convert_to_numpy(model(images))
    return restored


def _convolutions(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def _last(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if layer.name.startswith("last_")]


def _weights(model: keras.Model) -> list[NDArray[np.float32]]:
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def test_the_names_are_those_of_the_tables_of_functions() -> None:
    assert tuple(ARCHITECTURES) == names.ARCHITECTURES
    assert tuple(LOSSES) == names.LOSSES
    assert tuple(METRICS) == names.REPORTED_METRICS
    assert set(names.METRIC_DIRECTIONS.values()) <= {-1, 1}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_has_as_many_parameters_as_the_thesis_says_or_as_counted_by_hand(architecture: str) -> None:
    assert _built(architecture).count_params() == PARAMETERS[architecture]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_costs_the_multiplications_counted_by_hand(architecture: str) -> None:
    counted = FOOTPRINTS[architecture].macs_per_pixel if architecture in FOOTPRINTS else macs_per_pixel(architecture)
    assert counted == MACS_PER_PIXEL[architecture]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_saved_model_is_loaded_with_the_same_output(architecture: str, tmp_path: Path) -> None:
    model, images = build_model(architecture), _images(18, 21)
    rng = np.random.default_rng(5)
    for weight in model.weights:  # so that none that is zero at first is lost unseen
        weight.assign(weight + rng.uniform(0, 0.02, weight.shape).astype(np.float32))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(_restored(loaded, images), _restored(model, images))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"architecture": "resnet50"}, "unknown network 'resnet50'; known: identity, linear, native1k, "),
        ({"start": "near-identity"}, "unknown start 'near-identity'; known: thesis, near_identity"),
        ({"output_activation": "relu"}, "unknown output activation 'relu'; known: none, tanh"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(choice: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(**{"architecture": "resnet", **choice})


def test_densenet_is_smaller_than_resnet_as_the_thesis_says() -> None:
    assert PARAMETERS["densenet"] < PARAMETERS["resnet"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_height_and_width_from_16_px_comes_back_as_it_went_in(architecture: str) -> None:
    model = _built(architecture)
    for height, width in SIZES:
        images = _images(height, width)
        restored = _restored(model, images)
        assert restored.shape == images.shape
        assert restored.dtype == np.float32
        assert np.isfinite(restored).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_images_of_a_batch_are_restored_each_on_its_own(architecture: str) -> None:
    model, images = _built(architecture), _images(20, 20, n_images=3)
    one_by_one = np.concatenate([_restored(model, image[None]) for image in images])
    np.testing.assert_allclose(_restored(model, images), one_by_one, atol=1e-5)


@pytest.mark.parametrize(("architecture", "activation"), ACTIVATED)
def test_the_global_residual_adds_the_input_to_what_is_predicted(architecture: str, activation: str) -> None:
    images = _images(17, 20)
    with_input = _built(architecture, activation)
    alone = build_model(architecture, activation, global_residual=False)
    alone.set_weights(with_input.get_weights())
    np.testing.assert_allclose(_restored(with_input, images), images + _restored(alone, images), atol=1e-5)


def test_identity_returns_its_input_exactly() -> None:
    images = _images(19, 24)
    np.testing.assert_array_equal(_restored(build_model("identity"), images), images)


@pytest.mark.parametrize(("architecture", "activation"), ACTIVATED)
def test_near_identity_returns_its_input_exactly_before_training(architecture: str, activation: str) -> None:
    images = _images(19, 24)
    np.testing.assert_array_equal(_restored(_built(architecture, activation, "near_identity"), images), images)


@pytest.mark.parametrize("architecture", TRAINABLE)
def test_near_identity_starts_with_kernels_of_zero_mean_over_space(architecture: str) -> None:
    model = _built(architecture, start="near_identity")
    last = {id(layer.kernel) for layer in _last(model)}
    n_zero = 0
    kernels = [weight for weight in model.trainable_weights if len(weight.shape) == 4 and max(weight.shape[:2]) > 1]
    for kernel in kernels:
        values = keras.ops.convert_to_numpy(kernel)
        np.testing.assert_allclose(values.mean(axis=(0, 1)), 0, atol=1e-6)
        n_zero += int(values.std() == 0 and id(kernel) not in last)
        assert values.std() == 0 or id(kernel) not in last
    assert last
    assert n_zero == N_ZERO.get(architecture, 0)


@pytest.mark.parametrize("architecture", TRAINABLE)
def test_near_identity_is_the_start_of_the_thesis_less_its_means(architecture: str) -> None:
    keras.utils.set_random_seed(3)
    thesis = _convolutions(build_model(architecture))[0].kernel.numpy()
    keras.utils.set_random_seed(3)
    first = _convolutions(build_model(architecture, start="near_identity"))[0].kernel.numpy()
    np.testing.assert_allclose(first, thesis - thesis.mean(axis=(0, 1)), atol=1e-6)


@pytest.mark.parametrize("architecture", TRAINABLE)
def test_a_flat_image_gives_flat_features_of_nothing_but_biases_away_from_the_border(architecture: str) -> None:
    model = build_model(architecture, start="near_identity")
    for last in _last(model):
        last.kernel.assign(np.ones(last.kernel.shape, np.float32))
    flat = np.full((1, 160, 160, 3), 0.8, np.float32)
    np.testing.assert_allclose(_restored(model, flat)[:, 78:82, 78:82], 0.8, atol=1e-3)


@pytest.mark.parametrize("architecture", THESIS)
def test_the_start_of_the_thesis_is_the_default_of_keras(architecture: str) -> None:
    default = keras.layers.Conv2D(1, 1)
    for layer in _convolutions(_built(architecture)):
        assert type(layer.kernel_initializer) is type(default.kernel_initializer)
        assert np.ptp(layer.kernel.numpy()) > 0
        if layer.use_bias:
            assert type(layer.bias_initializer) is type(default.bias_initializer)
            assert not np.any(layer.bias.numpy())


@pytest.mark.parametrize(
    ("architecture", "start"),
    [*((name, "thesis") for name in TRAINABLE), ("native11k", "near_identity"), ("memnet", "near_identity")],
)
def test_a_seed_gives_the_same_weights_twice_and_another_seed_gives_others(architecture: str, start: str) -> None:
    weights = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        weights.append(_weights(build_model(architecture, start=start)))
    first, again, other = weights
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(np.any(one != three) for one, three in zip(first, other, strict=True))


@pytest.mark.parametrize("architecture", TRAINABLE)
def test_tanh_bounds_the_predicted_residual_and_none_does_not(architecture: str) -> None:
    images, largest = _images(16, 16), {}
    for activation in names.OUTPUT_ACTIVATIONS:
        keras.utils.set_random_seed(0)
        model = build_model(architecture, activation)
        for last in _last(model):
            last.kernel.assign(last.kernel * 1e6)
        largest[activation] = np.abs(_restored(model, images) - images).max()
    assert largest["tanh"] <= LARGEST_TANH.get(architecture, 1) + 1e-4
    assert largest["tanh"] > (0.09 if architecture in NATIVE_SIZES else 0.9)
    assert largest["none"] > 10


def _imports(statements: list[ast.stmt]) -> Iterator[str]:
    """Yield the modules that are imported when the module is: everywhere but inside functions."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield statement.module or ""
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
            handlers = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.ExceptHandler)]
            yield from _imports([*inner, *(line for handler in handlers for line in handler.body)])


@pytest.mark.parametrize("room", ["models", "datasets"])
def test_no_file_imports_tensorflow_at_module_level(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        imported = set(_imports(ast.parse(file.read_text()).body))
        assert not {name for name in imported if name.split(".")[0] in ("tensorflow", "jax")}, file


def test_an_import_inside_a_condition_or_a_class_counts_as_one_at_module_level() -> None:
    code = (
        "try:\n import a\nexcept ImportError:\n import b\nif 1:\n class C:\n  from c.d import e\ndef f():\n import g\n"
    )
    assert list(_imports(ast.parse(code).body)) == ["a", "b", "c.d"]


@pytest.mark.parametrize("architecture", ["resnet", "memnet", "unet", "smallxception", "native11k", "resnetyuv"])
def test_mixed_precision_keeps_weights_and_output_in_32_bits_and_the_input_unrounded(architecture: str) -> None:
    model, images = build_model(architecture, start="near_identity", precision="mixed_float16"), _images(16, 20)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    np.testing.assert_array_equal(_restored(model, images), images)
    usual = _built(architecture)
    halved = build_model(architecture, precision="mixed_float16")
    halved.set_weights(usual.get_weights())
    np.testing.assert_allclose(_restored(halved, images), _restored(usual, images), atol=0.05)
    assert np.any(_restored(halved, images) != _restored(usual, images))
