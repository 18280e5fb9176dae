"""Codecs: round trips, what makes each file what it claims to be, and those that an installation lacks."""

import importlib.util

import numpy as np
import pytest
from PIL import AvifImagePlugin, features

from datasets.codecs import CODECS, Codec, decode, encode, library, transcode, use_one_thread, why_missing
from datasets.errors import InputError
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.smear import synthesize

WHOLE = next(iter(synthesize(1, seed=0))).read()
IMAGE = WHOLE[:96, :112]
USABLE = [name for name, codec in CODECS.items() if not why_missing(codec)]
LACKING = Codec("AVIF", (50,))
# ITU-T T.81, table B.1: the start of a frame that is coded in one pass, and of a progressive one
BASELINE_FRAME, PROGRESSIVE_FRAME = b"\xff\xc0", b"\xff\xc2"


@pytest.mark.parametrize("name", USABLE)
def test_an_image_comes_back_better_and_from_more_bytes_at_the_highest_setting(name: str) -> None:
    codec = CODECS[name]
    assert list(codec.settings) == sorted(set(codec.settings))
    files = [encode(codec, IMAGE, setting) for setting in (codec.settings[0], codec.settings[-1])]
    shown = [decode(codec, data) for data in files]
    assert {image.shape for image in shown} == {IMAGE.shape}
    assert {image.dtype for image in shown} == {np.dtype(np.uint8)}
    low, high = (np.mean(np.square(IMAGE.astype(float) - image)) for image in shown)
    assert 0 < high < low < 400
    assert len(files[0]) < len(files[1]) < IMAGE.nbytes
    assert library(codec)


def test_optimised_and_progressive_jpeg_are_smaller_files_of_the_same_pixels() -> None:
    plain = encode_jpeg(IMAGE, 75)
    optimised, progressive = (encode(CODECS[name], IMAGE, 75) for name in ("jpeg-optimised", "jpeg-progressive"))
    assert len(optimised) < len(plain)
    assert BASELINE_FRAME in optimised
    assert PROGRESSIVE_FRAME in progressive
    for data in (optimised, progressive):
        np.testing.assert_array_equal(decode_jpeg(data), decode_jpeg(plain))


def test_jpeg_444_samples_every_component_at_every_pixel() -> None:
    data = encode(CODECS["jpeg-444"], IMAGE, 75)
    frame = data.index(BASELINE_FRAME)
    # T.81, B.2.2: marker, length, precision, height, width, number of components; then three bytes a component
    assert [data[frame + 10 + 3 * component + 1] for component in range(3)] == [0x11] * 3


def test_a_pillow_without_a_codec_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: feature != "avif")
    assert why_missing(LACKING) == "this Pillow has no AVIF"
    assert not why_missing(CODECS["webp"])
    for use in (lambda: encode(LACKING, IMAGE, 50), lambda: decode(LACKING, b"")):
        with pytest.raises(InputError, match="AVIF cannot be used here: this Pillow has no AVIF"):
            use()


@pytest.mark.parametrize(
    ("name", "package"), [("jpeg-xl", "pillow-jxl-plugin"), ("mozjpeg", "jpeglib"), ("jpegli", "pyjpegli")]
)
def test_a_codec_of_another_package_needs_it(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert why_missing(CODECS[name]) == f"{package} is not installed"


@pytest.mark.skipif(bool(why_missing(CODECS["jpeg-xl"])), reason="the plugin for JPEG XL is not installed")
def test_a_transcoded_file_shows_what_the_jpeg_does_from_fewer_bytes() -> None:
    data = encode_jpeg(WHOLE, 75)  # of a small image the head of the file is more than is saved
    transcoded = transcode(data)
    assert len(transcoded) < len(data)
    np.testing.assert_array_equal(decode(CODECS["jpeg-xl"], transcoded), decode_jpeg(data))


def test_one_thread_is_asked_of_the_codecs_that_would_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AvifImagePlugin, "DEFAULT_MAX_THREADS", 0)
    use_one_thread()
    assert AvifImagePlugin.DEFAULT_MAX_THREADS == 1
