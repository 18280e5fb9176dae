"""Source images: what is read, what is refused and with which words, and that no file is read before its turn."""

import contextlib
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import InputError
from datasets.sources.source import LOSSY_SUFFIXES, centre_crop, find_sources, read_image
from tests.pack_fixture import HEIGHT, SYSTEMS, UNUSABLE, WIDTH, tiny_image, write_source_folder

PIXELS = tiny_image(0)
SAVED_AS = {
    "a.png": {},
    "a.bmp": {},
    "raw.tif": {},
    "lzw.tiff": {"compression": "tiff_lzw"},
    "deflate.TIF": {"compression": "tiff_adobe_deflate"},
    "packbits.tif": {"compression": "packbits"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source folder with one empty camera system."""
    (tmp_path / "source" / "camera").mkdir(parents=True)
    return tmp_path / "source"


def _with_alpha(alpha: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.dstack([PIXELS, alpha]))


@pytest.mark.parametrize("name", SAVED_AS)
def test_every_lossless_format_gives_back_the_pixels_that_were_saved(folder: Path, name: str) -> None:
    Image.fromarray(PIXELS).save(folder / "camera" / name, **SAVED_AS[name])
    (source,) = find_sources(folder, size_px=32)
    np.testing.assert_array_equal(source.read(), PIXELS)
    assert source.read().flags["C_CONTIGUOUS"]


def test_a_bmp_with_the_old_short_header_is_read(folder: Path) -> None:
    bottom_up_bgr = np.ascontiguousarray(PIXELS[::-1, :, ::-1]).tobytes()
    size = 26 + len(bottom_up_bgr)
    header = b"BM" + struct.pack("<IHHI", size, 0, 0, 26) + struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
    (folder / "camera" / "os2.bmp").write_bytes(header + bottom_up_bgr)
    (source,) = find_sources(folder, size_px=32)
    np.testing.assert_array_equal(source.read(), PIXELS)


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_an_alpha_channel_that_is_constant_is_dropped(folder: Path, alpha: int) -> None:
    _with_alpha(np.full(PIXELS.shape[:2], alpha, np.uint8)).save(folder / "camera" / "a.png")
    (source,) = find_sources(folder, size_px=32)
    np.testing.assert_array_equal(source.read(), PIXELS)


def test_an_alpha_channel_that_varies_is_refused_on_reading(folder: Path) -> None:
    alpha = np.full(PIXELS.shape[:2], 255, np.uint8)
    alpha[3, 4] = 254
    _with_alpha(alpha).save(folder / "camera" / "a.png")
    (source,) = find_sources(folder, size_px=32)
    with pytest.raises(
        InputError, match=r"a\.png has an alpha channel that varies, so 4 channels: save it as plain 8-bit RGB"
    ):
        source.read()


def test_sources_are_listed_by_name_with_the_sub_folder_as_their_system(folder: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a/deep/er.png", "camera/z.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS).save(folder / name)
    found = [(source.name, source.system) for source in find_sources(folder, size_px=32)]
    assert found == [("a/deep/er.png", "a"), ("b/10.png", "b"), ("b/2.png", "b"), ("camera/z.png", "camera")]


def test_hidden_files_and_files_of_other_kinds_are_passed_over(folder: Path) -> None:
    Image.fromarray(PIXELS).save(folder / "camera" / "a.png")
    (folder / ".thumbnails").mkdir()
    for name in ("notes.txt", "camera/labels.csv", "camera/.b.png", ".thumbnails/c.png"):
        (folder / name).write_text("no image")
    assert [source.name for source in find_sources(folder, size_px=32)] == ["camera/a.png"]


def test_finding_sources_looks_at_headers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_source_folder(tmp_path / "source")

    def load(image: Image.Image) -> None:
        raise AssertionError(f"{image} was decoded")

    with monkeypatch.context() as patched:
        patched.setattr("PIL.ImageFile.ImageFile.load", load)
        sources = find_sources(folder, size_px=32)
    np.testing.assert_array_equal(sources[0].read(), tiny_image(0))
    (folder / sources[1].name).unlink()
    with pytest.raises(InputError, match="cannot be read: No such file or directory; check the name"):
        sources[1].read()


def test_a_file_cut_short_after_its_header_is_refused_on_reading(folder: Path) -> None:
    path = folder / "camera" / "a.png"
    Image.fromarray(PIXELS).save(path)
    path.write_bytes(path.read_bytes()[:500])
    (source,) = find_sources(folder, size_px=32)
    with pytest.raises(InputError, match=r"a\.png is damaged \(.*\): replace it by a good copy, or remove it"):
        source.read()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cut") / "camera"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", SAVED_AS)
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1))
def test_a_file_cut_short_anywhere_is_refused_or_still_has_every_pixel(scratch: Path, name: str, share: float) -> None:
    scratch.mkdir(exist_ok=True)
    path = scratch / name
    Image.fromarray(PIXELS).save(path, **SAVED_AS[name])
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with contextlib.suppress(InputError):
        (source,) = find_sources(scratch.parent, size_px=32)
        np.testing.assert_array_equal(source.read(), PIXELS)
    path.unlink()


def test_a_source_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(InputError, match=r"the source must be a folder with a sub-folder of images .* no folder"):
            find_sources(path, size_px=32)


def test_an_empty_source_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="holds no images: put BMP, PNG or TIFF files there"):
        find_sources(folder, size_px=32)


def test_an_image_outside_the_sub_folders_is_refused(folder: Path) -> None:
    for name in ("a.png", "camera/b.png"):
        Image.fromarray(PIXELS).save(folder / name)
    with pytest.raises(InputError, match=r"a\.png lies outside a camera system: move it into a sub-folder of"):
        find_sources(folder, size_px=32)


@pytest.mark.parametrize("suffix", [*LOSSY_SUFFIXES, ".JPG"])
def test_a_lossy_file_is_refused_by_its_suffix(folder: Path, suffix: str) -> None:
    Image.fromarray(PIXELS).save(folder / "camera" / "a.png")
    (folder / "camera" / f"b{suffix}").write_bytes(b"not looked at")
    with pytest.raises(InputError, match=rf"b\{suffix} is lossy: its loss cannot be undone: export the original again"):
        find_sources(folder, size_px=32)


@pytest.mark.parametrize(("name", "write", "words"), UNUSABLE)
def test_an_unusable_file_is_refused_by_its_content(
    folder: Path, name: str, write: Callable[[Path], None], words: str
) -> None:
    write(folder / "camera" / name)
    with pytest.raises(InputError, match=f"{name} {words}"):
        find_sources(folder, size_px=32)


def test_an_image_smaller_than_the_wanted_size_is_refused(folder: Path) -> None:
    Image.fromarray(PIXELS).save(folder / "camera" / "a.png")
    assert len(find_sources(folder, size_px=HEIGHT)) == 1
    with pytest.raises(InputError, match="is 44 x 37, smaller than 38 px: choose a smaller --size or remove it"):
        find_sources(folder, size_px=HEIGHT + 1)


def test_a_name_that_is_not_utf_8_is_refused(folder: Path) -> None:
    path = os.fsencode(folder / "camera") + b"/caf\xe9.png"
    try:
        Path(os.fsdecode(path)).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(InputError, match=r"caf.*\.png' has a name that is not UTF-8: rename it"):
        find_sources(folder, size_px=32)


def test_reading_a_missing_image_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png cannot be read: No such file or directory; check the name"):
        read_image(tmp_path / "gone.png")


def test_the_centre_crop_leaves_the_odd_row_and_column_at_the_end() -> None:
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    np.testing.assert_array_equal(centre_crop(image, 3), image[1:4, 2:5])
    np.testing.assert_array_equal(centre_crop(image, 4), image[0:4, 1:5])


def test_the_source_folder_fixture_is_found_whole(tmp_path: Path) -> None:
    sources = find_sources(write_source_folder(tmp_path / "source"), size_px=32)
    assert sorted({source.system for source in sources}) == list(SYSTEMS)
