"""The gallery of a run: which pictures the search hangs, how analysis reads them, and what is drawn of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.figures.gallery import (
    N_COLUMNS,
    VERSIONS,
    compare_maps,
    feature_maps,
    sample_sheet,
    sheets,
    worst,
    worst_inputs,
)
from analysis.figures.picture import save
from analysis.figures.pixels import worst_place
from analysis.figures.subplots import draw_subplots
from analysis.findings import Findings, find
from analysis.pictures import Gallery, read_gallery
from analysis.run import open_run
from datasets.packed import PackedDataset
from search.scoring.gallery import N_MAPS, N_SHEET, add_maps, choose_sheet, gallery_arrays, gallery_to_bytes
from search.scoring.score_files import scores_to_bytes, worst_images
from tests.run_fixture import CROP_PX, SIZE_PX, plan, write_gallery, write_run

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def _brighter(images: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.minimum(images, 250) + 5


def _strength(images: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """As many maps as VGG16 has, of which number 3 is the strongest, 1 the next, and so on down."""
    weights = np.zeros(20, np.float32)
    weights[[3, 1, 0, 2, 4, 5, 6, 7, 8]] = np.arange(9, 0, -1)
    return images[:, ::16, ::16, :1].astype(np.float32) * weights


def _gallery(tmp_path: Path) -> Gallery:
    write_gallery(tmp_path, "")
    gallery = read_gallery(tmp_path)
    assert isinstance(gallery, Gallery)
    return gallery


def _findings(run: Path) -> Findings:
    return find(open_run(run))


def test_sheet_takes_the_camera_systems_in_turn_by_the_seed(small_pack: PackedDataset) -> None:
    images = choose_sheet(small_pack, seed=0)
    assert len(images) == len(set(images)) == min(N_SHEET, len(small_pack.names))
    systems = [small_pack.systems[image] for image in images]
    known = sorted(set(small_pack.systems))
    assert systems[: len(known)] == known
    assert images == choose_sheet(small_pack, seed=0) != choose_sheet(small_pack, seed=1)


def test_sheet_of_large_images_has_one_of_each_system(
    small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.scoring.gallery.SHEET_BYTES", 10)
    images = choose_sheet(small_pack, seed=0)
    assert sorted(small_pack.systems[image] for image in images) == sorted(set(small_pack.systems))


def test_worst_images_are_those_of_the_largest_mse_of_whole_test_images() -> None:
    def row(image: int, mse: float, split: str = "test", region: str = "full", quality: int = 50) -> dict[str, Any]:
        return {"image": image, "mse": mse, "split": split, "region": region, "input_quality": quality}

    rows = [row(3, 0.1), row(4, 0.3), row(5, 0.2), row(6, 9, split="validation"), row(7, 9, region="crop")]
    assert worst_images(scores_to_bytes([*rows, row(8, 9, quality=25)]), "test", 50) == [4, 5, 3]


def test_gallery_is_read_as_the_search_hung_it(small_pack: PackedDataset, tmp_path: Path) -> None:
    hung = add_maps(gallery_arrays(small_pack, [1, 4], [7, 2, 3], _brighter), _strength)
    (tmp_path / "gallery.npz").write_bytes(gallery_to_bytes({**hung, "trial_id": "jjnet", "crop_px": 48}))
    gallery = read_gallery(tmp_path)
    assert isinstance(gallery, Gallery)
    np.testing.assert_array_equal(gallery.sheet, small_pack.originals[[1, 4]])
    np.testing.assert_array_equal(gallery.worst_original, small_pack.originals[[7, 2, 3]])
    np.testing.assert_array_equal(gallery.worst_degraded[1], small_pack.degraded(2, 50))
    np.testing.assert_array_equal(gallery.worst_restored, _brighter(gallery.worst_degraded))
    assert gallery.sheet_systems == (small_pack.systems[1], small_pack.systems[4])
    assert gallery.worst_names == tuple(small_pack.names[image] for image in (7, 2, 3))
    assert (gallery.quality, gallery.crop_px, gallery.trial_id) == (50, 48, "jjnet")
    assert gallery.map_numbers == (3, 1, 0, 2, 4, 5, 6, 7)
    assert gallery.maps is not None
    assert gallery.maps.shape == (3, 6, 6, N_MAPS)
    np.testing.assert_array_equal(gallery.maps[2, ..., 0], 9.0 * gallery.worst_restored[0, ::16, ::16, 0])  # type: ignore[index]


def test_gallery_without_a_restorer_or_without_scores_holds_what_there_is(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    for worst_ones, n_versions in (([7], 2), ([], None)):
        hung = gallery_arrays(small_pack, [1], worst_ones, None)
        hung = add_maps(hung, _strength) if n_versions else hung
        (tmp_path / "gallery.npz").write_bytes(gallery_to_bytes({**hung, "trial_id": "", "crop_px": 48}))
        gallery = read_gallery(tmp_path)
        assert isinstance(gallery, Gallery)
        assert len(gallery.worst_degraded) == len(worst_ones)
        assert gallery.worst_restored is gallery.trial_id is None
        assert (None if gallery.maps is None else len(gallery.maps)) == n_versions


@pytest.mark.parametrize("n_bytes", [0, 10, 5000])
def test_torn_gallery_is_told(tmp_path: Path, n_bytes: int) -> None:
    _gallery(tmp_path)
    file = tmp_path / "gallery.npz"
    file.write_bytes(file.read_bytes()[:n_bytes])
    told = str(read_gallery(tmp_path))
    assert told.startswith("gallery.npz cannot be read (")
    assert "): remove it, and python search/run.py --resume" in told


@pytest.mark.parametrize(
    "changed",
    [
        {"sheet_names": np.array(["one name for three"])},
        {"sheet": np.zeros((3, 8, 8, 3))},
        {"worst_restored": np.zeros((1, 9, 9, 3), np.uint8)},
        {"worst_systems": np.array(["one", "too many"])},
        {"map_numbers": np.array([7])},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_gallery_of_other_shapes_is_told(tmp_path: Path, changed: dict[str, Any]) -> None:
    _gallery(tmp_path)
    with np.load(tmp_path / "gallery.npz") as file:
        parts = {**file, **changed}
    np.savez(tmp_path / "gallery.npz", **parts)
    assert str(read_gallery(tmp_path)).startswith("The pictures of gallery.npz do not fit their names: remove it")


def test_run_of_an_older_version_is_told_to_have_no_gallery(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / "gallery.npz").unlink()
    for make in (sheets, worst, feature_maps):
        assert str(make(_findings(run))).startswith("The run has no gallery.npz, so there is no sheet")


def test_sheet_has_rows_of_one_camera_system_each(tmp_path: Path) -> None:
    gallery = _gallery(tmp_path)
    (green, white), systems = sample_sheet(gallery)
    assert systems == ["green", "white"]
    assert [tile.below for tile in green] == ["1.png", "3.png"]
    np.testing.assert_array_equal(green[1].picture, gallery.sheet[2])
    assert len(white) == 1
    crop = sample_sheet(gallery, CROP_PX)[0][0][0]
    np.testing.assert_array_equal(crop.picture, gallery.sheet[0, 16:48, 16:48])


def test_sheet_of_many_images_of_one_system_goes_on_in_a_next_row(tmp_path: Path) -> None:
    gallery = _gallery(tmp_path)
    n_images = N_COLUMNS + 1
    many = replace(
        gallery,
        sheet=np.repeat(gallery.sheet[:1], n_images, axis=0),
        sheet_names=("a folder/a name that is much too long.png",) * n_images,
        sheet_systems=("one camera",) * n_images,
    )
    rows, systems = sample_sheet(many)
    assert [len(row) for row in rows] == [N_COLUMNS, 1]
    figure = draw_subplots(rows, "samples", systems)
    assert [axes.get_ylabel() for axes in figure.axes[::N_COLUMNS]] == ["one camera", "one camera"]
    assert figure.axes[0].get_xlabel() == "… is much too long.png"
    assert [axes.axison for axes in figure.axes[N_COLUMNS + 1 :]] == [False] * (N_COLUMNS - 1)
    assert save(figure)[0].startswith(PNG_MAGIC)


def test_worst_place_is_the_square_with_the_largest_error() -> None:
    error = np.zeros((40, 60))
    error[30, 50], error[5, 5] = -9, 8
    rows, columns = worst_place(error, 10)
    assert rows.start <= 30 < rows.stop == rows.start + 10
    assert columns.start <= 50 < columns.stop == columns.start + 10
    assert worst_place(error, 96) == (slice(0, 40), slice(0, 60))
    assert worst_place(np.zeros((20, 20)), 10) == (slice(0, 10), slice(0, 10))


def test_worst_inputs_are_measured_whole_and_shown_where_they_are_worst(tmp_path: Path) -> None:
    flat = np.full((1, 200, 200, 3), 100, np.uint8)
    degraded = flat.copy()
    degraded[:, 150:] = 120
    gallery = replace(
        _gallery(tmp_path), worst_original=flat, worst_degraded=degraded, worst_restored=flat + 1, trial_id="jjnet"
    )
    ((whole, jpeg, lost, restored, left),) = worst_inputs(gallery, "JPEG-50")
    assert whole.below == f"MSE {0.25 * (20 / 255) ** 2:.2e} as JPEG-50"
    assert whole.frame is not None
    assert whole.frame[0] == slice(136, 200)
    assert jpeg.picture.shape == (64, 64, 3)
    assert (lost.picture[0, 0], lost.picture[-1, 0], left.picture[0, 0]) == pytest.approx((0, -20, -1))
    assert restored.below == f"{20 * np.log10(255):.2f} dB (whole image)"


@pytest.mark.parametrize("restored", [True, False])
def test_worst_inputs_are_drawn_with_what_there_is(tmp_path: Path, restored: bool) -> None:
    gallery = _gallery(tmp_path)
    gallery = replace(gallery, worst_restored=gallery.worst_original) if restored else gallery
    figure = draw_subplots(worst_inputs(gallery, "JPEG-50"), "worst")
    *tiles, _ = figure.axes
    titles = ["4.png\nwhite", "JPEG-50", "original minus JPEG-50", "restored", "original minus restored"]
    assert [axes.get_title() for axes in tiles] == titles[: 5 if restored else 3]
    assert tiles[0].get_xlabel().startswith("MSE ")
    assert save(figure)[0].startswith(PNG_MAGIC)


def test_maps_are_compared_with_those_of_the_original() -> None:
    maps = np.zeros((3, 2, 2, 2), np.float32)
    maps[..., 0] = np.array([4, 3, 5])[:, None, None]
    original, jpeg, restored = compare_maps(maps, (17, 99))
    assert [tile.below for tile in (*original, *jpeg, *restored)] == ["", "", *["25 % off", "0 % off"] * 2]
    assert [tile.span for tile in original] == [(0, 5), (0, 1)]
    figure = draw_subplots([original, jpeg, restored], "maps", VERSIONS)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["map 17", "map 99"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["original", "JPEG", "restored"]
    assert figure.axes[2].get_xlabel() == "25 % off"
    assert save(figure)[0].startswith(PNG_MAGIC)


@pytest.mark.usefixtures("unsaved_pictures")
def test_captions_say_which_images_and_whose_restoring_it_is(tmp_path: Path) -> None:
    findings = _findings(write_run(tmp_path / "run", [plan()]))
    sheet, crops = (picture for picture in sheets(findings) if not isinstance(picture, str))
    assert "green (2), white (1)" in sheet.caption
    assert (sheet.name, crops.name) == ("sample_sheet", "sample_crops")
    assert "JPEG-50" in str(worst(findings))
    assert "white/4.png" in str(feature_maps(findings))


def test_gallery_lacks_are_told_one_by_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    with np.load(run / "gallery.npz") as file:
        parts = {name: part for name, part in file.items() if not name.startswith("map")}
    nothing = np.zeros((0, SIZE_PX, SIZE_PX, 3), np.uint8)
    none = {name: np.array([], np.str_) for name in ("sheet_names", "sheet_systems", "worst_names", "worst_systems")}
    empty = {f"worst_{side}": nothing for side in ("original", "degraded", "restored")}
    np.savez(run / "gallery.npz", **{**parts, **none, **empty, "sheet": nothing})
    assert sheets(_findings(run)) == "the gallery holds no image for it"
    assert worst(_findings(run)) == "JPEG as it is had no test scores when the gallery was made"
    assert feature_maps(_findings(run)) == "VGG16's weights were not used in this run, or there was nothing to show"
