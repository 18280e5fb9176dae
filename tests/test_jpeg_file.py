"""Reading JPEG files from anywhere: what they store, and what is refused, in words that follow their name."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import idctn

from datasets import jpeg_file
from datasets.jpeg_file import (
    TURNS,
    JpegError,
    JpegFile,
    find_quality,
    libjpeg_tables,
    read_bytes,
    read_frame,
    read_jpeg,
    upright,
)
from models.restoring.consistency import stored_coefficients
from tests.pack_fixture import tiny_image

IMAGE = tiny_image(3, 61, 83)
SAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def saved(image: NDArray[np.uint8] = IMAGE, mode: str | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image, mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def shown(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"optimize": True}])
def test_a_file_is_decoded_as_pillow_shows_it(sampling: str, options: dict[str, object]) -> None:
    data = saved(quality=60, subsampling=SAMPLINGS[sampling], **options)
    jpeg = read_jpeg(data)
    np.testing.assert_array_equal(jpeg.pixels, shown(data))
    assert jpeg.frame.subsampling == sampling
    assert jpeg.frame.coding == ("progressive" if "progressive" in options else "baseline")
    assert jpeg.quality == jpeg.nearest_quality == 60
    assert jpeg.turn == 1


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [25, 50, 75])
def test_stored_coefficients_decode_to_the_planes_they_were_read_off(sampling: str, quality: int) -> None:
    jpeg = read_jpeg(saved(quality=quality, subsampling=SAMPLINGS[sampling]))
    assert len(jpeg.planes) == 3
    for plane, steps in zip(jpeg.planes, jpeg.steps, strict=True):
        coefficients = stored_coefficients(plane, steps) * steps[:, None, :]
        decoded = 128 + idctn(coefficients, axes=(1, 3), norm="ortho").reshape(
            coefficients.shape[0] * 8, coefficients.shape[2] * 8
        )
        whole = plane[: decoded.shape[0], : decoded.shape[1]]
        # 0.5 of rounding, and libjpeg works in whole numbers; what is interpolated back from 4:2:2 has as much again
        assert np.abs(decoded.clip(0, 255) - whole).max() < (0.6 if plane.dtype == np.uint8 else 1.5)


@pytest.mark.parametrize("quality", [5, 50, 100])
def test_colours_that_no_photograph_has_are_shown_as_pillow_shows_them(quality: int) -> None:
    saturated = (np.random.default_rng(quality).integers(0, 2, (70, 61, 3)) * 255).astype(np.uint8)
    data = saved(saturated, quality=quality, subsampling=0)
    np.testing.assert_array_equal(read_jpeg(data).pixels, shown(data))


def test_a_grey_file_is_shown_in_three_equal_channels() -> None:
    jpeg = read_jpeg(saved(IMAGE[..., 0], quality=40))
    assert jpeg.is_grey
    assert (jpeg.quality, jpeg.frame.subsampling, len(jpeg.planes)) == (40, "grey", 1)
    np.testing.assert_array_equal(jpeg.pixels, np.repeat(jpeg.planes[0][..., None], 3, axis=2))


def test_a_large_file_is_read_in_bands_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(quality=50)
    whole = read_jpeg(data)
    monkeypatch.setattr(jpeg_file, "BAND_PX", 16)
    banded = read_jpeg(data)
    for one, other in zip((whole.pixels, *whole.planes), (banded.pixels, *banded.planes), strict=True):
        np.testing.assert_array_equal(one, other)


def test_chroma_that_cannot_be_told_is_left_out() -> None:
    halved = bytearray(saved(quality=50, subsampling=1))
    halved[halved.index(b"\xff\xc0") + 11] = 0x12  # luma's sampling: chroma has half the rows, not half the columns
    assert read_frame(bytes(halved)).subsampling == "other"
    assert len(read_jpeg(bytes(halved)).planes) == 1
    assert len(read_jpeg(saved(IMAGE[:1], quality=50)).planes) == 1


def test_a_file_of_rgb_has_no_planes() -> None:
    jpeg = read_jpeg(saved(quality=50, keep_rgb=True))
    assert jpeg.planes == ()
    assert set(jpeg.tables) == {0, 1}


def test_quality_is_that_of_libjpegs_tables_or_the_nearest() -> None:
    luma, chroma = libjpeg_tables(50)
    assert luma[0, 0] == 16  # ITU-T T.81, table K.1: scaled by 1 at quality 50
    assert chroma[0, 0] == 17
    other = luma.copy()
    other[3, 3] += 1
    assert find_quality((other, chroma, chroma)) == (None, 50)
    assert find_quality((libjpeg_tables(82)[0],)) == (82, 82)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_orientation_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = read_jpeg(saved(quality=90, exif=exif))
    assert jpeg.turn == orientation
    turned = upright(jpeg.pixels, jpeg.turn)
    with Image.open(io.BytesIO(saved(quality=90, exif=exif))) as image:
        from PIL import ImageOps

        np.testing.assert_array_equal(turned, np.asarray(ImageOps.exif_transpose(image)))


def test_an_orientation_that_cannot_be_turns_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert read_jpeg(saved(exif=exif)).turn == 1
    assert 77 not in TURNS


def test_a_profile_is_kept() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_jpeg(saved(icc_profile=profile)).icc_profile == profile
    assert read_jpeg(saved()).icc_profile is None


def with_frame(change: Callable[[bytearray, int], None]) -> bytes:
    data = bytearray(saved())
    change(data, data.index(b"\xff\xc0"))
    return bytes(data)


def with_a_step_of_0() -> bytes:
    data = bytearray(saved())
    data[data.index(b"\xff\xdb") + 10] = 0  # behind marker, length and the table's number
    return bytes(data)


def with_scans(n_scans: int) -> bytes:
    data = saved(progressive=True)
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:last] + (n_scans - data.count(b"\xff\xda") + 1) * data[last:end] + data[end:]


def _set(offset: int, *values: int) -> Callable[[bytearray, int], None]:
    def change(data: bytearray, frame: int) -> None:
        data[frame + offset : frame + offset + len(values)] = bytes(values)

    return change


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n", "is no JPEG file"),
        (b"\xff\xd8", "it has no frame"),
        (b"\xff\xd8\xff\xd9\0\0", "it has no frame"),
        (b"\xff\xd8\0\0\0\0", "no marker where one should be"),
        (b"\xff\xd8\xff\xff\xff\xc0\0\4\x08\0", "its frame ends too early"),
        (with_frame(_set(1, 0xC9)), "arithmetic coding"),
        (with_frame(_set(1, 0xC3)), "lossless or hierarchical"),
        (with_frame(_set(4, 12)), "has 12 bits a channel"),
        (with_frame(_set(5, 0, 0)), "a side of 0 px"),
        (with_frame(_set(5, 0xFF, 0xFF, 0xFF, 0xFF)), "65535 x 65535 = 4295 million pixels, more than the 100 million"),
        (with_frame(_set(11, 0)), "a sampling factor that cannot be"),
        (with_frame(_set(9, 2)), "has 2 channels"),
        (saved(np.zeros((16, 16, 4), np.uint8), "CMYK"), "is a CMYK file"),
        (with_a_step_of_0(), "a quantisation step of 0"),
        (saved()[:700], "is damaged or truncated"),
        (saved()[:-40], "is damaged or truncated"),
        (with_scans(300), "has 300 scans, more than the 200 that are read"),
    ],
)
def test_what_is_not_restored_is_told_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(JpegError, match=words) as raised:
        read_jpeg(data)
    assert "\n" not in str(raised.value)


def test_only_what_may_be_a_jpeg_is_read_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved())
    assert read_bytes(path) == saved()
    monkeypatch.setattr(jpeg_file, "LIMIT_BYTES", 100)
    with pytest.raises(JpegError, match="has 0 MB, more than the 0 MB of a file"):
        read_bytes(path)
    for content, words in ((b"", "is empty"), (b"GIF89a", "is no JPEG file")):
        path.write_bytes(content)
        with pytest.raises(JpegError, match=words):
            read_bytes(path)


def mutated(data: bytes, seed: int) -> bytes:
    """Change, cut, repeat or leave out a few bytes of a file."""
    rng = np.random.default_rng(seed)
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        place, kind = int(rng.integers(2, len(changed))), rng.integers(4)
        if kind == 0:
            changed[place] = int(rng.integers(256))
        elif kind == 1:
            changed[place:place] = rng.integers(0, 256, rng.integers(1, 9), np.uint8).tobytes()
        elif kind == 2:
            del changed[place : place + int(rng.integers(1, 9))]
        elif rng.integers(4) == 0:
            del changed[place:]
        if len(changed) < 4:
            break
    return bytes(changed)


@pytest.mark.parametrize("kind", range(4))
def test_a_mutated_file_is_an_image_or_a_reason(kind: int) -> None:
    data = [
        saved(quality=50),
        saved(quality=30, progressive=True),
        saved(IMAGE[..., 0], quality=50),
        saved(quality=50, subsampling=1, exif=Image.Exif()),
    ][kind]
    found: list[JpegFile | JpegError] = []
    for seed in range(150):
        try:
            found.append(read_jpeg(mutated(data, 1000 * kind + seed)))
        except JpegError as error:
            found.append(error)
    assert {type(item) for item in found} == {JpegFile, JpegError}
