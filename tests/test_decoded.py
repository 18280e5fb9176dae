"""Decoded windows: kept within a bound, the same pixels as decoded anew, whatever asks for them."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets import decoded
from datasets.batches import BatchSettings, training_batches
from datasets.decoded import DecodedWindows, free_bytes
from datasets.jpeg import Window
from datasets.packed import PackedDataset

IMAGE = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
ONE, OTHER = (slice(0, 4), slice(2, 6)), (slice(8, 16), slice(0, 4))


class Decoder:
    """Decodes images that are all alike, and counts how often."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, Window | None]] = []

    def __call__(self, image: int, quality: int, window: Window | None) -> NDArray[np.uint8]:
        self.asked.append((image, quality, window))
        return IMAGE.copy() if window is None else IMAGE[window].copy()


def test_one_window_is_decoded_once_and_several_make_the_image_stay_whole() -> None:
    kept, decode = DecodedWindows(10_000), Decoder()
    for _ in range(2):
        np.testing.assert_array_equal(kept.window(0, 50, ONE, decode), IMAGE[ONE])
    assert decode.asked == [(0, 50, ONE)]
    assert kept.n_bytes == 4 * 4 * 3
    for window in (OTHER, ONE, OTHER):
        np.testing.assert_array_equal(kept.window(0, 50, window, decode), IMAGE[window])
    assert decode.asked == [(0, 50, ONE), (0, 50, None)]
    assert kept.n_bytes == IMAGE.nbytes
    kept.window(0, 75, ONE, decode)
    kept.window(1, 50, ONE, decode)
    assert len(decode.asked) == 4
    assert kept.n_bytes == IMAGE.nbytes + 2 * 48


def test_what_came_first_stays_and_nothing_goes_beyond_the_bound() -> None:
    kept, decode = DecodedWindows(100), Decoder()
    for image in (0, 1, 2, 0, 1, 2):
        np.testing.assert_array_equal(kept.window(image, 50, ONE, decode), IMAGE[ONE])
    assert [image for image, *_ in decode.asked] == [0, 1, 2, 2]
    assert kept.n_bytes == 96
    np.testing.assert_array_equal(kept.window(0, 50, OTHER, decode), IMAGE[OTHER])  # the whole does not fit
    np.testing.assert_array_equal(kept.window(0, 50, ONE, decode), IMAGE[ONE])
    assert kept.n_bytes == 96


def test_pixels_that_are_kept_cannot_be_changed() -> None:
    pixels = DecodedWindows(1000).window(0, 50, ONE, Decoder())
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_a_copy_in_another_process_starts_with_nothing() -> None:
    kept = DecodedWindows(1000)
    kept.window(0, 50, ONE, Decoder())
    copy = pickle.loads(pickle.dumps(kept))
    assert (copy.most_bytes, copy.n_bytes) == (1000, 0)


@pytest.mark.parametrize("crop", ["centre", "random"])
@pytest.mark.parametrize("augmentation", ["none", "flips-brightness"])
@pytest.mark.parametrize("quality", [75, "25-80"])
def test_epochs_are_the_same_with_and_without_what_is_kept(
    small_pack: PackedDataset, crop: str, augmentation: str, quality: int | str
) -> None:
    settings = BatchSettings(quality, 5, 32, crop, augmentation)
    forgetting, keeping = (replace(small_pack, decoded=DecodedWindows(most)) for most in (0, 10**9))
    for epoch in range(3):
        pairs = [training_batches(pack, np.arange(12), settings, epoch, 2) for pack in (forgetting, keeping)]
        for one, other in zip(*pairs, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
    assert forgetting.decoded.n_bytes == 0
    if quality == 75:
        assert keeping.decoded.n_bytes == 12 * (32 * 32 * 3 if crop == "centre" else small_pack.size_px**2 * 3)


def test_free_memory_is_read_and_guessed_where_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  9 kB\nMemAvailable:    2048 kB\n")
    monkeypatch.setattr(decoded, "MEMORY", tmp_path / "meminfo")
    assert free_bytes() == 2048 * 1024
    assert DecodedWindows().most_bytes == 128 * 1024
    monkeypatch.setattr(decoded, "MEMORY", tmp_path / "none")
    assert DecodedWindows().most_bytes == decoded.OTHERWISE_BYTES
