"""Images that stand for many: dealt over systems, a field once, and the same whenever they are asked for."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.sampling import deal_images
from datasets.smear import draw_smear
from datasets.sources.source import SourceImage
from search.space.scale import Protocol

SIZE_PX = 64
SYSTEMS = ("a", "b", "c")
N_OF_SYSTEM = {"a": 14, "b": 6, "c": 4}
TWINS = {"a": ((0, 1), (0, 2), (5, 6)), "b": ((0, 1),)}  # images of one field: the first, and one a little brighter


def _pixels(system: str, number: int) -> np.ndarray:
    shown = dict((twin, first) for first, twin in TWINS.get(system, ())).get(number, number)
    rng = np.random.default_rng((SYSTEMS.index(system), shown))
    image = draw_smear("white", rng)[100 : 100 + SIZE_PX, 100 : 100 + SIZE_PX]
    return np.clip(image.astype(int) + (number - shown), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """A pack whose names are sorted by system, as real ones are, and in which some fields are shown twice."""
    folder: Path = tmp_path_factory.mktemp("dealt") / "pack"
    sources = [
        SourceImage(f"{system}/{number:02d}.png", system, lambda system=system, number=number: _pixels(system, number))
        for system, n_images in N_OF_SYSTEM.items()
        for number in range(n_images)
    ]
    write_pack(sources, folder, PackSettings(SIZE_PX, (25, 50, 75), "three systems"))
    return open_pack(folder)


def _images(pack: PackedDataset) -> np.ndarray:
    return np.arange(len(pack.names))


def _shown(pack: PackedDataset, image: int) -> tuple[str, int]:
    """Return the field that an image shows."""
    system, number = pack.systems[image], int(Path(pack.names[image]).stem)
    return system, dict((twin, first) for first, twin in TWINS.get(system, ())).get(number, number)


@pytest.mark.parametrize(
    ("n_wanted", "expected"),
    [(3, {"a": 1, "b": 1, "c": 1}), (9, {"a": 3, "b": 3, "c": 3}), (15, {"a": 6, "b": 5, "c": 4})],
)
def test_images_are_dealt_over_systems(pack: PackedDataset, n_wanted: int, expected: dict[str, int]) -> None:
    dealt = deal_images(pack, _images(pack), n_wanted)
    assert Counter(pack.systems[image] for image in dealt) == expected


@settings(deadline=None, max_examples=30)
@given(n_wanted=st.integers(1, 30))
def test_dealt_images_are_ascending_different_and_as_many_as_wanted(pack: PackedDataset, n_wanted: int) -> None:
    dealt = deal_images(pack, _images(pack), n_wanted)
    assert len(dealt) == min(n_wanted, len(pack.names))
    assert np.all(np.diff(dealt) > 0)
    np.testing.assert_array_equal(dealt, deal_images(pack, _images(pack), n_wanted))


def test_a_field_comes_once_while_there_are_others(pack: PackedDataset) -> None:
    n_fields = len({_shown(pack, image) for image in _images(pack)})
    assert n_fields == len(pack.names) - 4
    for n_wanted in (3, 6, 9, 12, 15):
        dealt = deal_images(pack, _images(pack), n_wanted)
        assert len({_shown(pack, image) for image in dealt}) == n_wanted


def test_images_of_a_field_seen_before_come_where_there_are_too_few_without(pack: PackedDataset) -> None:
    dealt = deal_images(pack, _images(pack), len(pack.names) - 1)
    assert len(dealt) == len(pack.names) - 1


@pytest.mark.parametrize("n_wanted", [None, 5, 6, 100])
def test_none_or_too_many_is_all(pack: PackedDataset, n_wanted: int | None) -> None:
    images = np.array([1, 2, 15, 16, 20])
    np.testing.assert_array_equal(deal_images(pack, images, n_wanted), images)


def test_a_system_with_too_few_images_leaves_its_share_to_the_others(pack: PackedDataset) -> None:
    images = np.array([i for i, system in enumerate(pack.systems) if system != "b"])
    counts = Counter(pack.systems[image] for image in deal_images(pack, images, 10))
    assert counts == {"a": 6, "c": 4}


def test_neighbours_by_name_are_not_taken_in_their_order(pack: PackedDataset) -> None:
    images = np.array([i for i, system in enumerate(pack.systems) if system == "a"])
    assert list(deal_images(pack, images, 4)) != list(images[:4])


def test_a_protocol_monitors_scores_and_tests_images_of_every_system(pack: PackedDataset) -> None:
    protocol = Protocol(n_monitored=3, monitor_px=32, n_scored=3, n_tested=3)
    validation = [
        protocol.images_to_monitor(pack, "data100"),
        protocol.images_to_score(pack, "data100", "validation"),
    ]
    for images in validation:
        subset = pack.images_of("data100", "validation")
        assert set(images) <= set(subset)
        np.testing.assert_array_equal(images, deal_images(pack, subset, 3))
    tested = protocol.images_to_score(pack, "data100", "test")
    np.testing.assert_array_equal(tested, deal_images(pack, pack.images_of("data100", "test"), 3))


def test_tiny_is_tested_on_the_test_images_of_data101(pack: PackedDataset) -> None:
    everything = Protocol(n_monitored=1, monitor_px=32, n_scored=1)
    np.testing.assert_array_equal(everything.images_to_score(pack, "tiny", "test"), pack.images_of("data101", "test"))
