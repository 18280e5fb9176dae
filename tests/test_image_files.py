"""Image files judged by their own bytes: nothing dropped, multiplied, damaged or left behind without a word."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import InputError
from datasets.sources.image_file import check_image, read_image
from tests.image_bytes import bmp, directory, png, png_chunk, tags_of, tiff, tiff_of_two
from tests.pack_fixture import HEIGHT, WIDTH, tiny_image

PIXELS = tiny_image(0)
LARGE = tiny_image(1, 4 * HEIGHT, 4 * WIDTH)
TEXT = zlib.compress(b"x" * (3 << 20))
XMP = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + TEXT)
STREAM = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS))


def _with_fourth(value: int, varies: bool = False) -> np.ndarray:
    fourth = np.full(PIXELS.shape[:2], value, np.uint8)
    if varies:
        fourth[5, 6] ^= 1
    return np.dstack([PIXELS, fourth])


def _read(folder: Path, name: str, data: bytes) -> np.ndarray:
    (folder / name).write_bytes(data)
    check_image(folder / name, 16)
    return read_image(folder / name, 16)


READABLE = {
    "text.png": png(PIXELS, before=XMP),
    "late text.png": png(PIXELS, after=XMP),
    "profile.png": png(PIXELS, before=png_chunk(b"iCCP", b"camera\0\0" + TEXT)),
    "text with a wrong checksum.png": png(PIXELS, before=png_chunk(b"tEXt", b"a\0b", checksum=1)),
    "unused transparent colour.png": png(PIXELS, before=png_chunk(b"tRNS", struct.pack(">HHH", 256, 0, 0))),
    "opaque.png": png(_with_fourth(255)),
    "top down.bmp": bmp(PIXELS, is_top_down=True),
    "32 bits.bmp": bmp(_with_fourth(7)),
    "plain.tif": tiff(PIXELS),
    "opaque.tif": tiff(_with_fourth(255), t338=("H", [1])),
    "constant alpha.tif": tiff(_with_fourth(0), t338=("H", [2])),
    "constant fourth channel.tif": tiff(_with_fourth(9), t338=("H", [0])),
    "channel of unknown use.tif": tiff(_with_fourth(9)),
    "smaller copy below.tif": tiff_of_two(PIXELS, PIXELS[::2, ::2].copy(), sub=True),
}


@pytest.mark.parametrize("name", READABLE)
def test_a_file_whose_pixels_are_fine_is_read(tmp_path: Path, name: str) -> None:
    np.testing.assert_array_equal(_read(tmp_path, name, READABLE[name]), PIXELS)


def _animated() -> bytes:
    return png(PIXELS, before=png_chunk(b"acTL", struct.pack(">II", 3, 0)))


def _zero_tail(data: bytes) -> bytes:
    return data[:2600] + bytes(len(data) - 2600)


AGAIN = "replace it by a good copy, or remove it"
REFUSED = {
    "wrong checksum.png": (png(PIXELS, idat=1), rf"is damaged \(the checksum of its IDAT does not fit\): {AGAIN}"),
    "wrong adler.png": (png(PIXELS, stream=STREAM[:-1] + b"\0"), "is damaged .*cannot be inflated"),
    "broken stream.png": (png(PIXELS, stream=STREAM[:400] + bytes(50) + STREAM[450:]), "inflated|size allows"),
    "short stream.png": (png(PIXELS, stream=STREAM[:-400]), "is damaged .*its pixels end too early"),
    "few rows.png": (png(PIXELS, stream=zlib.compress(zlib.decompress(STREAM)[:-500])), "its pixels end too early"),
    "many rows.png": (png(PIXELS, stream=zlib.compress(zlib.decompress(STREAM) + b"\0" * 99)), "more pixels than"),
    "no end.png": (png(PIXELS)[:-12], "is damaged .*it ends too early"),
    "header.png": (png(PIXELS).replace(b"IHDR", b"IHDX"), "is a PNG with an unknown part IHDX|is damaged"),
    "apple.png": (png(PIXELS, before=png_chunk(b"CgBI", bytes(4))), "is a PNG with an unknown part CgBI"),
    "animated.png": (_animated(), "holds 3 images: save each as a file of its own"),
    "alpha.png": (png(_with_fourth(255, varies=True)), "has an alpha channel that varies, so 4 channels"),
    "transparent colour.png": (
        png(PIXELS, before=png_chunk(b"tRNS", struct.pack(">HHH", *PIXELS[3, 3]))),
        "has transparency that varies",
    ),
    "zero tail.bmp": (_zero_tail(bmp(PIXELS)), "rows are zero, as in a copy that was cut off"),
    "zero tail top down.bmp": (_zero_tail(bmp(PIXELS, is_top_down=True)), "rows are zero"),
    "zero middle.bmp": (bmp(PIXELS)[:1400] + bytes(1200) + bmp(PIXELS)[2600:], "rows are zero"),
    "black.bmp": (bmp(np.zeros_like(PIXELS)), "37 of its 37 rows are zero"),
    "zero tail.tif": (
        b"II*\0" + struct.pack("<I", 8 + PIXELS.size) + PIXELS.tobytes()[:2600] + bytes(PIXELS.size - 2600)
        + directory(8 + PIXELS.size, tags_of(PIXELS)),
        "rows are zero",
    ),
    "pixels in its header.bmp": (bmp(PIXELS)[:10] + b"\x2c" + bmp(PIXELS)[11:], "begin inside of its header"),
    "cut.bmp": (bmp(PIXELS)[:-10], r"is damaged \(it ends too early\)"),
    "run lengths.bmp": (bmp(PIXELS)[:30] + b"\1" + bmp(PIXELS)[31:], "is a BMP with RLE compression: its loss cannot"),
    "fourth byte.bmp": (bmp(_with_fourth(0, varies=True)), "has a fourth byte a pixel that varies"),
    "associated 0.tif": (tiff(_with_fourth(0), t338=("H", [1])), "has colours multiplied by an alpha channel"),
    "associated 128.tif": (tiff(_with_fourth(128), t338=("H", [1])), "has colours multiplied by an alpha channel"),
    "fourth channel.tif": (tiff(_with_fourth(9, varies=True), t338=("H", [0])), "other channel that varies, so 4"),
    "alpha.tif": (tiff(_with_fourth(255, varies=True), t338=("H", [2])), "other channel that varies, so 4 channels"),
    "five channels.tif": (tiff(np.dstack([PIXELS, PIXELS[..., :2]])), "has 5 channels: save it as plain 8-bit RGB"),
    "YCbCr.tif": (tiff(PIXELS, t262=("H", [6]), t530=("H", [2, 2])), r"YCbCr, colours rounded or subsampled\): its"),
    "LAB.tif": (tiff(PIXELS, t262=("H", [8])), r"is not 8-bit RGB \(CIELAB, 8 bits\): export the original again"),
    "no photometric.tif": (tiff(PIXELS, t262=None), r"is not 8-bit RGB \(no photometric interpretation, 8 bits\)"),
    "bilevel.tif": (tiff(PIXELS, t258=None, t262=("H", [1]), t277=None), r"is not 8-bit RGB \(grey, 1 bit\)"),
    "of 16 bits.tif": (tiff(PIXELS, t258=("H", [16, 16, 16])), r"is not 8-bit RGB \(RGB, 16 bits\)"),
    "mixed bits.tif": (tiff(PIXELS, t258=("H", [8, 8, 16])), r"is not 8-bit RGB \(RGB, 16 bits\)"),
    "signed.tif": (tiff(PIXELS, t339=("H", [2, 2, 2])), "signed or floating-point numbers"),
    "JPEG.tif": (tiff(PIXELS, t259=("H", [7])), "is a TIFF with JPEG compression: its loss cannot be undone: export"),
    "unknown.tif": (tiff(PIXELS, t259=("H", [12345])), r"is a TIFF with unknown \(12345\) compression: its loss"),
    "thumbnail.tif": (tiff(PIXELS, t254=("I", [1])), "shows a thumbnail first"),
    "old thumbnail.tif": (tiff(PIXELS, t255=("H", [2])), "shows a thumbnail first"),
    "full image below.tif": (tiff_of_two(PIXELS, LARGE, sub=True), "shows a thumbnail first"),
    "full image below a flagged one.tif": (tiff_of_two(PIXELS, LARGE, True, t254=("I", [1])), "shows a thumbnail"),
    "mask.tif": (tiff(PIXELS, t254=("I", [4])), "is a transparency mask"),
    "two.tif": (tiff_of_two(PIXELS, PIXELS, sub=False), "holds 2 images: save each as a file of its own"),
    "stack.tif": (
        tiff(PIXELS, t270=("B", list(b"ImageJ=1.53k\nimages=12\nslices=12\n\0"))),
        "holds 12 images: save each as a file of its own",
    ),
    "stack of tifffile.tif": (
        tiff(PIXELS, t270=("B", list(b'{"shape": [3, %d, %d, 3], "truncated": true}\0' % (HEIGHT, WIDTH)))),
        "holds 3 images",
    ),
    "volume.tif": (tiff(PIXELS, t32997=("I", [5])), "holds 5 images"),
    "as large below.tif": (tiff_of_two(PIXELS, PIXELS, sub=True), "holds 2 images"),
    "big-endian BigTIFF.tif": (b"MM\0+\0\x08\0\0" + bytes(7) + b"\x10", "is a big-endian BigTIFF, which is not read"),
    "no stream.png": (png(PIXELS, stream=b""), "is damaged"),
    "garbage behind.tif": (tiff(PIXELS, next_place=77_777_777), r"is damaged \(a directory that lies outside"),
    "circle.tif": (tiff(PIXELS, next_place=8 + PIXELS.size), r"is damaged \(its directories go in a circle\)"),
    "no size.tif": (tiff(PIXELS, t256=None), r"is damaged \(no width or height\)"),
    "only a header.tif": (b"II*\0\x08\0\0\0", "is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_whose_pixels_are_not_all_of_it_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(InputError, match=words) as caught:
        _read(tmp_path, name, data)
    assert str(caught.value).startswith(f"{tmp_path / name} ")
    assert "\n" not in str(caught.value)


def test_a_black_frame_on_both_sides_is_no_damage(tmp_path: Path) -> None:
    framed = PIXELS.copy()
    framed[:4] = framed[-3:] = 0
    for name, data in (("a.bmp", bmp(framed)), ("a.tif", tiff(framed)), ("a.png", png(framed))):
        np.testing.assert_array_equal(_read(tmp_path, name, data), framed)


def test_an_image_over_the_limit_names_it_and_how_to_cut(tmp_path: Path) -> None:
    data = bytearray(png(PIXELS))
    data[16:24] = struct.pack(">II", 20_000, 10_000)
    words = (
        r"is 20000 x 10000 = 200 million pixels, more than the 178 million that can be read: export a part .*`vips crop"
    )
    with pytest.raises(InputError, match=words):
        _read(tmp_path, "slide.png", bytes(data))


def _stored(data: bytes, image: np.ndarray, n_zero: int, **others: tuple[str, list[int]] | None) -> bytes:
    """Return a TIFF file of an image whose pixels lie as other tags say, the last ones lost."""
    place, data = 8 + len(data) + len(data) % 2, data[: len(data) - n_zero] + bytes(n_zero + len(data) % 2)
    return b"II*\0" + struct.pack("<I", place) + data + directory(place, tags_of(image, **others))


def _separate(image: np.ndarray, n_zero: int) -> bytes:
    size = image.shape[0] * image.shape[1]
    places = {"t273": ("I", [8, 8 + size, 8 + 2 * size]), "t279": ("I", [size] * 3)}
    return _stored(np.moveaxis(image, -1, 0).tobytes(), image, n_zero, t284=("H", [2]), **places)


def _tiled(image: np.ndarray, n_zero: int) -> bytes:
    """Return a file of tiles of 32 x 16 px, those at its edges filled up."""
    rows, columns = -(-image.shape[0] // 32), -(-image.shape[1] // 16)
    whole = np.zeros((32 * rows, 16 * columns, 3), np.uint8)
    whole[: image.shape[0], : image.shape[1]] = image
    tiles, size = whole.reshape(rows, 32, columns, 16, 3).swapaxes(1, 2), 32 * 16 * 3
    places = {
        "t324": ("I", [8 + size * tile for tile in range(rows * columns)]),
        "t325": ("I", [size] * rows * columns),
    }
    sides = {"t322": ("H", [16]), "t323": ("H", [32])}
    return _stored(tiles.tobytes(), image, n_zero, t273=None, t278=None, t279=None, **sides, **places)


@pytest.mark.parametrize("store", [_separate, _tiled])
def test_separate_channels_and_tiles_are_read_and_a_part_that_was_lost_is_found(
    tmp_path: Path, store: Callable[[np.ndarray, int], bytes]
) -> None:
    np.testing.assert_array_equal(_read(tmp_path, "whole.tif", store(LARGE, 0)), LARGE)
    for share in (0.1, 0.3, 0.6, 0.9):
        with pytest.raises(InputError, match="rows are zero, as in a copy that was cut off"):
            _read(tmp_path, "cut.tif", store(LARGE, int(share * LARGE.size)))
    dark = LARGE.copy()
    dark[..., 2] = 0
    np.testing.assert_array_equal(_read(tmp_path, "dark.tif", store(dark, 0)), dark)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_part_that_was_lost_is_found_however_a_tiff_is_turned(tmp_path: Path, turn: int) -> None:
    n_zero = PIXELS.size // 2
    with pytest.raises(InputError, match="rows are zero"):
        _read(tmp_path, "cut.tif", _stored(PIXELS.tobytes(), PIXELS, n_zero, t274=("H", [turn])))


@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "lzma"])
def test_a_damaged_stream_of_a_tiff_is_refused_wherever_the_damage_is(tmp_path: Path, compression: str) -> None:
    file = io.BytesIO()
    Image.fromarray(LARGE).save(file, "TIFF", compression=compression)
    data = file.getvalue()
    np.testing.assert_array_equal(_read(tmp_path, "whole.tif", data), LARGE)
    with Image.open(io.BytesIO(data)) as image:
        starts, counts = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]
    for share in np.linspace(0, 1, 40):
        damaged = bytearray(data)
        damaged[starts[0] + int(share * (counts[0] - 1))] ^= 16
        with pytest.raises(InputError, match="is damaged"):
            _read(tmp_path, "damaged.tif", bytes(damaged))


def test_a_slide_of_more_tiles_than_fit_into_a_short_number_names_the_limit(tmp_path: Path) -> None:
    tiles = {"t324": ("I", [8] * 80_000), "t325": ("I", [0] * 80_000)}
    slide = tiff(PIXELS, t256=("I", [100_000]), t257=("I", [50_000]), t273=None, t279=None, **tiles)
    with pytest.raises(InputError, match=r"= 5000 million pixels, more than the 178 million .*`vips crop"):
        _read(tmp_path, "slide.tif", slide)


def _as_grey() -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS[..., 0]).save(file, "PNG")
    return file.getvalue()


def _as_jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG")
    return file.getvalue()


CHANGES = {
    "smaller": (png(PIXELS[:20, :20]), "is 20 x 20, smaller than 32 px"),
    "grey": (_as_grey(), "is not 8-bit RGB"),
    "a JPEG": (_as_jpeg(), "is a JPEG file"),
    "empty": (b"", "it is empty"),
    "cut": (png(PIXELS)[:1000], "is damaged"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_after_it_was_found_is_judged_by_what_is_decoded(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(PIXELS))
    before = check_image(path, 32)
    data, words = CHANGES[change]
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_image(path, 32)
    path.write_bytes(png(tiny_image(3)))
    assert check_image(path, 32) != before


def test_a_stamp_tells_another_file_of_the_same_size_and_time(tmp_path: Path) -> None:
    path, other = tmp_path / "a.bmp", tmp_path / "b.bmp"
    path.write_bytes(bmp(PIXELS))
    before, facts = check_image(path, 32), path.stat()
    assert check_image(path, 32) == before
    other.write_bytes(bmp(tiny_image(3)))
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.rename(path)
    assert check_image(path, 32) != before
