"""Tables of a run, checked against means and sizes that the fixture makes easy to work out by hand."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.cells import average, cell_notes, cells_of, parity_of
from analysis.cli import summarise
from analysis.findings import Findings, find
from analysis.records import fidelity, fidelity_sentence, heading, label
from analysis.report.report import write_report
from analysis.run import Run, open_run
from analysis.tables.catalogue import tables_of
from analysis.tables.data import requirements_frame, sizes_frame, system_sizes_frame
from analysis.tables.models import columns_of, matrix_frame, models_frame, parity_frame, summary_table
from analysis.tables.spec import Cell, Column, Part, Table
from analysis.tables.write import REACHES, WRITERS, to_csv, to_text
from models.names import METRICS
from search.records import TrialRecord, append_record
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import (
    JPEG_MEANS,
    STEPS,
    Plan,
    baseline_scores,
    plan,
    trial_scores,
    write_images,
    write_run,
    write_scores,
)
from tests.table_reader import shown


def _compare(run: Run) -> pd.DataFrame:
    return average(run.scores, [record.trial_id for record in run.baselines], run.reference_quality)


def _found(path: Path, *plans: Plan, **facts: Any) -> Findings:
    return find(open_run(write_run(path / "run", plans, **facts)))


def _row(comparison: pd.DataFrame, trial: Plan, metric: str, quality: int = 50) -> "pd.Series[float]":
    rows = comparison[
        (comparison["trial_id"] == trial.spec.trial_id)
        & (comparison["split"] == "test")
        & (comparison["region"] == "full")
        & (comparison["input_quality"] == quality)
        & (comparison["metric"] == metric)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize(("metric", "mean"), [("mae", 0.0068), ("mse", 0.00024), ("psnr_db", 40.2), ("ssim", 0.986)])
def test_means_margins_and_reference_are_those_worked_out_by_hand(tmp_path: Path, metric: str, mean: float) -> None:
    trial = plan(margins={50: 0.1})
    comparison = _compare(open_run(write_run(tmp_path / "run", [trial])))
    row = _row(comparison, trial, metric)
    assert row["mean"] == pytest.approx(mean)
    assert row["reference_mean"] == pytest.approx(JPEG_MEANS[75][metric])
    assert row["margin"] == pytest.approx(0.1)
    assert row["reaches"]
    assert row["n_images"] == 4


def test_jpeg_50_is_one_step_below_its_reference_and_jpeg_75_level_with_itself(tmp_path: Path) -> None:
    comparison = _compare(open_run(write_run(tmp_path / "run")))
    for quality, margin in ((50, -1.0), (75, 0.0)):
        rows = comparison[comparison["input_quality"] == quality]
        np.testing.assert_allclose(rows["margin"], margin, atol=1e-9)
        assert (rows["reaches"] == (margin >= 0)).all()


def test_reference_is_averaged_over_the_images_of_the_trial(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    best_image = scores["image"].max()  # 0.2 of a PSNR step of 2 dB above the mean
    write_scores(run, trial.spec.trial_id, scores[scores["image"] == best_image])
    row = _row(_compare(open_run(run)), trial, "psnr_db")
    assert row["reference_mean"] == pytest.approx(40.4)
    assert row["n_images"] == 1


def test_trials_of_two_splits_are_each_compared_with_jpeg_on_their_own_images(tmp_path: Path) -> None:
    one, other = plan(0, margins={50: 0.25}, split="data100"), plan(0, margins={50: 0.5}, split="data101")
    run = write_run(tmp_path / "run", [one, other])
    second = replace(BASELINE, split="data101")
    append_record(run, TrialRecord(second, TrialStatus.COMPLETED, 0, -3.0, 0.0, -3.0, 1.0))
    for trial_id, scores in ((second.trial_id, baseline_scores(4)), (other.spec.trial_id, trial_scores(other, 4))):
        write_scores(run, trial_id, scores.assign(image=scores["image"] + 100))
    opened = open_run(run)
    comparison = _compare(opened)
    for trial, margin in ((one, 0.25), (other, 0.5)):
        row = _row(comparison, trial, "psnr_db")
        assert (row["n_images"], row["margin"]) == (4, pytest.approx(margin))
    assert {fidelity(record) for record in opened.trials} == {"3/3 epochs of data100", "3/3 epochs of data101"}


def test_infinite_psnr_is_left_out_on_both_sides_and_counted(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[(scores["image"] == 7) & (scores["region"] == "full"), "psnr_db"] = np.inf
    write_scores(run, trial.spec.trial_id, scores)
    comparison = _compare(open_run(run))
    row = _row(comparison, trial, "psnr_db")
    # Images lie at -0.4, -0.133, 0.133 and 0.4 dB around 40; without the last their mean is 0.133 lower.
    # Its own are, there, 0.04 dB closer to the mean.
    assert row["mean"] == pytest.approx(40 - (0.4 - 0.04) / 3)
    assert row["reference_mean"] == pytest.approx(40 - 0.4 / 3)
    assert (row["n_images"], row["n_left_out"]) == (3, 1)
    assert _row(comparison, trial, "ssim")["n_images"] == 4
    assert any("infinite: 1." in note for note in cell_notes(comparison))


def test_cell_of_identical_images_says_so(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    write_scores(run, trial.spec.trial_id, trial_scores(trial, 4).assign(psnr_db=np.inf))
    findings = find(open_run(run))
    table = models_frame(findings, "test", "full", columns_of(findings, "test")).query("system == ''")
    table = table[table["trial_id"] == trial.spec.trial_id]
    at_50 = table[(table["input_quality"] == 50) & (table["metric"] == "psnr_db")]
    assert list(at_50["holds"]) == ["all identical"]
    assert not at_50["reaches"].any()


def test_score_that_is_not_a_number_never_reaches_and_is_told(tmp_path: Path) -> None:
    trial = plan(margins={50: 1.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[scores["image"] == 5, "ssim"] = np.nan
    write_scores(run, trial.spec.trial_id, scores)
    comparison = _compare(open_run(run))
    assert not _row(comparison, trial, "ssim")["reaches"]
    assert any(trial.spec.trial_id in note and "not finite" in note for note in cell_notes(comparison))


def test_infinite_error_is_not_taken_for_a_perfect_image(tmp_path: Path) -> None:
    trial = plan(margins={50: 1.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[scores["image"] == 5, "mse"] = np.inf
    write_scores(run, trial.spec.trial_id, scores)
    row = _row(_compare(open_run(run)), trial, "mse")
    assert not row["reaches"]
    assert row["n_left_out"] == 0


def test_every_cell_of_the_quality_table_holds_a_mean_or_a_reason(tmp_path: Path) -> None:
    plans = [
        plan(0),
        plan(1, finalist=False),
        plan(2, scored=False, status=TrialStatus.DIVERGED, margin=None),
        plan(3, scored=False, status=TrialStatus.FAILED, margin=None),
        plan(4, scored=False),
    ]
    findings = _found(tmp_path, *plans)
    opened, records = findings.run, columns_of(findings, "validation")
    table = models_frame(findings, "validation", "crop", records).query("system == ''")
    assert len(table) == 3 * len(METRICS) * len(records)
    held = table[table["input_quality"] == 50].groupby("trial_id")["holds"].unique().map(list).to_dict()
    by_seed = {record.spec.seed: held[record.trial_id] for record in opened.trials}
    assert by_seed == {0: ["mean"], 1: ["mean"], 2: ["diverged"], 3: ["failed"], 4: ["not scored"]}
    told = shown(tables_of(findings)["quality_validation_crop"])
    assert list(told["quality"].unique()) == ["75", "50", "25"]
    assert not (told == "").any(axis=None)


def test_quality_table_puts_jpeg_first_and_then_the_best_trial(tmp_path: Path) -> None:
    records = columns_of(_found(tmp_path, plan(0, margin=-2.0), plan(1, margin=-1.0)), "test")
    assert [record.spec.seed for record in records[1:]] == [1, 0]
    assert records[0].spec == BASELINE


def test_shown_cell_marks_what_reaches_and_counts_what_is_left_out(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.1, 25: -1.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    at_25 = (scores["image"] == 7) & (scores["input_quality"] == 25)
    scores.loc[at_25, "psnr_db"] = np.inf
    write_scores(run, trial.spec.trial_id, scores)
    findings = find(open_run(run))
    table = tables_of(findings)["quality_test_full"]
    cells = shown(table).set_index(["quality", "metric"])[heading(columns_of(findings, "test")[1])]
    assert cells["50", "PSNR, dB"] == f"40.20 (0.30) {REACHES}"
    assert cells["25", "PSNR, dB"] == "37.88 (0.23) (-1)"
    assert any(line.startswith("(-1): ") for line in table.below)
    assert cells["25", "SSIM"] == "0.9750 (0.0015)"


def test_file_sizes_are_those_of_the_jpeg_files(tmp_path: Path) -> None:
    table = sizes_frame(_found(tmp_path)).set_index("input_quality")
    assert list(table.index) == [90, 80, 75, 60, 50, 40, 25, 10]
    assert table.loc[50, "mean_kb"] == pytest.approx(0.7)
    assert table.loc[50, "saved_percent"] == pytest.approx(30.0)
    assert table.loc[75, "saved_raw_percent"] == pytest.approx(100 * (1 - 1000 / (3 * 64 * 64)))
    assert (table["n_images"] == 16).all()


def test_file_sizes_by_system_are_those_of_the_scored_images(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    scores = baseline_scores(4)
    whites = scores.loc[scores["system"] == "white", "image"].unique()
    scores.loc[(scores["image"] == whites[0]) & (scores["input_quality"] == 50), "jpeg_bytes"] = 900
    write_scores(run, BASELINE.trial_id, scores)
    table = system_sizes_frame(find(open_run(run))).set_index(["system", "input_quality"])
    assert list(table.index[:8]) == [("green", quality) for quality in (90, 80, 75, 60, 50, 40, 25, 10)]
    white = table.loc[("white", 50)]  # one file of 900 bytes and three of 700
    assert (white["n_images"], white["mean_kb"], white["sd_kb"]) == (4, pytest.approx(0.75), pytest.approx(0.1))
    assert np.isnan(white["high_kb"])  # four fields are too few
    assert white["saved_percent"] == pytest.approx(25.0)
    assert table.loc[("green", 50), "saved_percent"] == pytest.approx(30.0)


def test_requirements_are_the_means_of_the_reference(tmp_path: Path) -> None:
    table = requirements_frame(_found(tmp_path, plan()))
    table = table[table["system"] == ""].set_index(["region", "metric"])
    for region in ("crop", "full"):
        for metric in METRICS:
            assert table.loc[(region, metric), "mean"] == pytest.approx(JPEG_MEANS[75][metric])


def test_trials_table_has_a_row_per_record_best_first(tmp_path: Path) -> None:
    plans = [plan(0, margin=-2.0), plan(1, margin=None, status=TrialStatus.DIVERGED), plan(2, margin=-1.0)]
    table = tables_of(_found(tmp_path, *plans))["trials"].frame
    assert list(table["seed"]) == [2, 0, 0, 1]  # the second 0 is JPEG as it is, at -3
    assert list(table["status"]) == ["completed", "completed", "completed", "diverged"]
    assert {"learning_rate", "crop_px", "epochs_allowed", "psnr_gain_db"} <= set(table.columns)


def test_label_of_a_stopped_trial_tells_its_epochs(tmp_path: Path) -> None:
    stopped = plan(0, status=TrialStatus.STOPPED, epochs_run=2, epochs=9, epoch_images=64)
    record = open_run(write_run(tmp_path / "run", [stopped])).trials[0]
    assert label(record) == f"{record.trial_id} (2/9 epochs of 64 images, stopped)"
    assert heading(record).endswith("2/9 epochs\nof 64 images\nstopped")


def test_ranking_of_unequal_training_warns(tmp_path: Path) -> None:
    same = open_run(write_run(tmp_path / "same", [plan(0), plan(1)]))
    mixed = open_run(write_run(tmp_path / "mixed", [plan(0), plan(1, epochs_run=1, status=TrialStatus.STOPPED)]))
    assert fidelity_sentence(same.trials) == ""
    assert "not trained equally long (from 1/3 epochs to 3/3 epochs)" in fidelity_sentence(mixed.trials)


def test_table_without_a_baseline_shows_means_that_reach_nothing(tmp_path: Path) -> None:
    numbers = tables_of(_found(tmp_path, plan(), baseline=False))["quality_test_full"].frame
    assert not numbers["reaches"].any()
    assert (numbers["holds"] == "mean").all()


def test_same_run_gives_the_same_tables(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1)])
    first, second = (tables_of(find(open_run(run))) for _ in range(2))
    assert list(first) == list(second)
    for name, table in first.items():
        assert [write(table) for write in WRITERS.values()] == [write(second[name]) for write in WRITERS.values()]


def test_no_cell_of_any_table_says_nan_and_each_has_a_title(tmp_path: Path) -> None:
    plans = [
        plan(0),
        plan(1, loss="mae", finalist=False),
        plan(2, status=TrialStatus.FAILED, scored=False, margin=None),
        plan(3, architecture="linear", epochs=0, epochs_run=0, margin=-1.0),
    ]
    for name, table in tables_of(_found(tmp_path, *plans)).items():
        assert table.title, name
        for part in table.parts:
            assert len({len(line) for line in part.lines}) == 1
            for line in part.lines:
                assert not any("nan" in cell.text.lower() or "None" in cell.text for cell in line), (name, line)
        assert WRITERS["md"](table).startswith(f"**{table.title}**\n")
        assert table.caption in WRITERS["md"](table)


def test_nothing_is_appended_to_numbers_of_what_was_not_run(tmp_path: Path) -> None:
    left_out = [{"what": "perceptual", "why": "no VGG16 weights"}]
    findings = _found(tmp_path, plan(0), plan(1, loss="mae"), left_out=left_out)
    trials = tables_of(findings)["trials"].frame
    assert len(trials) == 3
    assert trials["parameters"].dtype.kind == trials["seconds"].dtype.kind.replace("f", "i") == "i"
    assert summarise(findings).count("perceptual: not run, no VGG16 weights") == 1


def test_jpeg_as_it_is_has_neither_a_loss_nor_a_training_quality(tmp_path: Path) -> None:
    rows = shown(tables_of(_found(tmp_path, plan(0)))["trials"]).set_index("trial")
    assert set(rows.loc[BASELINE.trial_id, ["loss", "activation", "trained at"]]) == {"\u2013"}
    assert rows.loc[plan(0).spec.trial_id, ["loss", "trained at"]].tolist() == ["mse", "75"]


def test_each_split_has_a_column_of_jpeg_as_it_is(tmp_path: Path) -> None:
    one, other = plan(0, split="data100"), plan(1, split="data101")
    run = write_run(tmp_path / "run", [one, other])
    second = replace(BASELINE, split="data101")
    append_record(run, TrialRecord(second, TrialStatus.COMPLETED, 0, -3.0, 0.0, -3.0, 1.0))
    for trial_id, scores in ((second.trial_id, baseline_scores(4)), (other.spec.trial_id, trial_scores(other, 4))):
        write_scores(run, trial_id, scores.assign(image=scores["image"] + 100))
    tables = tables_of(find(open_run(run)))
    columns = [name for name in shown(tables["quality_validation_full"]) if name.startswith("JPEG")]
    assert columns == ["JPEG\nas it is", "JPEG\nas it is\nof data101"]


def test_a_trial_whose_id_has_no_dash_is_shown(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    records = (run / "records.jsonl").read_text().replace(f'"{plan(0).spec.trial_id}"', '"oddly_named"')
    (run / "records.jsonl").write_text(records)
    (run / "scores" / f"{plan(0).spec.trial_id}.parquet").rename(run / "scores" / "oddly_named.parquet")
    findings = find(open_run(run))
    assert "oddly_named" in {record.trial_id for record in findings.run.trials}
    assert "quality_test_full" in tables_of(findings)


def test_a_change_that_is_unknown_has_no_sign(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    write_scores(run, plan(0).spec.trial_id, trial_scores(plan(0), 4).assign(ssim=np.nan))
    told = shown(tables_of(find(open_run(run)))["relative_test_full"])
    assert set(told[told["metric"] == "SSIM"].iloc[:, -1]) == {"unknown"}


def test_networks_stand_side_by_side_by_loss_and_training_quality(tmp_path: Path) -> None:
    linear = [
        plan(0, architecture="linear", epochs=0, epochs_run=0, training_quality=quality, margin=-1.0, margins=margins)
        for quality, margins in ((75, {25: -1.6, 50: 0.0, 75: 0.4}), (50, {25: -1.7, 50: -0.1, 75: 0.3}))
    ]
    better, weak = plan(1, loss="mae", margin=-0.5), plan(2, architecture="unet", training_quality=50, margin=-1.2)
    findings = _found(tmp_path, *linear, better, weak)
    table = tables_of(findings)["networks_validation"]
    assert [part.title for part in table.parts] == [f"JPEG-{quality} restored" for quality in (75, 50, 25)]
    assert table.parts[0].heads == (("mae", "75"), ("mse", "50"))
    at_50 = shown(table, 1).set_index("network")
    none = "\u2013"
    assert at_50.loc["JPEG as it is"].tolist() == ["38.00 · 0.9750"] * 2
    assert at_50.loc["linear filter"].tolist() == ["40.00 · 0.9850", "39.80 · 0.9840"]
    assert at_50.loc["jjnet"].tolist() == ["**40.20 · 0.9860**", none]
    assert at_50.loc["unet"].tolist() == [none, "**40.20 · 0.9860** ↓"]  # a tie in the mean of these images
    assert any("under the linear filter" in line for line in table.below)


def test_bytes_at_parity_stand_in_a_matrix_of_their_own(tmp_path: Path) -> None:
    # From -0.5 at 40, 600 bytes, to 0.1 at 50, 700 bytes, of 1000: five sixths of the logarithm.
    trial = plan(0)
    findings = _found(tmp_path, trial)
    share = 0.6 * (700 / 600) ** (0.5 / 0.6)
    parity = findings.parity.query("split == 'test' and system == ''").set_index("trial_id")["share"]
    assert parity[trial.spec.trial_id] == pytest.approx(share, rel=1e-3)
    assert parity[BASELINE.trial_id] == pytest.approx(1.0)
    told = shown(tables_of(findings)["bytes_at_parity_test"]).set_index("network")
    assert told.loc["jjnet"].tolist() == [f"**{share:.0%}**"]
    assert told.loc["JPEG as it is"].tolist() == ["100%"]


def test_files_that_nobody_restores_are_no_network(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.5}, encoder="jpeg-c0.6")
    as_written = plan(1, margins={50: 0.25}, architecture="identity", encoder="jpeg-c0.6", epochs=0)
    tables = tables_of(find(open_run(write_run(tmp_path / "run", [trial, as_written]))))
    assert tables["networks"].frame["architecture"].to_list() == [trial.spec.architecture]
    assert as_written.spec.trial_id in set(tables["trials"].frame["trial_id"])


def test_a_quality_of_two_encoders_has_a_row_and_a_best_of_each(tmp_path: Path) -> None:
    plain, other = plan(0), plan(1, encoder="jpeg-c0.6", margins={25: -1.0, 50: 0.5, 75: 0.9})
    findings = _found(tmp_path, plain, other)
    found = matrix_frame(findings, "test")
    at_50 = found[found["input_quality"] == 50].set_index("network")
    assert at_50.loc[["jjnet", "jjnet, on jpeg-c0.6"], "is_best"].tolist() == [True, True]
    parity = parity_frame(findings, found, "test")
    assert parity[parity["system"] == ""]["is_best"].sum() == 1  # bytes are bytes, whatever writes the files


def test_each_camera_system_has_its_bytes_at_parity(tmp_path: Path) -> None:
    trial, untested = plan(0), plan(2, architecture="unet", loss="mae", finalist=False)
    run = write_run(tmp_path / "run", [trial, plan(1), untested])
    scores = trial_scores(trial, 4)
    worse = (scores["system"] == "white") & (scores["split"] == "test")
    scores.loc[worse, "ssim"] -= 0.1 * STEPS["ssim"]
    write_scores(run, trial.spec.trial_id, scores)
    table = tables_of(find(open_run(run)))["bytes_at_parity_test"]
    assert [part.title for part in table.parts] == ["All camera systems", "Camera system green", "Camera system white"]
    shares = [{line[0].text: line[1].number for line in part.lines} for part in table.parts]
    assert all(list(part) == ["JPEG as it is", "jjnet"] for part in shares)
    assert [part.heads for part in table.parts] == 3 * [((trial.spec.loss, "75"),)]
    assert shares[1]["JPEG as it is"] == shares[2]["JPEG as it is"] == pytest.approx(1.0)
    assert shares[1]["jjnet"] < shares[0]["jjnet"] < shares[2]["jjnet"]


def test_matrix_takes_its_networks_and_losses_from_the_run_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    line = (run / "records.jsonl").read_text().splitlines()[-1]
    row = json.loads(line)
    row["spec"] |= {"architecture": "native10k", "loss": "charbonnier", "width": 24, "ema": 0.999}
    row["trial_id"] = "native10k-charbonnier-none-q75-s0-0123abcd"
    with (run / "records.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    write_scores(run, row["trial_id"], trial_scores(plan(0, margins={25: 0.0, 50: 0.5, 75: 0.7}), 4))
    tables = tables_of(find(open_run(run)))
    assert "native10k" in {line[0].text for line in tables["networks_validation"].parts[0].lines}
    assert ("charbonnier", "75") in tables["networks_validation"].parts[0].heads
    settings = shown(tables["configuration"]).set_index("setting")
    assert settings.loc["width", "tiny"] == "none (1), 24 (1)" or "24" in settings.loc["width", "tiny"]
    assert set(tables["trials"].frame.loc[lambda t: t["trial_id"] == row["trial_id"], "ema"]) == {0.999}
    assert set(matrix_frame(find(open_run(run)), "validation")["network"]) == {"JPEG as it is", "jjnet", "native10k"}


def test_intervals_of_cells_are_over_fields(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)], n_images=96)
    loose = cells_of(open_run(run))
    write_images(run, 96, {image: image - 4 * (image // 4 % 2) for image in range(192)})  # two of a system each
    grouped = cells_of(open_run(run))
    both = loose.query("metric == 'psnr_db' and system == '' and split == 'test'")
    own = grouped.loc[both.index]
    assert set(own["n_fields"]) == {48}
    assert (own["high"] - own["low"] > both["high"] - both["low"]).all()
    gained = both["trial_id"] == plan(0).spec.trial_id
    widths = (own["gain_high"] - own["gain_low"])[gained]
    assert (widths > 1.2 * (both["gain_high"] - both["gain_low"])[gained]).all()


def test_parity_by_one_metric_may_come_earlier(tmp_path: Path) -> None:
    trial = plan(0, margins={40: -0.5, 50: 0.1, 75: 0.6})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores["psnr_db"] += 2.0
    write_scores(run, trial.spec.trial_id, scores)
    cells = cells_of(open_run(run)).query("split == 'test' and system == ''")
    by_all, by_psnr = (parity_of(cells, metrics).set_index("trial_id")["share"] for metrics in (METRICS, ["psnr_db"]))
    assert by_psnr[trial.spec.trial_id] < by_all[trial.spec.trial_id]


def test_summary_counts_the_means_of_both_regions(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.1, 25: -1.0}, crop_margins={(50, "ssim"): -0.1})
    findings = _found(tmp_path, trial, plan(1, scored=False))
    records = [*columns_of(findings, "test"), findings.run.trials[1]]
    table = summary_table(findings, records, "test")
    assert table is not None
    told = shown(table).set_index("quality")
    assert told.loc["50"].tolist()[1:] == ["40.20 0.9860 7/8", "not scored"]


def _table(*lines: tuple[Cell, ...]) -> Table:
    side = (Column("two\nlines"), Column("n"))
    return Table(
        "name", "data", "A 5 % title", "Its caption.", ("below",), pd.DataFrame(), (Part("", side, (), lines),), False
    )


def test_markup_escapes_and_aligns() -> None:
    table = _table((Cell("<i>|"), Cell("10")), (Cell("1", reaches=True), Cell("2", is_best=True, marks="†")))
    assert WRITERS["md"](table).splitlines() == [
        *("**A 5 % title**", "", "Its caption.", "", "| two lines | n |", "| --- | --- |", "| <i>\\| | 10 |"),
        *(f"| 1 {REACHES} | **2** † |", "", "below"),
    ]
    assert to_text(table).splitlines() == ["two", "lines  n", "-----  ---", "<i>|   10", f"1 {REACHES}    2 †"]


def test_csv_of_a_plain_table_is_its_frame(tmp_path: Path) -> None:
    table = tables_of(_found(tmp_path, plan()))["candidates"]
    (tmp_path / "table.csv").write_text(to_csv(table))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), table.frame, check_dtype=False, rtol=1e-6)


def test_split_that_was_never_scored_gives_no_table(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0, finalist=False)])
    baseline = baseline_scores(4)
    write_scores(run, BASELINE.trial_id, baseline[baseline["split"] == "validation"])
    tables = tables_of(find(open_run(run)))
    assert "quality_validation_full" in tables
    assert "quality_test_full" not in tables


def test_latex_is_escaped_and_ruled() -> None:
    lines = (
        (Cell("near_identity & 5 %"), Cell("1 ±2", is_best=True)),
        (Cell("-1.5", reaches=True), Cell("a-1 [2]")),
    )
    assert WRITERS["tex"](_table(*lines)).splitlines()[1:] == [
        r"\noindent\textbf{A 5 \% title}\par",
        r"{\footnotesize Its caption.\par}",
        r"\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"\shortstack[l]{two \\ lines} & n \\",
        r"\midrule",
        r"near\_identity \& 5 \% & \textbf{1 $\pm$2} \\",
        r"$-$1.5 $\checkmark$ & a-1 {[}2{]} \\",
        r"\bottomrule",
        r"\end{tabular}}",
        "",
        r"\par\smallskip{\footnotesize below\par}",
    ]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.usefixtures("few_pictures")
def test_every_latex_table_of_a_run_compiles(tmp_path: Path) -> None:
    system = "a_b & 5 % {#} ^~ <x>"
    run = write_run(tmp_path / "run", [plan(0), plan(1, status=TrialStatus.STOPPED, epochs_run=1)])
    write_scores(run, BASELINE.trial_id, baseline_scores(4).replace({"system": {"white": system}}))
    tables = write_report(find(open_run(run)), tmp_path / "out").parent / "tables"
    names = sorted(path.name for path in tables.glob("*.tex"))
    inputs = "".join(f"\\input{{{name}}}\n\\clearpage\n" for name in names)
    preamble = "\\documentclass{article}\n\\usepackage{booktabs,amssymb,graphicx}\n\\begin{document}\n"
    (tables / "all.tex").write_text(f"{preamble}{inputs}\\end{{document}}\n")
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    result = subprocess.run(call, cwd=tables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]
    assert len(names) == len(list(tables.glob("*.csv")))
