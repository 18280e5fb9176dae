"""Sizes of native networks: checked when built, counted as what is built, and the rates that follow from them."""

import math

import pytest

from models.cost import count_footprint
from models.footprint import FOOTPRINTS, footprint, native_footprint, training_memory_mb
from models.sizes import NATIVE_SIZES, SIZE_FIELDS, NetworkSize, network_size, rate_factor

SIZES = [
    *NATIVE_SIZES.values(),
    NetworkSize(16, 4),
    NetworkSize(8, 2, kernel_px=5),
    NetworkSize(32, 2, downscale=4),
    NetworkSize(20, 1, kernel_px=5, downscale=4),
    NetworkSize(16, 3, branch_width=24),
    NetworkSize(12, 2, downscale=4, branch_width=16),
    NetworkSize(12, 2, kernel_px=5, branch_width=20),
    NetworkSize(24, 3, told_tables=True),
    NetworkSize(12, 2, branch_width=16, told_tables=True),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_footprint_by_formula_is_the_one_counted_from_the_network_as_built(size: NetworkSize) -> None:
    counted = count_footprint("native10k", size)
    assert native_footprint(size) == counted
    assert footprint("native10k", size) == counted


def test_the_table_of_footprints_holds_the_sizes_of_the_table_of_sizes() -> None:
    for name, size in NATIVE_SIZES.items():
        assert FOOTPRINTS[name] == footprint(name) == native_footprint(size)


def test_the_sizes_are_about_those_that_their_names_say() -> None:
    macs = {name: FOOTPRINTS[name].macs_per_pixel for name in NATIVE_SIZES}
    assert macs == {"native1k": 1_620, "native10k": 9_972, "native11k": 10_692, "native41k": 41_220}
    assert 10 * max(macs["native10k"], macs["native11k"]) < FOOTPRINTS["jjnet"].macs_per_pixel


def test_a_size_is_that_of_the_table_with_some_fields_changed() -> None:
    assert network_size("native10k") == NATIVE_SIZES["native10k"]
    assert network_size("native11k", width=16, depth=None) == NetworkSize(16, 2, branch_width=48)
    assert network_size("resnet", width=None) is None
    assert set(SIZE_FIELDS) == {"width", "depth", "kernel_px", "downscale", "told_tables"}


@pytest.mark.parametrize("name", ["resnet", "identity", "linear"])
def test_a_network_without_fields_of_size_is_given_none(name: str) -> None:
    message = f"{name} has no depth; networks that have: native1k, native10k, native11k, native41k; leave depth out"
    with pytest.raises(ValueError, match=message):
        network_size(name, width=None, depth=3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, "width must be a whole number of at least 1, got 0"),
        ({"width": 8.0}, "width must be a whole number of at least 1, got 8.0"),
        ({"depth": True}, "depth must be a whole number of at least 1, got True"),
        ({"kernel_px": 4}, "kernel_px must be one of 3, 5, got 4"),
        ({"downscale": 3}, "downscale must be one of 2, 4, got 3"),
    ],
)
def test_a_size_that_cannot_be_built_is_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkSize(**{"width": 8, "depth": 1, **fields})


def test_the_rate_falls_with_width_and_with_the_root_of_depth_and_never_rises() -> None:
    assert rate_factor(None) == rate_factor(NATIVE_SIZES["native10k"]) == 1
    assert rate_factor(NetworkSize(48, 3)) == 0.5
    assert rate_factor(NetworkSize(24, 12)) == 0.5
    assert rate_factor(NetworkSize(12, 12)) == 1
    assert rate_factor(NetworkSize(12, 3)) == rate_factor(NATIVE_SIZES["native1k"]) == 1
    assert rate_factor(NATIVE_SIZES["native41k"]) == pytest.approx(24 / 64 * math.sqrt(3 / 2))


def test_a_wider_network_is_estimated_to_take_more_memory() -> None:
    setting = ("native10k", "mse", 16, 96)
    usual, wider = (training_memory_mb(*setting, size) for size in (None, NetworkSize(96, 3)))
    assert training_memory_mb(*setting, NATIVE_SIZES["native10k"]) == usual
    assert wider > 1.5 * usual
