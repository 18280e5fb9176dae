"""Tables in the layout of the thesis' appendix: what a cell says, which is the best, and which trial stands for it."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.chapters import pieces
from analysis.chapters.pieces import folded_tables
from analysis.findings import find
from analysis.run import open_run
from analysis.tables.layout import BEST_OF_ALL
from analysis.tables.table import Table
from search.spec import TrialStatus
from tests.run_fixture import Plan, plan, write_run

AXES = {"loss": ["mse", "mae", "hf", "perceptual"], "training_quality": [75, 50]}
BETTER, WORSE = {25: -1.0, 50: 0.5, 75: 0.5}, {25: -1.5, 50: 0.1, 75: 0.5}


def _tables(path: Path, plans: list[Plan]) -> dict[str, Table]:
    run = write_run(path / "run", plans, space_definition={"axes": AXES}, left_out=[])
    return dict(find(open_run(run)).tables)


def _cell(table: Table, quality: int, metric: str, column: str) -> str:
    shown = table.shown
    row = shown[(shown["input"] == str(quality)) & (shown["metric"] == metric)]
    (name,) = (name for name in shown.columns if name.split("\n")[0] == column)
    (text,) = row[name]
    return str(text)


def test_the_best_loss_of_a_row_is_bold_and_the_best_of_all_tables_has_a_star(tmp_path: Path) -> None:
    plans = [plan(loss="mse", margins=BETTER), plan(loss="mae", margins=WORSE)]
    plans += [plan(loss="mse", architecture="unet", margins={25: -0.9, 50: 0.2, 75: 0.4})]
    plans += [plan(loss="mae", architecture="unet", margins={25: -1.2, 50: 0.2, 75: 0.4})]
    tables = _tables(tmp_path, plans)
    jjnet, unet = tables["appendix_jjnet_none_q75_tiny"], tables["appendix_unet_none_q75_tiny"]
    # From JPEG-75's 40 dB, half a step of 2 dB; four images 0.4 dB around it: see test_tables for the spread.
    assert _cell(jjnet, 50, "PSNR, dB", "mse") == f"**41.00 ±0.55 (0.34)** {BEST_OF_ALL}"
    assert _cell(jjnet, 50, "PSNR, dB", "mae") == "40.20 ±0.55 (0.34)"
    assert _cell(jjnet, 25, "PSNR, dB", "mse") == "**38.00 ±0.55 (0.34)**"
    assert _cell(unet, 25, "PSNR, dB", "mse") == f"**38.20 ±0.55 (0.34)** {BEST_OF_ALL}"
    assert list(jjnet.shown["input"].unique()) == ["75", "50", "25"]
    assert "over 4 images" in jjnet.below[0]


def test_equal_means_are_best_together(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [plan(loss="mse", margins=BETTER), plan(loss="mae", margins=BETTER)])
    numbers = tables["appendix_jjnet_none_q75_tiny"].numbers
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
    table = _tables(tmp_path, plans)["appendix_jjnet_none_q75_tiny"]
    says = {loss: _cell(table, 50, "SSIM", loss) for loss in ("mae", "hf", "perceptual")}
    assert says == {"mae": "failed", "hf": "diverged", "perceptual": "not run"}
    assert not (table.shown == "").any(axis=None)
    assert [name for name in table.shown.columns if name.startswith("hf")] == ["hf\n1/3 epochs\ndiverged"]


def test_dead_and_diverged_trials_are_marked_and_never_the_best(tmp_path: Path) -> None:
    plans = [
        plan(loss="mse", margins=WORSE),
        plan(loss="mae", margins=WORSE, status=TrialStatus.STOPPED, epochs_run=1),
        plan(loss="hf", margins=BETTER, status=TrialStatus.DEAD),
        plan(loss="perceptual", margins=BETTER, status=TrialStatus.DIVERGED),
    ]
    table = _tables(tmp_path, plans)["appendix_jjnet_none_q75_tiny"]
    assert _cell(table, 50, "SSIM", "hf").endswith("(0.0017) §")
    assert _cell(table, 50, "SSIM", "perceptual").endswith("(0.0017) ‡")
    assert _cell(table, 50, "SSIM", "mae").endswith(f"(0.0017)** † {BEST_OF_ALL}")
    assert {line[0] for line in table.below[1:]} == {"†", "‡", "§"}


def test_the_longest_trained_and_then_the_best_stands_for_a_cell(tmp_path: Path) -> None:
    plans = [
        plan(0, margin=-0.5, margins={50: 0.1}),
        plan(1, margin=-0.4, margins={50: 0.2}),
        plan(2, margin=-0.1, margins={50: 0.3}, status=TrialStatus.STOPPED, epochs_run=2),
        plan(3, margin=0.5, margins={50: 0.4}, status=TrialStatus.DEAD),
    ]
    table = _tables(tmp_path, plans)["appendix_jjnet_none_q75_tiny"]
    assert _cell(table, 50, "PSNR, dB", "mse").startswith("40.40 ")  # the only one: no best
    assert "mse\n3/3 epochs\n1 of 4 trials" in table.shown.columns
    assert any("longest trained" in line for line in table.below)
    assert set(table.numbers.loc[table.numbers["loss"] == "mse", "n_trials"]) == {4}


def test_training_qualities_lie_across_where_two_were_tried(tmp_path: Path) -> None:
    plans = [plan(training_quality=quality, split="data101") for quality in (75, 50)] + [plan(loss="mae")]
    tables = _tables(tmp_path, plans)
    names = {name for name in tables if name.startswith("training_quality_")}
    stem = "training_quality_jjnet_mse_none_data101"
    assert names == {
        stem + scored + region + ending
        for scored in ("", "_test")
        for region in ("", "_crop")
        for ending in ("", "_by_system")
    }
    assert [name.split("\n")[0] for name in tables[stem].shown.columns] == ["input", "metric", "50", "75"]
    assert tables[stem].title == "jjnet, loss mse, activation none: validation split of data101, whole images"


def test_camera_systems_have_rows_of_their_own(tmp_path: Path) -> None:
    table = _tables(tmp_path, [plan(loss="mse"), plan(loss="mae")])["appendix_jjnet_none_q75_tiny_crop_by_system"]
    assert list(table.shown["system"].unique()) == ["green", "white"]
    numbers = table.numbers.set_index(["system", "loss", "input_quality", "metric"])
    # Green has the images 0 and 2, at -0.2 and +0.0667 of a step around 40.2 dB.
    green = numbers.loc[("green", "mse", 50, "psnr_db")]
    assert (green["n_images"], round(green["mean"], 4)) == (2, round(40.2 + 2 * (-0.2 + 0.2 / 3) / 2, 4))


def test_networks_that_predict_the_image_itself_have_tables_of_their_own(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [plan(), plan(global_residual=False)])
    assert "appendix_jjnet_direct_none_q75_tiny" in tables
    assert "predicting the image itself" in tables["appendix_jjnet_direct_none_q75_tiny"].title


def test_the_page_shows_a_limited_number_of_a_kind_and_says_where_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", [plan(loss="mse"), plan(loss="mae")], left_out=[])
    findings = find(open_run(run))
    (every,) = folded_tables(findings, "Losses", "appendix_")
    assert "<h3>Losses (8)</h3>" in every  # both splits and regions, of all images and by camera system
    monkeypatch.setattr(pieces, "N_FOLDED", 3)
    (some,) = folded_tables(findings, "Losses", "appendix_")
    assert "<h3>Losses (3 of 8)</h3>" in some
    assert "5 more are in the folder tables, as appendix_*." in some
    assert some.count("by camera system</h3>") == 0
    monkeypatch.setattr(pieces, "N_ROWS", 7)
    (short,) = folded_tables(findings, "Losses", "appendix_")
    assert "The first 7 of 12 rows; tables/appendix_jjnet_none_q75_tiny.csv has all." in short
    assert "<td>25</td>" not in short  # three qualities of four metrics, highest first
    assert folded_tables(findings, "None", "no_such_table") == []


def test_numbers_of_a_table_survive_csv(tmp_path: Path) -> None:
    numbers = _tables(tmp_path, [plan(loss="mse"), plan(loss="mae")])["appendix_jjnet_none_q75_tiny"].numbers
    numbers.to_csv(tmp_path / "table.csv", index=False)
    read = pd.read_csv(tmp_path / "table.csv", keep_default_na=False, na_values=[""])
    pd.testing.assert_series_equal(read["mean"], numbers["mean"])
    assert list(read["holds"]) == list(numbers["holds"])
