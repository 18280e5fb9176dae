"""Tables in the layout of the thesis' appendix: what a cell says, which is the best, and which trial stands for it."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.findings import find
from analysis.report import page
from analysis.report.page import shortened
from analysis.run import open_run
from analysis.tables.appendix import BEST_OF_ALL
from analysis.tables.catalogue import tables_of
from analysis.tables.spec import Table
from analysis.tables.write import to_csv
from search.space.spec import TrialStatus
from tests.run_fixture import Plan, plan, write_run
from tests.table_reader import shown

AXES = {"loss": ["mse", "mae", "hf", "perceptual"], "training_quality": [75, 50]}
BETTER, WORSE = {25: -1.0, 50: 0.5, 75: 0.5}, {25: -1.5, 50: 0.1, 75: 0.5}


def _tables(path: Path, plans: list[Plan]) -> dict[str, Table]:
    run = write_run(path / "run", plans, space_definition={"axes": AXES}, left_out=[])
    return dict(tables_of(find(open_run(run))))


def _cell(table: Table, quality: int, metric: str, column: str, part: int = 0) -> str:
    told = shown(table, part)
    row = told[(told["input"] == str(quality)) & (told["metric"] == metric)]
    (name,) = (name for name in told.columns if name.split("\n")[0] == column)
    (text,) = row[name]
    return str(text)


def test_the_best_loss_of_a_row_is_bold_and_the_best_of_all_tables_has_a_star(tmp_path: Path) -> None:
    plans = [plan(loss="mse", margins=BETTER), plan(loss="mae", margins=WORSE)]
    plans += [plan(loss="mse", architecture="unet", margins={25: -0.9, 50: 0.2, 75: 0.4})]
    plans += [plan(loss="mae", architecture="unet", margins={25: -1.2, 50: 0.2, 75: 0.4})]
    tables = _tables(tmp_path, plans)
    table = tables["appendix_validation"]
    assert [part.title.split(",")[0] for part in table.parts] == ["jjnet", "unet"]
    # From JPEG-75's 40 dB, half a step of 2 dB; four images 0.4 dB around it: see test_tables for the spread.
    assert _cell(table, 50, "PSNR, dB", "mse") == f"**41.00 (0.30)** {BEST_OF_ALL}"
    assert _cell(table, 50, "PSNR, dB", "mae") == "40.20 (0.30)"
    assert _cell(table, 25, "PSNR, dB", "mse") == "**38.00 (0.30)**"
    assert _cell(table, 25, "PSNR, dB", "mse", part=1) == f"**38.20 (0.30)** {BEST_OF_ALL}"
    assert list(shown(table)["input"].unique()) == ["75", "50", "25"]
    assert "Over 4 images" in table.below[0]


def test_equal_means_are_best_together(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [plan(loss="mse", margins=BETTER), plan(loss="mae", margins=BETTER)])
    numbers = tables["appendix_validation"].frame
    assert numbers.groupby("loss")["is_best"].sum().to_dict() == {
        "hf": 0,
        "mae": 12,
        "mse": 9,
        "perceptual": 0,
    }  # not by MAE


def test_no_cell_is_blank_and_each_says_what_it_lacks(tmp_path: Path) -> None:
    plans = [
        plan(loss="mse"),
        plan(loss="mae", status=TrialStatus.FAILED, scored=False, margin=None, epochs_run=0),
        plan(loss="hf", status=TrialStatus.DIVERGED, scored=False, margin=None, epochs_run=1),
    ]
    table = _tables(tmp_path, plans)["appendix_validation"]
    says = {loss: _cell(table, 50, "SSIM", loss) for loss in ("mae", "hf", "perceptual")}
    assert says == {"mae": "failed", "hf": "diverged", "perceptual": "not run"}
    assert not (shown(table) == "").any(axis=None)
    assert [name for name in shown(table).columns if name.startswith("hf")] == ["hf\n1/3 epochs\ndiverged"]


def test_dead_and_diverged_trials_are_marked_and_never_the_best(tmp_path: Path) -> None:
    plans = [
        plan(loss="mse", margins=WORSE),
        plan(loss="mae", margins=WORSE, status=TrialStatus.STOPPED, epochs_run=1),
        plan(loss="hf", margins=BETTER, status=TrialStatus.DEAD),
        plan(loss="perceptual", margins=BETTER, status=TrialStatus.DIVERGED),
    ]
    table = _tables(tmp_path, plans)["appendix_validation"]
    assert _cell(table, 50, "SSIM", "hf").endswith("(0.0015) §")
    assert _cell(table, 50, "SSIM", "perceptual").endswith("(0.0015) ‡")
    assert _cell(table, 50, "SSIM", "mae").endswith(f"(0.0015)** † {BEST_OF_ALL}")
    assert {line[0] for line in table.below[1:]} == {"†", "‡", "§"}


def test_the_longest_trained_and_then_the_best_stands_for_a_cell(tmp_path: Path) -> None:
    plans = [
        plan(0, margin=-0.5, margins={50: 0.1}),
        plan(1, margin=-0.4, margins={50: 0.2}),
        plan(2, margin=-0.1, margins={50: 0.3}, status=TrialStatus.STOPPED, epochs_run=2),
        plan(3, margin=0.5, margins={50: 0.4}, status=TrialStatus.DEAD),
    ]
    table = _tables(tmp_path, plans)["appendix_validation"]
    assert _cell(table, 50, "PSNR, dB", "mse").startswith("40.40 ")  # the only one: no best
    assert "mse\n3/3 epochs\n1 of 4 trials" in shown(table).columns
    assert any("longest trained" in line for line in table.below)
    assert set(table.frame.loc[table.frame["loss"] == "mse", "n_trials"]) == {4}


def test_training_qualities_lie_across_where_two_were_tried(tmp_path: Path) -> None:
    plans = [plan(training_quality=quality, split="data101") for quality in (75, 50)] + [plan(loss="mae")]
    tables = _tables(tmp_path, plans)
    names = {name for name in tables if name.startswith("training_quality_")}
    assert names == {"training_quality_validation", "training_quality_test"}
    table = tables["training_quality_validation"]
    assert [name.split("\n")[0] for name in shown(table).columns] == ["input", "metric", "50", "75"]
    (part,) = table.parts  # the trial of another split has a single training quality
    assert part.title == "jjnet, loss mse, activation none: validation split of data101, whole images"


def test_networks_that_predict_the_image_itself_have_parts_of_their_own(tmp_path: Path) -> None:
    table = _tables(tmp_path, [plan(), plan(global_residual=False)])["appendix_validation"]
    assert ["predicting the image itself" in part.title for part in table.parts] == [False, True]


def test_the_page_shows_a_limited_number_of_rows_and_says_where_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _tables(tmp_path, [plan(loss="mse"), plan(loss="mae"), plan(architecture="unet")])["appendix_validation"]
    assert table.n_rows == 24
    assert shortened(table) is table
    monkeypatch.setattr(page, "N_ROWS", 13)
    short = shortened(table)
    assert [len(part.lines) for part in short.parts] == [12, 1]
    assert short.below[0] == "The first 13 of 24 rows; tables/appendix_validation.csv has all."


def test_a_laid_out_table_as_csv_has_numbers_in_its_places(tmp_path: Path) -> None:
    table = _tables(tmp_path, [plan(loss="mse"), plan(loss="mae")])["appendix_validation"]
    (tmp_path / "table.csv").write_text(to_csv(table))
    read = pd.read_csv(tmp_path / "table.csv").set_index(["input_quality", "metric"])
    numbers = table.frame.set_index(["loss", "input_quality", "metric"])["mean"]
    assert read.loc[(50, "psnr_db"), "mse"] == pytest.approx(numbers["mse", 50, "psnr_db"], rel=1e-6)
    assert read.loc[(50, "psnr_db"), "hf"] == "not run"
