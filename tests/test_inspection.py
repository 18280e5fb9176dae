"""Inspecting sources and what a pack does of it: faults, duplicates across systems, groups on one side of a split."""

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datasets.cli import main
from datasets.errors import InputError
from datasets.grouping.labels import find_labels
from datasets.grouping.splits import RANDOM, SUBSETS, split_images
from datasets.packed import open_pack
from datasets.smear import draw_smear
from tests.pack_fixture import tiny_image, write_source_folder

Capture = pytest.CaptureFixture[str]
SMALL = ["--size", "32", "--qualities", "75"]
SIDE_PX = 120


def _save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image)).save(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source folder with everything that a pack should not hold, among parts of smears that it may."""
    folder = tmp_path_factory.mktemp("made") / "source"
    smears = [draw_smear("white", np.random.default_rng((3, number))) for number in range(6)]
    for number, smear in enumerate(smears):
        _save(folder / "white" / f"{number}.png", smear[:SIDE_PX, :SIDE_PX])
        _save(folder / "green" / f"{number}.png", smear[200 : 200 + SIDE_PX, 200 : 200 + SIDE_PX])
    file = io.BytesIO()
    Image.fromarray(smears[0]).save(file, "JPEG", quality=70)
    _save(folder / "white" / "was jpeg.png", np.asarray(Image.open(file))[100:220, 30:150])
    shutil.copy(folder / "white" / "1.png", folder / "green" / "copy.png")
    _save(folder / "green" / "moved.png", smears[2][8 : 8 + SIDE_PX, 4 : 4 + SIDE_PX])
    _save(folder / "white" / "blank.png", np.full((SIDE_PX, SIDE_PX, 3), 230, np.uint8))
    clipped = smears[4][100 : 100 + SIDE_PX, 200 : 200 + SIDE_PX].copy()
    clipped[:30] = 255
    _save(folder / "white" / "clipped.png", clipped)
    _save(folder / "white" / "odd.png", smears[5][100:250, 0:170])
    (folder / "white" / "damaged.png").write_bytes((folder / "white" / "0.png").read_bytes()[:900])
    (folder / "green" / "lossy.jpg").write_bytes(b"never looked at")
    return folder


def test_everything_that_a_pack_should_not_hold_is_told_of_its_image(
    made: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["inspect", str(made), "--out", str(tmp_path / "told")]) == 0
    said = capsys.readouterr().out
    with (tmp_path / "told" / "images.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    problems = {name: row["problems"] for name, row in rows.items() if row["problems"]}
    expected = {
        *(f"white/{name}.png" for name in ("was jpeg", "blank", "clipped", "odd", "damaged")),
        *("green/lossy.jpg", "white/1.png", "white/2.png"),
    }
    assert problems.keys() >= expected
    # parts of a hundred pixels show so few cells that some resemble each other
    assert all(told.startswith("same field as") for name, told in problems.items() if name not in expected)
    assert rows["white/was jpeg.png"]["jpeg_quality"] == "70"
    assert rows["white/was jpeg.png"]["chroma_subsampling"] == "4:2:0"
    assert (rows["white/was jpeg.png"]["grid_row"], rows["white/was jpeg.png"]["grid_column"]) == ("4", "2")
    assert rows["white/1.png"]["identical_to"] == "green/copy.png"
    assert rows["white/2.png"]["near_duplicate_of"] == "green/moved.png"
    assert rows["white/blank.png"]["blank"] == "1"
    assert float(rows["white/clipped.png"]["clipped_share"]) >= 0.25
    assert rows["white/odd.png"]["odd_size"] == "1"
    assert "is damaged" in rows["white/damaged.png"]["fault"]
    assert "its loss cannot be undone" in rows["green/lossy.jpg"]["fault"]
    assert len(rows) == 20
    header, green, white, every = (line.split() for line in said.splitlines()[:4])
    assert header[:2] == ["system", "images"]
    assert [line[:2] for line in (green, white, every)] == [["green", "9"], ["white", "11"], ["all", "20"]]
    assert [int(number) for number in (*every[2:5], *every[6:9])] == [2, 1, 1, 1, 1, 1]
    with Image.open(tmp_path / "told" / "worst.png") as sheet:
        assert sheet.width > 160
        assert sheet.height > 160


def test_without_a_folder_nothing_is_written_and_a_pack_takes_no_folder(
    made: Path, tmp_path: Path, capsys: Capture
) -> None:
    before = sorted(made.rglob("*"))
    assert main(["inspect", str(made)]) == 0
    assert sorted(made.rglob("*")) == before
    source = write_source_folder(tmp_path / "source")
    assert main(["pack", str(source), str(tmp_path / "pack"), *SMALL]) == 0
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "pack"), "--out", str(tmp_path / "out")]) == 2
    assert "--out is for a source folder" in capsys.readouterr().err
    assert main(["inspect", str(source), "--out", str(source / "left" / "out")]) == 2
    assert "overlap" in capsys.readouterr().err


def test_images_beside_sub_folders_are_inspected_too(tmp_path: Path, capsys: Capture) -> None:
    for number in range(3):
        _save(tmp_path / "flat" / f"{number}.png", tiny_image(number))
    assert main(["inspect", str(tmp_path / "flat")]) == 0
    found = capsys.readouterr()
    assert found.out.splitlines()[1].split()[:3] == ["flat", "3", "0"]
    assert "3 images lie outside a camera system: to pack them" in found.err


def test_a_pack_warns_of_images_that_were_jpeg(made: Path, tmp_path: Path, capsys: Capture) -> None:
    source = Path(shutil.copytree(made, tmp_path / "source"))
    (source / "white" / "damaged.png").unlink()
    (source / "green" / "lossy.jpg").unlink()
    assert main(["pack", str(source), str(tmp_path / "pack"), "--size", "100", "--qualities", "75"]) == 0
    said = capsys.readouterr().err
    assert "1 of 18 images were JPEG before, so no ground truth: white/was jpeg.png (JPEG of about quality 70" in said
    assert "1 images have the same pixels as another one: white/1.png is green/copy.png" in said
    pack = open_pack(tmp_path / "pack")
    number = {name: image for image, name in enumerate(pack.names)}
    for one, other in (("white/1.png", "green/copy.png"), ("white/2.png", "green/moved.png")):
        for subsets in pack.subsets.values():
            assert {subsets[number[one]], subsets[number[other]]} - {""} in ({"train"}, {"validation"}, {"test"}, set())
    assert pack.manifest["grouping"]["by"]["identical_pixels"] == 1
    assert pack.manifest["grouping"]["by"]["near_duplicates"] >= 2
    assert sum(part["n_images"] for part in pack.manifest["split_table"]["data100"].values()) == 18


def _pack_grouped(folder: Path, *options: str) -> dict[str, list[object]]:
    source = write_source_folder(folder / "source", 40)
    for path in sorted(source.rglob("*.png")):
        path.rename(path.with_name(f"patient{int(path.stem) // 5}-{path.stem}.png"))
    assert main(["pack", str(source), str(folder / "pack"), *SMALL, *options]) == 0
    return dict(pq.read_table(folder / "pack" / "index.parquet").to_pydict())


@pytest.mark.parametrize("way", ["pattern", "table"])
def test_images_of_one_patient_stand_on_one_side(tmp_path: Path, way: str) -> None:
    table = tmp_path / "patients.csv"
    names = [f"{'left' if n % 2 == 0 else 'right'}/patient{n // 5}-{n}.png" for n in range(40)]
    table.write_text("name,patient\n" + "".join(f"{name},P{n // 5}\n" for n, name in enumerate(names)))
    pattern = ["--group-pattern", r"patient(\d+)"]
    index = _pack_grouped(
        tmp_path, *(pattern if way == "pattern" else ["--group-table", str(table), "--group-column", "patient"])
    )
    for split in ("data100", "data101", "tiny"):
        sides: dict[str, set[object]] = {}
        for name, side in zip(index["name"], index[split], strict=True):
            sides.setdefault(str(name).split("-")[0].split("/")[1], set()).add(side)
        assert all(len(of_patient - {""}) <= 1 for of_patient in sides.values())
        assert {side for of_patient in sides.values() for side in of_patient} >= {"train", "validation"}
    assert index["data100"].count("test") == index["data100"].count("validation") == 5
    assert len(set(index["group"])) == 8


def test_the_random_split_is_the_thesis_whatever_the_groups(tmp_path: Path) -> None:
    index = _pack_grouped(tmp_path, "--group-pattern", r"patient(\d+)", "--split", RANDOM)
    assert {name: index[name] for name in ("data100", "data101", "tiny")} == split_images(40)
    assert len(set(index["group"])) == 8
    assert open_pack(tmp_path / "pack").manifest["split"] == RANDOM


def test_groups_larger_than_a_fifth_still_fill_every_subset_and_too_few_are_refused() -> None:
    splits = split_images(12, np.repeat(np.arange(3), 4))
    for name in ("data100", "data101"):
        assert sorted(splits[name].count(subset) for subset in SUBSETS) == [4, 4, 4]
        assert all(len(set(splits[name][start : start + 4])) == 1 for start in (0, 4, 8))
    with pytest.raises(InputError, match=r"the images form only 2 groups, .* or take --split random"):
        split_images(12, np.repeat(np.arange(2), 6))


def test_images_that_share_no_group_are_divided_as_in_the_thesis() -> None:
    assert split_images(50, np.arange(50)) == split_images(50)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pattern": "("}, "is no regular expression"),
        ({"pattern": "c"}, "finds nothing in a/x.png: widen it, or rename the image"),
        ({"pattern": "a", "table": Path("x"), "column": "y"}, "two ways to group images: give one"),
        ({"table": Path("x")}, "belong together: give both"),
        ({"column": "y"}, "belong together: give both"),
        ({"table": Path("absent.csv"), "column": "y"}, r"absent\.csv cannot be read: No such file"),
    ],
)
def test_ways_to_group_that_cannot_be_are_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_labels(["a/x.png"], **arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"name,slide\na/x.png,1\n", "says nothing of 1 of 2 images, such as b/y.png"),
        (b"name,slide\na/x.png,1\nb/y.png,2\na/x.png,2\n", "says two things of a/x.png: leave one of its rows"),
        (b"name,slide\na/x.png,1\nb/y.png, \n", "says nothing of 1 of 2 images, such as b/y.png"),
        (b"file,slide\n", "lacks the column name: it has file, slide"),
        (b"name,plate\n", "lacks the column slide: it has name, plate"),
        (b"", "lacks the column name: it has none"),
        (b"name,slide\n\xff\xfe,1\n", "is no CSV file in UTF-8"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "slides.csv").write_bytes(text)
    with pytest.raises(InputError, match=words):
        find_labels(["a/x.png", "b/y.png"], table=tmp_path / "slides.csv", column="slide")


def test_spaces_around_a_label_do_not_part_a_group(tmp_path: Path) -> None:
    (tmp_path / "slides.csv").write_text("name,slide\na/x.png,p1 \nb/y.png, p1\na/x.png,p1\n")
    found = find_labels(["a/x.png", "b/y.png"], table=tmp_path / "slides.csv", column="slide")
    assert found == ["p1", "p1"]


def test_several_parts_of_a_name_group_together() -> None:
    names = ["a/p1-s1.png", "a/p1-s2.png", "a/p12-s.png"]
    assert len(set(find_labels(names, r"p(\d)(\d?)-s(\d?)") or ())) == 3
    assert find_labels(names, r"p\d+") == ["p1", "p1", "p12"]
    assert find_labels(names) is None
