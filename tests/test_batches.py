"""Batches: aligned crops of what the whole image's JPEG shows, exact pixels, and randomness that obeys its seed."""

import io
import threading
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.batches import Batch, BatchSettings, centre_window, training_batches, validation_batches
from datasets.errors import InputError
from datasets.jpeg import Window
from datasets.packed import PackedDataset
from datasets.prefetch import map_ahead

SETTINGS = BatchSettings(quality=75, batch_size=5, crop_px=32)
IMAGES = np.arange(12)
CENTRE = slice(32, 64), slice(32, 64)  # of 96 px: (96 - 32) / 2 = 32


class RecordingPack(PackedDataset):
    """A pack that notes which image was asked for at which quality and window."""

    def degraded(self, image: int, quality: int, window: Window | None = None) -> NDArray[np.uint8]:
        asked = self.manifest.setdefault("asked", [])
        asked.append((image, quality, window))
        return super().degraded(image, quality, window)

    def degraded_again(self, image: int, quality: int, window: Window) -> NDArray[np.uint8]:
        return self.degraded(image, quality, window)


@pytest.fixture
def recording_pack(small_pack: PackedDataset) -> RecordingPack:
    values = {field.name: getattr(small_pack, field.name) for field in fields(small_pack)}
    return RecordingPack(**values | {"manifest": dict(small_pack.manifest)})


def _decoded(pack: PackedDataset, image: int, quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pack.originals[image])).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def _units(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels.astype(np.float32) / np.float32(255)


def _joined(batches: Iterator[Batch]) -> Batch:
    degraded, original = zip(*batches, strict=True)
    return np.concatenate(degraded), np.concatenate(original)


def _place(pack: PackedDataset, crop: NDArray[np.float32]) -> tuple[int, int, int]:
    """Return image, top and left of a crop of the originals."""
    size_px = len(crop)
    wanted = np.round(crop * 255).astype(np.uint8)
    for image, pixels in enumerate(pack.originals):
        windows = np.lib.stride_tricks.sliding_window_view(pixels[..., 1], (4, 4))[: 97 - size_px, : 97 - size_px]
        for top, left in np.argwhere((windows == wanted[:4, :4, 1]).all(axis=(2, 3))).tolist():
            if np.array_equal(pixels[top : top + size_px, left : left + size_px], wanted):
                return image, top, left
    raise AssertionError("the crop is in no image")


def test_a_crop_of_192_starts_at_row_and_column_84_of_a_360_image() -> None:
    assert centre_window(360, 192) == (slice(84, 276), slice(84, 276))
    assert centre_window(9, 4) == (slice(2, 6), slice(2, 6))
    assert centre_window(96, 96) == (slice(0, 96), slice(0, 96))


@pytest.mark.parametrize("crop", ["centre", "random"])
def test_batches_are_float32_between_0_and_1_and_the_last_one_is_smaller(small_pack: PackedDataset, crop: str) -> None:
    settings = replace(SETTINGS, crop=crop, augmentation="flips-brightness")
    batches = list(training_batches(small_pack, IMAGES, settings, epoch=0))
    assert [degraded.shape for degraded, _ in batches] == [(5, 32, 32, 3), (5, 32, 32, 3), (2, 32, 32, 3)]
    for degraded, original in batches:
        assert degraded.shape == original.shape
        for side in (degraded, original):
            assert side.dtype == np.float32
            assert side.flags["C_CONTIGUOUS"]
            assert 0 <= side.min() <= side.max() <= 1


@pytest.mark.parametrize("batch_size", [1, 4, 6, 12, 100])
def test_every_image_comes_once_an_epoch_whatever_the_batch_size(small_pack: PackedDataset, batch_size: int) -> None:
    batches = list(training_batches(small_pack, IMAGES, replace(SETTINGS, batch_size=batch_size), epoch=0))
    assert [len(degraded) for degraded, _ in batches[:-1]] == [batch_size] * (len(batches) - 1)
    places = [_place(small_pack, crop) for _, original in batches for crop in original]
    assert sorted(places) == [(image, 32, 32) for image in range(12)]


def test_no_images_make_no_batches(small_pack: PackedDataset) -> None:
    assert list(training_batches(small_pack, IMAGES[:0], SETTINGS, epoch=0)) == []
    assert list(validation_batches(small_pack, IMAGES[:0], SETTINGS)) == []


@pytest.mark.parametrize("quality", [75, 63], ids=["packed", "on the fly"])
def test_the_whole_image_is_compressed_then_cropped_in_the_centre(small_pack: PackedDataset, quality: int) -> None:
    degraded, original = _joined(validation_batches(small_pack, IMAGES, replace(SETTINGS, quality=quality)))
    for image in range(12):
        np.testing.assert_array_equal(degraded[image], _units(_decoded(small_pack, image, quality)[CENTRE]))
        np.testing.assert_array_equal(original[image], _units(small_pack.originals[image][CENTRE]))


def test_random_crops_of_both_images_are_the_same_window(small_pack: PackedDataset) -> None:
    batches = training_batches(small_pack, IMAGES, replace(SETTINGS, crop="random"), epoch=0)
    places = []
    for degraded, original in zip(*_joined(batches), strict=True):
        image, top, left = _place(small_pack, original)
        window = slice(top, top + 32), slice(left, left + 32)
        np.testing.assert_array_equal(degraded, _units(_decoded(small_pack, image, 75)[window]))
        places.append((top, left))
    assert len(set(places)) > 6


def test_random_crops_reach_every_edge(recording_pack: RecordingPack) -> None:
    settings = replace(SETTINGS, crop="random", crop_px=94)
    for epoch in range(10):
        list(training_batches(recording_pack, IMAGES, settings, epoch))
    starts = {(window[0].start, window[1].start) for _, _, window in recording_pack.manifest["asked"]}
    assert starts == {(top, left) for top in range(3) for left in range(3)}


def test_validation_keeps_the_order_of_the_images_and_is_never_augmented(small_pack: PackedDataset) -> None:
    images = np.array([7, 2, 9])
    settings = replace(SETTINGS, crop="random", augmentation="flips-brightness")
    _, original = _joined(validation_batches(small_pack, images, settings))
    assert [_place(small_pack, crop) for crop in original] == [(7, 32, 32), (2, 32, 32), (9, 32, 32)]


SHAKEN = replace(SETTINGS, quality="random", crop="random", augmentation="flips-brightness", seed=3)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_the_same_seed_and_epoch_give_the_same_batches_whatever_the_threads(
    small_pack: PackedDataset, n_threads: int
) -> None:
    expected = _joined(training_batches(small_pack, IMAGES, SHAKEN, epoch=4))
    found = _joined(training_batches(small_pack, IMAGES, SHAKEN, epoch=4, n_threads=n_threads))
    np.testing.assert_array_equal(found, expected)
    expected = _joined(validation_batches(small_pack, IMAGES, SHAKEN))
    np.testing.assert_array_equal(_joined(validation_batches(small_pack, IMAGES, SHAKEN, n_threads)), expected)


def test_the_batch_size_does_not_change_the_samples(small_pack: PackedDataset) -> None:
    expected = _joined(training_batches(small_pack, IMAGES, SHAKEN, epoch=0))
    found = _joined(training_batches(small_pack, IMAGES, replace(SHAKEN, batch_size=7), epoch=0))
    np.testing.assert_array_equal(found, expected)


def test_another_epoch_and_another_seed_give_another_order(small_pack: PackedDataset) -> None:
    runs = [(SETTINGS, 0), (SETTINGS, 1), (replace(SETTINGS, seed=1), 0)]
    originals = [_joined(training_batches(small_pack, IMAGES, settings, epoch))[1] for settings, epoch in runs]
    orders = {tuple(_place(small_pack, crop)[0] for crop in original) for original in originals}
    assert len(orders) == 3


def test_random_training_qualities_fill_25_to_100_and_are_drawn_anew_for_each_sample(
    recording_pack: RecordingPack,
) -> None:
    settings = replace(SETTINGS, quality="random", crop_px=16)
    for epoch in range(100):
        list(training_batches(recording_pack, IMAGES, settings, epoch))
    asked = [(image, quality) for image, quality, _ in recording_pack.manifest["asked"]]
    assert {quality for _, quality in asked} == set(range(25, 101))
    assert all(len({quality for image, quality in asked if image == of}) > 20 for of in range(12))


def test_a_random_validation_quality_belongs_to_the_image(recording_pack: RecordingPack) -> None:
    settings = replace(SETTINGS, quality="random")
    for images in (IMAGES, IMAGES[::-1], IMAGES[3:5]):
        list(validation_batches(recording_pack, images, settings))
    drawn = {(image, quality) for image, quality, _ in recording_pack.manifest["asked"]}
    assert len(drawn) == 12
    assert all(25 <= quality <= 100 for _, quality in drawn)
    assert len({quality for _, quality in drawn}) > 6


def test_without_augmentation_the_pixels_are_exact(small_pack: PackedDataset) -> None:
    degraded, original = _joined(training_batches(small_pack, IMAGES, SETTINGS, epoch=0))
    for of_degraded, of_original in zip(degraded, original, strict=True):
        image, _, _ = _place(small_pack, of_original)
        np.testing.assert_array_equal(of_original, _units(small_pack.originals[image][CENTRE]))
        np.testing.assert_array_equal(of_degraded, _units(_decoded(small_pack, image, 75)[CENTRE]))


def test_flips_and_brightness_are_the_same_on_both_images(small_pack: PackedDataset) -> None:
    plain = [_joined(training_batches(small_pack, IMAGES, SETTINGS, epoch)) for epoch in range(4)]
    shaken = replace(SETTINGS, augmentation="flips-brightness")
    seen_flips, seen_brightness = set(), []
    for epoch, (degraded, original) in enumerate(plain):
        pairs = zip(degraded, original, *_joined(training_batches(small_pack, IMAGES, shaken, epoch)), strict=True)
        for of_degraded, of_original, found_degraded, found_original in pairs:
            flips, brightness = _augmentation(of_original, found_original)
            expected = np.minimum(_flipped(of_degraded, flips) * brightness, 1)
            np.testing.assert_allclose(found_degraded, expected, rtol=1e-5)
            seen_flips.add(flips)
            seen_brightness.append(brightness)
    assert seen_flips == {(1, 1), (1, -1), (-1, 1), (-1, -1)}
    assert 0.8 <= min(seen_brightness) < 0.9
    assert 1.1 < max(seen_brightness) <= 1.2


def _flipped(image: NDArray[np.float32], flips: tuple[int, int]) -> NDArray[np.float32]:
    return image[:: flips[0], :: flips[1]]


def _augmentation(before: NDArray[np.float32], after: NDArray[np.float32]) -> tuple[tuple[int, int], np.float32]:
    """Return the flips and the brightness that lead from one image to the other."""
    for flips in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        flipped = _flipped(before, flips)
        darkest = np.unravel_index(flipped.argmin(), flipped.shape)  # not cut off at 1
        brightness = after[darkest] / flipped[darkest]
        if np.allclose(np.minimum(flipped * brightness, 1), after, rtol=1e-5):
            return flips, brightness
    raise AssertionError("no flips and brightness lead from one to the other")


def test_a_batch_stays_what_it_is_when_the_next_ones_are_made(small_pack: PackedDataset) -> None:
    batches = training_batches(small_pack, IMAGES, replace(SETTINGS, batch_size=2), epoch=0)
    first, _ = next(batches)
    before = first.copy()
    list(batches)
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize("crop", ["centre", "random"])
def test_a_crop_as_large_as_the_image_is_the_image_and_a_larger_one_is_refused(
    small_pack: PackedDataset, crop: str
) -> None:
    _, original = next(training_batches(small_pack, IMAGES[:1], replace(SETTINGS, crop_px=96, crop=crop), epoch=0))
    np.testing.assert_array_equal(original[0], _units(small_pack.originals[0]))
    too_large = replace(SETTINGS, crop_px=97, crop=crop)
    with pytest.raises(InputError, match="the crop must fit in the pack's 96 px images, got crop_px=97"):
        training_batches(small_pack, IMAGES, too_large, epoch=0)
    with pytest.raises(InputError, match="the crop must fit in the pack's 96 px images, got crop_px=97"):
        validation_batches(small_pack, IMAGES, too_large)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_work_done_ahead_comes_in_order_and_is_bounded(n_threads: int) -> None:
    taken: list[int] = []
    items = (taken.append(item) or item for item in range(1, 51))
    results = []
    for square in map_ahead(lambda item: item**2, items, n_threads, n_ahead=4):
        results.append(square)
        assert len(taken) <= len(results) + 4
    assert results == [item**2 for item in range(1, 51)]


def test_the_first_error_of_work_done_ahead_is_raised_in_its_place() -> None:
    results = map_ahead(lambda item: 12 // item, [3, 2, 0, 1], n_threads=2, n_ahead=4)
    assert [next(results), next(results)] == [4, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_batches_left_alone_end_their_threads(small_pack: PackedDataset) -> None:
    before = threading.active_count()
    batches = training_batches(small_pack, IMAGES, replace(SETTINGS, batch_size=1), epoch=0, n_threads=3)
    next(batches)
    assert threading.active_count() > before
    del batches
    assert threading.active_count() == before
