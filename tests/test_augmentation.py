"""Crops and augmentations by name: the eight symmetries before compression, windows on chroma's grid, ranges."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.batches import (
    AUGMENTATIONS,
    CROPS,
    N_SYMMETRIES,
    Batch,
    BatchSettings,
    training_batches,
    turn,
    validation_batches,
)
from datasets.encoders.encoder import Encoder
from datasets.encoders.windows import encode_window
from datasets.jpeg import Window, decode_jpeg, encode_jpeg
from datasets.packed import PackedDataset
from datasets.tables import tables_of_quality

IMAGES = np.arange(12)
SETTINGS = BatchSettings(quality=50, batch_size=4, crop_px=32)


def _bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(pixels * 255).astype(np.uint8)


def test_the_symmetries_are_the_eight_of_the_square() -> None:
    image = np.arange(5 * 5 * 3, dtype=np.uint8).reshape(5, 5, 3)
    rotated = [np.rot90(image, quarter) for quarter in range(4)]
    expected = {part.tobytes() for part in (*rotated, *(part[:, ::-1] for part in rotated))}
    found = {turn(image, symmetry).tobytes() for symmetry in range(N_SYMMETRIES)}
    assert len(found) == 8
    assert found == expected
    np.testing.assert_array_equal(turn(image, 0), image)


@pytest.mark.parametrize("symmetry", range(N_SYMMETRIES))
def test_a_symmetry_turns_oblong_images_too(symmetry: int) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert turn(image, symmetry).shape == ((6, 4, 3) if symmetry & 4 else (4, 6, 3))


def test_symmetries_come_before_compression_and_all_eight_come_up(small_pack: PackedDataset) -> None:
    settings = replace(SETTINGS, augmentation="symmetries")
    turned = {
        turn(np.asarray(image), symmetry)[32:64, 32:64].tobytes(): (place, symmetry)
        for place, image in enumerate(small_pack.originals)
        for symmetry in range(N_SYMMETRIES)
    }
    seen = set()
    for epoch in range(4):
        for degraded, original in training_batches(small_pack, IMAGES, settings, epoch):
            for shown, wanted in zip(degraded, original, strict=True):
                place, symmetry = turned[_bytes(wanted).tobytes()]
                image = np.ascontiguousarray(turn(np.asarray(small_pack.originals[place]), symmetry))
                whole = decode_jpeg(encode_jpeg(image, 50))
                np.testing.assert_array_equal(_bytes(shown), whole[32:64, 32:64])
                seen.add(symmetry)
    assert seen == set(range(N_SYMMETRIES))


def test_crops_on_the_grid_of_chroma_start_at_even_offsets_and_reach_every_edge() -> None:
    rng = np.random.default_rng(0)
    starts = {(window[0].start, window[1].start) for window in (CROPS["chroma-grid"](40, 35, rng) for _ in range(300))}
    assert starts == {(top, left) for top in (0, 2, 4) for left in (0, 2, 4)}
    window = CROPS["chroma-grid"](40, 40, rng)
    assert window == (slice(0, 40), slice(0, 40))


@pytest.mark.parametrize("crop", CROPS)
def test_every_crop_is_inside_the_image_and_as_large_as_asked(crop: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        for side in CROPS[crop](47, 32, rng):
            assert side.stop - side.start == 32
            assert 0 <= side.start <= 47 - 32


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_every_crop_with_every_augmentation_gives_the_same_batches_twice(
    small_pack: PackedDataset, crop: str, augmentation: str
) -> None:
    settings = replace(SETTINGS, crop=crop, augmentation=augmentation, quality="20-80", seed=2)
    one, two = (list(training_batches(small_pack, IMAGES, settings, 1, n_threads)) for n_threads in (1, 3))
    for (degraded, original), (degraded_too, original_too) in zip(one, two, strict=True):
        np.testing.assert_array_equal(degraded, degraded_too)
        np.testing.assert_array_equal(original, original_too)


def test_qualities_of_a_range_fill_it_and_are_drawn_for_each_sample(small_pack: PackedDataset) -> None:
    asked: list[int] = []
    settings = replace(SETTINGS, quality="48-52", tables=True)
    by_tables = {tables_of_quality(quality).tobytes(): quality for quality in range(40, 60)}
    for epoch in range(20):
        for (_, tables), _ in training_batches(small_pack, IMAGES, settings, epoch):
            asked += [by_tables[row.tobytes()] for row in tables]
    assert set(asked) == {48, 49, 50, 51, 52}
    assert min(asked.count(quality) for quality in set(asked)) > 20


def test_tables_told_are_those_of_what_is_shown(small_pack: PackedDataset) -> None:
    settings = replace(SETTINGS, quality="20-80", tables=True)
    by_tables = {tables_of_quality(quality).tobytes(): quality for quality in range(20, 81)}
    place = 0
    for (degraded, tables), _ in validation_batches(small_pack, IMAGES, settings):
        for shown, row in zip(degraded, tables, strict=True):
            whole = decode_jpeg(encode_jpeg(np.asarray(small_pack.originals[place]), by_tables[row.tobytes()]))
            np.testing.assert_array_equal(_bytes(shown), whole[32:64, 32:64])
            place += 1
    assert place == len(IMAGES)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """List the qualities of all windows that are compressed to be kept."""
    qualities: list[int] = []

    def encode(image: NDArray[np.uint8], encoder: Encoder, window: Window) -> bytes:
        qualities.append(encoder.quality or 0)
        return encode_window(image, encoder, window)

    monkeypatch.setattr("datasets.batches.encode_window", encode)
    return qualities


def _assert_same(some: list[Batch], others: list[Batch]) -> None:
    for batch, other in zip(some, others, strict=True):
        for side, other_side in zip(batch, other, strict=True):
            np.testing.assert_array_equal(side, other_side)


@pytest.mark.parametrize("quality", ["61-64", 75])  # of 75 the pack keeps files
def test_each_validation_file_is_made_but_once(small_pack: PackedDataset, encoded: list[int], quality: Any) -> None:
    settings = replace(SETTINGS, quality=quality)
    files: dict[int, bytes] = {}
    anew = list(validation_batches(small_pack, IMAGES, settings))
    assert encoded == []
    for _ in range(3):
        _assert_same(list(validation_batches(small_pack, IMAGES, settings, files=files)), anew)
    assert len(encoded) == len(files) == len(IMAGES)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"crop": "center"}, "unknown crop 'center'; known: centre, random, chroma-grid"),
        ({"augmentation": "flip"}, "unknown augmentation 'flip'; known: none, flips-brightness, symmetries"),
        ({"quality": "low"}, "a training quality must be 1..100, 'random' or a range such as '20-80', got 'low'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(choice: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **choice)  # type: ignore[arg-type]
