"""Tiles: how far each network sees, and that an image in tiles is restored as in one piece."""

import keras
import numpy as np
import pytest

from models.build import build_model, build_restorer
from models.names import ARCHITECTURES
from models.restoring.network import load_network
from models.restoring.reach import Reach, ReachError, find_reach
from models.restoring.tiles import Network, tiles_of
from tests.model_fixture import drawn_model_file

# Sides that are odd and even, and no multiple of a tile's.
HEIGHT, WIDTH, CORE_PX = 83, 118, 32
REACHES_BY_HAND = {
    "identity": Reach(0, 0, 1),
    "resnet": Reach(2 + 5 * 3 + 1, 2 + 5 * 3 + 1, 1),
    "memnet": Reach(1 + 4 * 4 * 2 + 1, 1 + 4 * 4 * 2 + 1, 1),
    "linear": Reach(2 * 2 + 1, 1 + 2 * 2, 2),  # a place of half resolution is a pixel and the one after it
    "native1k": Reach(2 + 2 * 2 + 2 + 1, 1 + 2 + 2 * 2 + 2, 2),
}


@pytest.mark.parametrize("architecture", REACHES_BY_HAND)
def test_a_reach_is_that_reckoned_by_hand(architecture: str) -> None:
    assert find_reach(build_model(architecture)) == REACHES_BY_HAND[architecture]


def test_networks_that_halve_the_image_are_aligned() -> None:
    assert find_reach(build_model("unet")).multiple == 4
    assert find_reach(build_model("native11k")).multiple == 4
    assert find_reach(build_model("native10k")).multiple == 2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tiles_give_what_the_whole_image_gives(architecture: str) -> None:
    model = load_network(drawn_model_file(architecture, start="thesis"))
    network, reach = Network(model), find_reach(model)
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    tables = np.zeros(8, np.float32)
    whole = network(image, tables)
    tiles = list(tiles_of(HEIGHT, WIDTH, reach, CORE_PX))
    assert len(tiles) > 4
    given = np.full_like(whole, np.nan)
    for tile in tiles:
        given[tile.core] = network(image[tile.window], tables)[tile.inner]
    assert architecture == "identity" or np.abs(whole - image / 255).max() > 1e-3
    np.testing.assert_allclose(given, whole, rtol=0, atol=3e-6)  # 2.03e-6 was seen once
    near_halves = np.abs(whole * 255 % 1 - 0.5) < 1e-3  # may round to either side
    assert near_halves.mean() < 0.01
    np.testing.assert_array_equal(np.rint(given * 255)[~near_halves], np.rint(whole * 255)[~near_halves])


def test_less_than_the_reach_is_too_little() -> None:
    model = load_network(drawn_model_file("resnet", start="thesis"))
    network, reach = Network(model), find_reach(model)
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    whole = network(image, np.zeros(8, np.float32))
    less = Reach(reach.before_px - 8, reach.after_px - 8, 1)
    seams = [
        np.abs(network(image[tile.window], np.zeros(8, np.float32))[tile.inner] - whole[tile.core]).max()
        for tile in tiles_of(HEIGHT, WIDTH, less, CORE_PX)
    ]
    assert max(seams) > 1e-5


@pytest.mark.parametrize("side", [1, 15, 32, 33, 512, 513, 1040, 16385])
def test_tiles_cover_every_pixel_once(side: int) -> None:
    tiles = list(tiles_of(side, 1, Reach(5, 7, 4)))
    assert [tile.core[0].start for tile in tiles] == [0, *(tile.core[0].stop for tile in tiles[:-1])]
    assert tiles[-1].core[0].stop == side
    for tile in tiles:
        rows, window = tile.core[0], tile.window[0]
        assert window.start == max(0, rows.start - 8)
        assert window.stop == side or window.stop >= rows.stop + 8
        assert rows.start % 16 == window.start % 4 == 0
    assert len({tile.window[0].stop - tile.window[0].start for tile in tiles}) <= 3


def test_an_unknown_reach_is_one_tile() -> None:
    (tile,) = tiles_of(2000, 1000, None)
    assert tile.core == tile.window == (slice(0, 2000), slice(0, 1000))


def _pools_the_image(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(degraded)
    return keras.layers.Multiply()([degraded, mean])


def _shrinks(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return keras.layers.ZeroPadding2D(1)(keras.layers.Conv2D(3, 3, padding="valid")(degraded))


def _slices_space(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return degraded[:, ::-1]


def _joins_resolutions(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    small = keras.layers.Conv2D(3, 3, strides=2, padding="same")(degraded)
    return keras.layers.Add()([degraded, small])


def _is_left_small(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return keras.layers.MaxPooling2D(2)(degraded)


def _is_uneven(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return keras.layers.UpSampling2D((1, 2))(keras.layers.MaxPooling2D((1, 2))(degraded))


def _enlarges_smoothly(degraded: keras.KerasTensor, last: object) -> keras.KerasTensor:
    return keras.layers.UpSampling2D(2, interpolation="bicubic")(keras.layers.MaxPooling2D(2)(degraded))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (_pools_the_image, "GlobalAveragePooling2D"),
        (_shrinks, "by a border"),
        (_slices_space, "GetItem"),
        (_is_uneven, "differs between rows and columns"),
        (_enlarges_smoothly, "bicubic interpolation"),
    ],
)
def test_what_is_not_known_to_be_local_has_no_reach(network: object, words: str) -> None:
    with pytest.raises(ReachError, match=words):
        find_reach(build_restorer(network), is_known=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("network", "words"), [(_joins_resolutions, "of different resolution"), (_is_left_small, "another resolution")]
)
def test_resolutions_must_fit(network: object, words: str) -> None:
    image = keras.Input((None, None, 3))
    with pytest.raises(ReachError, match=words):
        find_reach(keras.Model(image, network(image, None)))  # type: ignore[operator]


@pytest.mark.parametrize(("side", "largest"), [(7000, 512), (7100, 256)])
def test_images_that_take_most_of_the_memory_have_small_tiles(side: int, largest: int) -> None:
    cores = [tile.core for tile in tiles_of(side, side, REACHES_BY_HAND["native1k"])]
    sides = {part.stop - part.start for core in cores for part in core}
    assert largest / 2 < max(sides) <= largest
    assert sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in cores) == side**2
