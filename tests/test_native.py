"""Planes, the filter and native networks: exact both ways, blind to flat colour, and starting from the filter."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.architectures.planes import PlaneFilter, ToPixels, ToPlanes
from models.architectures.upsampling import BilinearUpSampling2D
from models.build import build_model
from models.evaluation import restore
from models.sizes import NATIVE_SIZES, NetworkSize

SIDES = [(16, 16), (17, 16), (19, 33), (31, 20)]


def _images(height: int = 20, width: int = 24, n_images: int = 2, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((n_images, height, width, 3), np.float32)


def _values(tensor: keras.KerasTensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = keras.ops.convert_to_numpy(tensor)
    return values


def _filter(seed: int = 0) -> NDArray[np.float32]:
    """Return a filter [5, 5, 12, 12] without a mean over space."""
    kernel = np.random.default_rng(seed).normal(0, 0.02, (5, 5, 12, 12))
    return (kernel - kernel.mean(axis=(0, 1))).astype(np.float32)


def _put_filter(model: keras.Model, kernel: NDArray[np.float32]) -> keras.Model:
    (layer,) = [layer for layer in model.layers if isinstance(layer, PlaneFilter)]
    layer.set_filter(kernel)
    return model


def _filtered(planes: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what a filter makes of planes [H, W, 12], whose borders are mirrored with the last row repeated."""
    padded = np.pad(planes.astype(float), ((2, 2), (2, 2), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(0, 1))
    filtered: NDArray[np.float64] = np.einsum("hwcij,ijco->hwo", windows, kernel.astype(float))
    return filtered


def test_planes_are_luma_and_chroma_of_the_four_pixels_at_a_place() -> None:
    images = _images(4, 6)
    planes = _values(ToPlanes()(images))
    assert planes.shape == (2, 2, 3, 12)
    for corner, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        red, green, blue = np.moveaxis(images[:, row::2, column::2].astype(float), -1, 0)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        expected = np.stack([luma, (blue - luma) / 1.772, (red - luma) / 1.402], axis=-1)
        np.testing.assert_allclose(planes[..., 3 * corner : 3 * corner + 3], expected, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 1000))
def test_pixels_of_planes_are_the_pixels_as_they_were(height: int, width: int, seed: int) -> None:
    images = _images(2 * height, 2 * width, seed=seed)
    np.testing.assert_allclose(_values(ToPixels()(ToPlanes()(images))), images, atol=1e-6)


def test_planes_and_pixels_know_their_shapes() -> None:
    assert ToPlanes().compute_output_shape((None, 8, None, 3)) == (None, 4, None, 12)
    assert ToPixels().compute_output_shape((None, 4, None, 12)) == (None, 8, None, 3)


def test_the_filter_is_a_convolution_with_mirrored_borders_by_numpy() -> None:
    planes = np.random.default_rng(1).random((1, 7, 6, 12), np.float32)
    layer, kernel = PlaneFilter(), _filter()
    assert not np.any(_values(layer(planes)))  # nothing before it is fitted
    layer.set_filter(kernel)
    np.testing.assert_allclose(_values(layer(planes))[0], _filtered(planes[0], kernel), atol=1e-5)


def test_the_filter_has_no_mean_over_space_whatever_its_weights_are() -> None:
    planes = np.random.default_rng(1).random((1, 7, 6, 12), np.float32)
    layer, kernel = PlaneFilter(), _filter()
    layer(planes)
    layer.set_filter(kernel + np.float32(0.3))
    np.testing.assert_allclose(_values(layer(planes))[0], _filtered(planes[0], kernel), atol=1e-4)


@pytest.mark.parametrize("sides", SIDES)
def test_linear_adds_the_filter_of_the_planes_to_its_input(sides: tuple[int, int]) -> None:
    images, kernel = _images(*sides), _filter()
    even = np.pad(images, ((0, 0), (0, sides[0] % 2), (0, sides[1] % 2), (0, 0)), mode="reflect")
    planes = _values(ToPlanes()(even))
    residual = np.stack([_filtered(image, kernel) for image in planes]).astype(np.float32)
    expected = images + _values(ToPixels()(residual))[:, : sides[0], : sides[1]]
    np.testing.assert_allclose(_values(_put_filter(build_model("linear"), kernel)(images)), expected, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    seed=st.integers(0, 3),
)
def test_flat_colour_passes_linear_as_it_is_at_any_size(
    height: int, width: int, colour: tuple[int, int, int], seed: int
) -> None:
    flat = np.broadcast_to(np.array(colour, np.float32) / 255, (1, height, width, 3))
    restored = _values(LINEARS[seed](flat))
    np.testing.assert_allclose(restored, flat, atol=1e-5)
    np.testing.assert_array_equal(np.rint(restored * 255), np.rint(flat * 255))


LINEARS = [_put_filter(build_model("linear"), _filter(seed)) for seed in range(4)]


@pytest.mark.parametrize("sides", [(1, 1), (5, 8), (24, 31)])
def test_upsampling_is_keras_own_where_that_knows_the_sides(sides: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((2, *sides, 3), np.float32)
    expected = _values(keras.layers.UpSampling2D(2, interpolation="bilinear")(maps))
    np.testing.assert_allclose(_values(BilinearUpSampling2D(2, interpolation="bilinear")(maps)), expected, atol=1e-6)


def test_a_network_with_a_branch_restores_images_of_one_size_after_another() -> None:
    model = build_model("native11k", start="near_identity")
    tables = np.zeros(8, np.float32)
    for side in (32, 32, 48, 40):
        images = np.zeros((2, side, side, 3), np.uint8)
        assert restore(model, images, tables).shape == images.shape


@pytest.mark.parametrize("architecture", NATIVE_SIZES)
def test_a_native_network_starts_from_its_filter(architecture: str) -> None:
    images, kernel = _images(19, 22), _filter()
    network = _put_filter(build_model(architecture, start="near_identity"), kernel)
    linear = _put_filter(build_model("linear"), kernel)
    # padding differs where the sides are no multiples of four
    np.testing.assert_allclose(_values(network(images))[:, :12, :12], _values(linear(images))[:, :12, :12], atol=1e-5)
    assert np.abs(_values(network(images)) - images).max() > 0.01


@pytest.mark.parametrize("size", [NetworkSize(4, 1, downscale=4), NetworkSize(4, 2, kernel_px=5, branch_width=6)])
def test_the_fields_of_a_size_are_those_of_what_is_built(size: NetworkSize) -> None:
    model = build_model("native1k", size=size)
    kernels = [tuple(layer.kernel.shape) for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    head = (3, 3, 12, 4) if size.downscale == 2 else (4, 4, 12, 4)
    block = [(size.kernel_px, size.kernel_px, 4, 4)] * 2
    branch = [(3, 3, 4, 6), *[(size.kernel_px, size.kernel_px, 6, 6)] * 2, (1, 1, 6, 4)] if size.branch_width else []
    assert kernels == [head, *block, *branch, *block * (size.depth - 1), (3, 3, 4, 12)]
    images = _images(19, 23)
    assert _values(model(images)).shape == images.shape


def test_a_network_that_is_told_tables_starts_as_one_that_is_not_and_can_learn_to_heed_them(tmp_path: Path) -> None:
    images, kernel = _images(), _filter()
    tables = np.random.default_rng(2).random((2, 8), np.float32)
    told = build_model("native1k", start="near_identity", size=NetworkSize(8, 1, told_tables=True))
    plain = _put_filter(build_model("native1k", start="near_identity"), kernel)
    _put_filter(told, kernel)
    np.testing.assert_allclose(_values(told([images, tables])), _values(plain(images)), atol=1e-6)
    for layer in told.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.kernel.assign(np.ones(layer.kernel.shape, np.float32))
    assert np.any(_values(told([images, tables])) != _values(told([images, tables[::-1]])))
    told.save(tmp_path / "told.keras")
    loaded = keras.models.load_model(tmp_path / "told.keras")
    np.testing.assert_array_equal(_values(loaded([images, tables])), _values(told([images, tables])))
