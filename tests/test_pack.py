"""Packs: what is written is what is read, damage is noticed, and a pack is there whole or not at all."""

import hashlib
import io
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import InputError
from datasets.grouping.splits import SPLITS, SUBSETS, split_images
from datasets.jpeg import codec_versions
from datasets.pack import QUALITIES, PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.sources.source import SourceImage, centre_crop
from datasets.staging import staged
from tests import pack_fixture
from tests.pack_fixture import HEIGHT, N_IMAGES, PACK_FILES, SIZE_PX, WIDTH, tiny_image, tiny_sources, write_tiny_pack

SETTINGS = PackSettings(SIZE_PX, pack_fixture.QUALITIES)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    return write_tiny_pack(tmp_path_factory.mktemp("packs") / "tiny")


def _cropped(number: int) -> NDArray[np.uint8]:
    return centre_crop(tiny_image(number), SIZE_PX)


def _left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_originals_are_the_centre_crops_of_the_sources(pack: PackedDataset) -> None:
    assert pack.originals.dtype == np.uint8
    np.testing.assert_array_equal(pack.originals, [_cropped(number) for number in range(N_IMAGES)])


def test_originals_and_jpeg_bytes_are_memory_maps(pack: PackedDataset) -> None:
    assert isinstance(pack.originals, np.memmap)
    assert all(isinstance(jpeg, np.memmap) for jpeg in pack.jpeg.values())


@pytest.mark.parametrize("quality", pack_fixture.QUALITIES)
def test_the_jpeg_files_are_pillows_own_of_the_cropped_images(pack: PackedDataset, quality: int) -> None:
    for number in range(N_IMAGES):
        buffer = io.BytesIO()
        Image.fromarray(_cropped(number)).save(buffer, "JPEG", quality=quality)
        assert bytes(pack.file_bytes(number, quality)) == buffer.getvalue()
    assert pack.offsets[quality][-1] == (pack.folder / f"jpeg_q{quality}.bin").stat().st_size


@pytest.mark.parametrize("quality", [75, 60])
def test_a_degraded_image_is_its_decoded_jpeg_whether_the_quality_is_packed_or_not(
    pack: PackedDataset, quality: int
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(_cropped(5)).save(buffer, "JPEG", quality=quality)
    expected = np.asarray(Image.open(buffer))
    window = slice(3, 20), slice(7, 24)
    np.testing.assert_array_equal(pack.degraded(5, quality), expected)
    np.testing.assert_array_equal(pack.degraded(5, quality, window), expected[window])


def test_names_systems_and_splits_are_those_of_the_sources(pack: PackedDataset) -> None:
    sources = tiny_sources()
    assert pack.names == tuple(source.name for source in sources)
    assert pack.systems == tuple(source.system for source in sources)
    for split, subsets in split_images(N_IMAGES).items():
        assert pack.subsets[split].tolist() == subsets
        for subset in SUBSETS:
            expected = [image for image, found in enumerate(subsets) if found == subset]
            assert pack.images_of(split, subset).tolist() == expected


def test_the_index_holds_the_size_of_each_source_and_the_hash_of_each_original(pack: PackedDataset) -> None:
    rows = pq.read_table(pack.folder / "index.parquet").to_pylist()
    assert [(row["height"], row["width"]) for row in rows] == [(HEIGHT, WIDTH)] * N_IMAGES
    assert [row["sha256"] for row in rows] == [hashlib.sha256(image.tobytes()).hexdigest() for image in pack.originals]


def test_the_manifest_states_what_the_pack_is(pack: PackedDataset) -> None:
    manifest = pack.manifest
    assert pack.size_px == SIZE_PX
    assert pack.qualities == (25, 75)
    assert manifest["description"] == "tiny images"
    assert manifest["subsampling"] == "4:2:0"
    assert manifest["split_seeds"] == {"data100": 100, "data101": 101, "tiny": 101}
    assert manifest["n_images"] == N_IMAGES
    assert manifest["systems"] == {"left": 4, "right": 4}
    assert manifest["subsets"]["data100"] == {"train": 6, "validation": 1, "test": 1}
    assert list(manifest["subsets"]) == list(SPLITS)
    assert manifest["versions"] == codec_versions()
    for name in PACK_FILES:
        data = (pack.folder / name).read_bytes()
        assert manifest["files"][name] == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert _left_in(pack.folder) == sorted([*PACK_FILES, "manifest.json"])


def test_qualities_are_sorted_however_they_were_asked_for(tmp_path: Path) -> None:
    write_pack(tiny_sources(), tmp_path / "pack", PackSettings(SIZE_PX, (75, 25)))
    assert open_pack(tmp_path / "pack").qualities == (25, 75)


def test_the_default_settings_are_those_of_the_thesis() -> None:
    assert PackSettings() == PackSettings(360, (10, 25, 40, 50, 60, 75, 80, 90))
    assert PackSettings().qualities == QUALITIES


def test_the_same_images_give_the_same_fingerprint_whatever_the_description(
    pack: PackedDataset, tmp_path: Path
) -> None:
    write_pack(tiny_sources(), tmp_path / "again", replace(SETTINGS, description="other words"))
    again = open_pack(tmp_path / "again")
    assert again.fingerprint == pack.fingerprint
    assert again.manifest["files"] == pack.manifest["files"]


def _one_pixel_changed(sources: list[SourceImage]) -> list[SourceImage]:
    image = sources[3].read()
    image[20, 20, 1] ^= 1
    return [*sources[:3], replace(sources[3], read=lambda: image), *sources[4:]]


@pytest.mark.parametrize(
    ("sources", "settings"),
    [
        (_one_pixel_changed(tiny_sources()), SETTINGS),
        (tiny_sources()[::-1], SETTINGS),
        (tiny_sources(), replace(SETTINGS, qualities=(25, 76))),
        (tiny_sources(), replace(SETTINGS, size_px=31)),
    ],
    ids=["pixel", "order", "quality", "size"],
)
def test_another_pixel_order_quality_or_size_gives_another_fingerprint(
    pack: PackedDataset, tmp_path: Path, sources: list[SourceImage], settings: PackSettings
) -> None:
    write_pack(sources, tmp_path / "other", settings)
    assert open_pack(tmp_path / "other").fingerprint != pack.fingerprint


def test_sources_are_read_once_each(tmp_path: Path) -> None:
    n_reads = [0] * N_IMAGES

    def counted(number: int) -> NDArray[np.uint8]:
        n_reads[number] += 1
        return tiny_image(number)

    sources = [replace(source, read=lambda i=i: counted(i)) for i, source in enumerate(tiny_sources())]
    write_pack(sources, tmp_path / "pack", SETTINGS)
    assert n_reads == [1] * N_IMAGES


@pytest.mark.parametrize("size_px", [-1, 0, 15])
def test_a_size_too_small_for_jpeg_is_refused(size_px: int) -> None:
    with pytest.raises(InputError, match=f"the size must be at least 16 px, got {size_px}"):
        PackSettings(size_px)


@pytest.mark.parametrize("quality", [-5, 0, 101])
def test_a_quality_outside_1_to_100_is_refused(quality: int) -> None:
    with pytest.raises(InputError, match=rf"a JPEG quality must be 1\.\.100, got {quality}"):
        PackSettings(360, (75, quality))


@pytest.mark.parametrize("qualities", [(), (75, 25, 75)])
def test_no_quality_and_the_same_one_twice_are_refused(qualities: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="name each JPEG quality once, got "):
        PackSettings(360, qualities)


def test_an_existing_folder_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    with pytest.raises(InputError, match="pack exists: name a new folder, or delete it first"):
        write_pack(tiny_sources(), tmp_path / "pack", SETTINGS)
    assert _left_in(tmp_path) == ["pack"]
    assert _left_in(tmp_path / "pack") == []


def test_too_few_images_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 6 images"):
        write_pack(tiny_sources(5), tmp_path / "pack", SETTINGS)
    assert _left_in(tmp_path) == []


@pytest.mark.parametrize("error", [InputError("damaged"), KeyboardInterrupt()], ids=["damaged image", "Ctrl-C"])
def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail() -> NDArray[np.uint8]:
        raise error

    sources = tiny_sources()
    sources[5] = replace(sources[5], read=fail)
    with pytest.raises(type(error)):
        write_pack(sources, tmp_path / "pack", SETTINGS)
    assert _left_in(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"cannot write .*: Not a directory; a part of the path is no folder: name another"
    ):
        write_pack(tiny_sources(), tmp_path / "file" / "pack", SETTINGS)


@pytest.mark.skipif(sys.platform == "win32", reason="file-size limits are POSIX")
@pytest.mark.parametrize("limit_bytes", [1_000, 20_000, 24_750])
def test_a_full_disk_in_the_middle_leaves_nothing_and_says_so(tmp_path: Path, limit_bytes: int) -> None:
    # the originals take 128 + 8 * 3072 = 24704 bytes: the limits fall early, late, and on nothing
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))\n"
        "from pathlib import Path\n"
        "from datasets.errors import InputError\n"
        "from datasets.pack import PackSettings, write_pack\n"
        "from tests.pack_fixture import tiny_sources\n"
        "try:\n"
        f"    write_pack(tiny_sources(), Path({str(tmp_path / 'pack')!r}), PackSettings(32, (25, 75)))\n"
        "except InputError as error:\n"
        "    sys.exit(str(error))\n"
    )
    ended = subprocess.run([sys.executable, "-X", "dev", "-W", "ignore", "-c", code], capture_output=True, text=True)
    if limit_bytes > 24_704:
        assert (ended.returncode, ended.stderr) == (0, "")
        assert _left_in(tmp_path) == ["pack"]
    else:
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"cannot write {tmp_path / 'pack'}: File too large; free space")
        assert ended.stderr.count("\n") == 1
        assert _left_in(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_kill_in_the_middle_leaves_no_pack_and_a_rerun_starts_clean(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from datasets.pack import PackSettings, write_pack\n"
        "from tests.pack_fixture import tiny_sources\n"
        "sources = tiny_sources()\n"
        "sources[7] = replace(sources[7], read=lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        f"write_pack(sources, Path({str(tmp_path / 'pack')!r}), PackSettings(32, (25, 75)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert ended.returncode == -signal.SIGKILL
    (left,) = _left_in(tmp_path)
    assert left.startswith("pack.unfinished-")
    assert not list(tmp_path.rglob("manifest.json"))
    with pytest.raises(InputError, match="is no pack"):
        open_pack(tmp_path / left)
    pack = write_tiny_pack(tmp_path / "pack")
    assert _left_in(tmp_path) == ["pack", left]  # what another process left is not ours to remove
    np.testing.assert_array_equal(pack.originals[7], _cropped(7))


def test_a_folder_of_another_that_bears_a_likely_name_is_left_alone(tmp_path: Path, pack: PackedDataset) -> None:
    with staged(tmp_path / "pack") as staging:
        name = staging.folder.name
    (tmp_path / "pack").rename(tmp_path / "other")
    for likely in (name, "pack.partial"):
        (tmp_path / likely).mkdir()
        (tmp_path / likely / "notes.txt").write_text("mine")
    assert write_tiny_pack(tmp_path / "pack").fingerprint == pack.fingerprint
    assert _left_in(tmp_path / "pack") == sorted([*PACK_FILES, "manifest.json"])
    assert [(tmp_path / likely / "notes.txt").read_text() for likely in (name, "pack.partial")] == ["mine"] * 2
