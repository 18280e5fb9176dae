"""JPEG: the bytes are Pillow's own, a window is a slice of the whole, and the standard's tables are in the file."""

import io
from importlib.metadata import version

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from datasets.batches import turn
from datasets.jpeg import SUBSAMPLING, Window, codec_versions, compress_window, decode_jpeg, decode_window, encode_jpeg
from tests.pack_fixture import tiny_image

IMAGE = tiny_image(3, 75, 75)
# ITU-T T.81 (JPEG), table K.1, first two rows: quality 50 is the tables of the standard as they are.
LUMINANCE_ROWS = [[16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55]]


def _open(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("quality", [1, 25, 75, 95, 100])
def test_the_bytes_are_what_pillow_writes_by_default(quality: int) -> None:
    buffer = io.BytesIO()
    Image.fromarray(IMAGE).save(buffer, format="JPEG", quality=quality)
    assert encode_jpeg(IMAGE, quality) == buffer.getvalue()


def test_the_chroma_is_subsampled_as_stated() -> None:
    with Image.open(io.BytesIO(encode_jpeg(IMAGE, 75))) as image:
        sampling = JpegImagePlugin.get_sampling(image)
    assert {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}[sampling] == SUBSAMPLING


def test_quality_50_uses_the_quantisation_table_of_the_standard() -> None:
    with Image.open(io.BytesIO(encode_jpeg(IMAGE, 50))) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        luminance = image.quantization[0]
    assert [luminance[:8], luminance[8:16]] == LUMINANCE_ROWS


def test_a_higher_quality_costs_more_bytes_and_errs_less() -> None:
    files = [encode_jpeg(IMAGE, quality) for quality in (10, 25, 50, 75, 90)]
    errors = [float(np.mean((decode_jpeg(data).astype(float) - IMAGE) ** 2)) for data in files]
    assert [len(data) for data in files] == sorted(len(data) for data in files)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("wrap", [bytes, memoryview])
def test_decoding_gives_what_pillow_reads(wrap: type) -> None:
    data = encode_jpeg(IMAGE, 60)
    decoded = decode_jpeg(wrap(data))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, _open(data))


@settings(deadline=None, max_examples=60)
@given(data=st.data(), size_px=st.integers(16, 75), quality=st.integers(1, 100))
def test_a_decoded_window_is_the_slice_of_the_decoded_whole(data: st.DataObject, size_px: int, quality: int) -> None:
    crop_px = data.draw(st.integers(1, size_px))
    top, left = (data.draw(st.integers(0, size_px - crop_px)) for _ in range(2))
    window = slice(top, top + crop_px), slice(left, left + crop_px)
    jpeg = encode_jpeg(np.ascontiguousarray(IMAGE[:size_px, :size_px]), quality)
    found = decode_window(memoryview(jpeg), size_px, window)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, _open(jpeg)[window])


def _window(data: st.DataObject, height: int, width: int) -> Window:
    """Draw a window of any size, inside the image."""
    rows, columns = (
        slice(start, data.draw(st.integers(start + 1, side)))
        for side in (height, width)
        for start in [data.draw(st.integers(0, side - 1))]
    )
    return rows, columns


@settings(deadline=None, max_examples=150)
@given(
    data=st.data(),
    height=st.integers(8, 75),
    width=st.integers(8, 75),
    quality=st.integers(1, 100),
    symmetry=st.integers(0, 7),
)
def test_a_compressed_window_is_the_slice_of_the_whole_image_s_jpeg(
    data: st.DataObject, height: int, width: int, quality: int, symmetry: int
) -> None:
    image = turn(IMAGE[:height, :width], symmetry)
    window = _window(data, *image.shape[:2])
    expected = _open(encode_jpeg(np.ascontiguousarray(image), quality))[window]
    np.testing.assert_array_equal(compress_window(image, quality, window), expected)


@pytest.mark.parametrize("start", [0, 1, 14, 15, 16, 17, 18, 30, 31, 32, 33, 34])
@pytest.mark.parametrize("quality", [10, 75])
def test_a_compressed_window_is_the_same_wherever_it_lies_between_macroblocks(start: int, quality: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 77, 3), np.uint8)  # strong colours, that bleed
    expected = _open(encode_jpeg(noise, quality))
    for length in (1, 2, 15, 16, 17, 32):
        window = slice(start, start + length), slice(start + 3, start + 3 + length)
        np.testing.assert_array_equal(compress_window(noise, quality, window), expected[window])


def test_a_jpeg_cut_short_or_wider_than_stated_is_not_decoded_in_silence() -> None:
    window = slice(59, 75), slice(0, 16)
    data = encode_jpeg(IMAGE, 75)
    with pytest.raises(OSError, match="truncated"):
        decode_jpeg(data[: len(data) // 2])
    with pytest.raises(ValueError, match="not enough image data"):
        decode_window(data[: len(data) // 2], 75, window)
    with pytest.raises(ValueError, match="cannot decode image data"):
        decode_window(data, 59, window)


def test_the_versions_are_those_of_the_installed_codec() -> None:
    versions = codec_versions()
    assert versions["pillow"] == version("pillow")
    assert versions["libjpeg"].split()[-1][0].isdigit()
