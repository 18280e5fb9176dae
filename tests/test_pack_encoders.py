"""Packs with encoders: their files, what is stored today, and packs of before there were any."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datasets.cli import main
from datasets.encoders.compress import compress, degrade
from datasets.encoders.names import find_encoder
from datasets.errors import InputError
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.sources.source import centre_crop
from tests.pack_fixture import N_IMAGES, tiny_image, tiny_sources, write_source_folder, write_tiny_pack

FLAT, OPTIMISED = find_encoder("jpeg-flat12-c0.6"), find_encoder("jpeg-q75")
PLAIN = find_encoder("jpeg-q75-plain")
SIZE_PX = 32


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("packs") / "pack"
    write_pack(tiny_sources(), folder, PackSettings(SIZE_PX, (25, 75), encoders=(FLAT, OPTIMISED)))
    return open_pack(folder, check_hashes=True)


def _cropped(number: int) -> Any:
    return np.ascontiguousarray(centre_crop(tiny_image(number), SIZE_PX))


def test_a_pack_holds_the_files_of_every_encoder(pack: PackedDataset) -> None:
    assert [encoder.name for encoder in pack.encoders] == [
        "jpeg-q25-plain",
        "jpeg-q75-plain",
        FLAT.name,
        OPTIMISED.name,
    ]
    for encoder in pack.encoders:
        files = pack.files_of(encoder)
        for number in range(N_IMAGES):
            data = bytes(files.data[files.offsets[number] : files.offsets[number + 1]])
            assert data == compress(_cropped(number), encoder)
            np.testing.assert_array_equal(pack.shown(number, encoder), degrade(_cropped(number), encoder)[1])


def test_files_of_qualities_stay_as_they_were(pack: PackedDataset, tmp_path: Path) -> None:
    plain = write_tiny_pack(tmp_path / "plain")
    for name in ("jpeg_q25.bin", "jpeg_q75.bin", "originals.npy"):
        assert (pack.folder / name).read_bytes() == (plain.folder / name).read_bytes()
    assert pack.qualities == plain.qualities == (25, 75)
    assert plain.encoders == pack.encoders[:2]


def test_what_is_stored_today_is_as_pillow_writes_it(pack: PackedDataset) -> None:
    today = [len(compress(_cropped(number), PLAIN)) for number in range(N_IMAGES)]
    optimised = [len(compress(_cropped(number), OPTIMISED)) for number in range(N_IMAGES)]
    assert pack.today == {
        "encoder": "jpeg-q75-plain",
        "mean_bytes": np.mean(today),
        "mean_optimised_bytes": np.mean(optimised),
    }
    index = pq.read_table(pack.folder / "index.parquet").to_pydict()
    assert index["today_optimised_bytes"] == optimised
    assert index["jpeg_bytes_q75"] == today
    assert sum(optimised) < sum(today)


def test_today_is_packed_where_it_is_no_quality_of_the_pack(tmp_path: Path) -> None:
    write_pack(tiny_sources(), tmp_path / "pack", PackSettings(SIZE_PX, (25,), today=find_encoder("jpeg-q80-plain")))
    pack = open_pack(tmp_path / "pack", check_hashes=True)
    assert [encoder.name for encoder in pack.encoders] == ["jpeg-q25-plain", "jpeg-q80-plain"]
    assert pack.qualities == (25,)
    assert pack.today is not None
    assert pack.today["encoder"] == "jpeg-q80-plain"


def test_a_pack_without_a_today_says_none(tmp_path: Path) -> None:
    write_pack(tiny_sources(), tmp_path / "pack", PackSettings(SIZE_PX, (25,)))
    assert open_pack(tmp_path / "pack").today is None


def test_an_older_pack_opens_with_its_qualities_as_encoders(tmp_path: Path) -> None:
    folder = write_tiny_pack(tmp_path / "pack").folder
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["encoders"], manifest["today"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    pack = open_pack(folder)
    assert [encoder.name for encoder in pack.encoders] == ["jpeg-q25-plain", "jpeg-q75-plain"]
    assert pack.today is None


def test_an_encoder_that_the_pack_lacks_is_made_on_the_fly_and_has_no_files(pack: PackedDataset) -> None:
    other = find_encoder("jpeg-q40")
    np.testing.assert_array_equal(pack.shown(2, other), degrade(_cropped(2), other)[1])
    with pytest.raises(InputError, match=r"no files of jpeg-q40, only of jpeg-q25-plain, .*: pack the sources"):
        pack.files_of(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoders": []}, "was edited: it does not fit its files"),
        ({"encoders": {}}, r"\(its encoders cannot be\)"),
        ({"encoders": [{"quality": 0}]}, "a quality must be a whole number of 1..100, got 0"),
        ({"encoders": [7]}, "an encoder is described by a JSON object"),
        ({"today": 7}, r"\(its today cannot be\)"),
        ({"today": {"encoder": "jpeg-q75", "mean_bytes": 0}}, r"\(its today cannot be\)"),
        ({"today": {"encoder": "jpeg-q75", "mean_bytes": 9, "mean_optimised_bytes": "8"}}, r"\(its today cannot be\)"),
    ],
)
def test_a_manifest_with_other_encoders_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_pack(tiny_sources(), tmp_path / "pack", PackSettings(SIZE_PX, (25,), encoders=(FLAT,)))
    path = tmp_path / "pack" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        open_pack(tmp_path / "pack")


def test_the_command_packs_encoders_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_source_folder(tmp_path / "source")
    (tmp_path / "list.txt").write_text("jpeg-flat12-c0.6\n")
    told = ["--size", "32", "--qualities", "25", "75", "--encoders", str(tmp_path / "list.txt"), "--today", "jpeg-q75"]
    assert main(["pack", str(source), str(tmp_path / "pack"), *told]) == 0
    pack = open_pack(tmp_path / "pack")
    assert pack.today is not None
    share = pack.today["mean_optimised_bytes"] / pack.today["mean_bytes"]
    said = capsys.readouterr().out
    kb = pack.files_of(FLAT).offsets[-1] / N_IMAGES / 1000
    assert f"  jpeg-flat12-c0.6: {kb:.2f} kB an image\n" in said
    assert (
        f"  today jpeg-q75-plain; the same pixels with optimised Huffman tables take {share:.3f} of its bytes" in said
    )


@pytest.mark.parametrize("option", [["--encoders", "absent.txt"], ["--today", "jpeg-75"]])
def test_a_wrong_encoder_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    source = write_source_folder(tmp_path / "source")
    assert main(["pack", str(source), str(tmp_path / "pack"), "--size", "32", *option]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_today_is_jpeg_75_where_nothing_else_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        path = tmp_path / "source" / "green" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tiny_image(number)).save(path)
    pack = ["pack", str(tmp_path / "source"), str(tmp_path / "pack"), "--size", "32", "--qualities", "50", "60"]
    assert main(pack) == 0
    assert open_pack(tmp_path / "pack").today["encoder"] == "jpeg-q75-plain"  # type: ignore[index]
    assert "  today jpeg-q75-plain; " in capsys.readouterr().out
