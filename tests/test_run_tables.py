"""The tables of what a run was made of and of what its trials change: splits, networks, settings, epochs, changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.findings import find
from analysis.run import RunError, open_run
from analysis.tables.catalogue import tables_of
from analysis.tables.spec import Table
from search.records import append_record
from search.space.spec import TrialStatus
from tests.run_fixture import SYSTEMS, Plan, plan, record_of, run_facts, write_images, write_run
from tests.table_reader import shown

SPLITS = {
    "data100": {
        "subsets": {"train": 36178, "validation": 12059, "test": 12059},
        "scored": {"validation": 64, "test": 4},
    },
    "tiny": {"subsets": {"train": 9600, "validation": 2399, "test": 0}, "scored": {"validation": 32, "test": 4}},
}


def _tables(path: Path, plans: list[Plan], **facts: Any) -> dict[str, Table]:
    return tables_of(find(open_run(write_run(path / "run", plans, **{"left_out": [], **facts}))))


def _with_splits(splits: object) -> dict[str, Any]:
    return {"dataset": run_facts(4, 1)["dataset"] | {"splits": splits}}


def test_every_split_tells_its_images_and_those_that_were_scored(tmp_path: Path) -> None:
    table = _tables(tmp_path, [plan()], **_with_splits(SPLITS))["splits"]
    every = shown(table)[shown(table)["system"] == "all"]
    assert every[["split", "subset", "images", "scored"]].to_numpy().tolist() == [
        ["data100", "train", "36,178", "trained on"],
        ["data100", "validation", "12,059", "64"],
        ["data100", "test", "12,059", "4"],
        ["tiny", "train", "9,600", "trained on"],
        ["tiny", "validation", "2,399", "32"],
        ["tiny", "test", "0", "4"],
    ]
    assert "data101's stand in" in table.below[1]


def test_splits_are_told_by_camera_system_with_the_fields_that_images_show(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    write_images(run, 4, groups={10: 8})  # eight to eleven are trained on, green and white in turn
    path = run / "images.parquet"
    images = pd.read_parquet(path)
    images.assign(system=[SYSTEMS[number % 2] for number in images["image"]]).to_parquet(path, index=False)
    told = shown(tables_of(find(open_run(run)))["splits"])
    assert told[told["system"] != "all"].to_numpy().tolist() == [
        ["tiny", "train", "green", "2", "", "1"],
        ["tiny", "train", "white", "2", "", "2"],
        ["tiny", "validation", "green", "2", "", "2"],
        ["tiny", "validation", "white", "2", "", "2"],
        ["tiny", "test", "green", "0", "2", "2"],  # of the split whose test images stand in
        ["tiny", "test", "white", "0", "2", "2"],
    ]


def test_a_run_that_does_not_say_its_images_has_no_splits_by_system(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / "images.parquet").unlink()
    told = shown(tables_of(find(open_run(run)))["splits"])
    assert set(told["system"]) == {"all"}
    assert set(told["fields of view"]) == {"unknown"}


def test_a_run_of_an_older_version_tells_its_one_split(tmp_path: Path) -> None:
    numbers = _tables(tmp_path, [plan()])["splits"].frame
    assert list(numbers["n_images"]) == [8, 4, 0]
    assert numbers["n_scored"].astype(object).where(numbers["n_scored"].notna(), None).to_list() == [None, 4, 4]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ([1], "must give splits as dict"),
        ({"tiny": {"subsets": {}}}, "must say subsets and scored of each of its splits"),
    ],
)
def test_splits_that_cannot_be_read_are_refused(splits: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=message):
        open_run(write_run(tmp_path / "run", [plan()], **_with_splits(splits)))


def test_networks_tell_what_they_cost_and_what_is_unknown(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    costs = {"macs_per_pixel": 1_000_000, "weights_bytes": 150_000}
    append_record(run, replace(record_of(plan(seed=5)), **costs))
    append_record(run, replace(record_of(plan(seed=6)), macs_per_pixel=0))
    append_record(run, replace(record_of(plan(architecture="unet")), macs_per_pixel=0))
    table = tables_of(find(open_run(run)))["networks"]
    # An image has 64 x 64 pixels: 4096 million multiply-accumulates.
    assert shown(table).to_numpy().tolist() == [
        ["jjnet", "36,179", "1,000,000", "4.10", "150", "2", "0"],
        ["unet", "36,179", "unknown", "unknown", "unknown", "1", "0"],
    ]


def test_configuration_tells_what_was_the_same_and_what_varied(tmp_path: Path) -> None:
    plans = [plan(seed, learning_rate=(seed + 1) / 1000) for seed in range(6)]
    plans += [plan(loss="mae", split="data100", epochs=9, patience=50, clip_norm=1.0)]
    told = shown(_tables(tmp_path, plans, **_with_splits(SPLITS))["configuration"]).set_index("setting")
    assert list(told.loc["training images"]) == ["36,178", "9,600"]
    assert list(told.loc["learning rate"]) == ["0.001", "0.001 to 0.006 (6 values)"]
    assert list(told.loc["epochs at most"]) == ["9", "3"]
    assert list(told.loc["patience, epochs"]) == ["50", "none: every epoch is trained"]
    assert list(told.loc["largest gradient norm"]) == ["1", "not clipped"]
    assert list(told.loc["global residual"]) == ["yes", "yes"]


def test_configuration_counts_the_trials_of_few_values(tmp_path: Path) -> None:
    told = shown(_tables(tmp_path, [plan(loss="mse"), plan(1, loss="mse"), plan(loss="mae")])["configuration"])
    assert told.set_index("setting").loc["loss", "tiny"] == "mse (2), mae (1)"


def test_epochs_tell_how_each_trial_ended(tmp_path: Path) -> None:
    plans = [
        *(plan(seed) for seed in (0, 1)),
        plan(training_quality=50, status=TrialStatus.STOPPED, epochs_run=1),
        plan(training_quality=25, status=TrialStatus.DIVERGED, epochs_run=2, margin=None, scored=False),
        plan(loss="mae", global_residual=False),
    ]
    table = _tables(tmp_path, plans)["epochs"]
    told = shown(table)
    (own,) = told[told["loss"] == "mse"].to_dict("records")
    assert own["trained at 75"] == "3/3 (1 of 2)"
    assert own["trained at 50"] == "1/3, stopped"
    assert own["trained at 25"] == "2/3, diverged"
    (direct,) = told[told["loss"] == "mae"].to_dict("records")
    assert (direct["predicts"], direct["trained at 50"]) == ("the image itself", "not run")


def test_relative_reconstruction_is_restored_minus_input_of_the_same_images(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [plan(margins={50: 0.1, 25: -3.0})])
    frame = tables["relative_test_full"].frame
    numbers = frame[frame["system"] == ""].set_index(["input_quality", "metric"])
    # At 50: 0.1 steps of 2 dB above JPEG-75's 40 dB, from 38 dB. At 25: three steps under 40 dB, from 36 dB.
    row = numbers.loc[(50, "psnr_db")]
    assert (row["change"], row["n_improved"], row["improved_percent"]) == (pytest.approx(2.2), 4, 100)
    assert (numbers.loc[(25, "psnr_db"), "change"], numbers.loc[(25, "psnr_db"), "n_improved"]) == (
        pytest.approx(-2),
        0,
    )
    told = shown(tables["relative_test_full"]).set_index(["quality", "metric"]).iloc[:, 0]
    assert told["50", "PSNR, dB"] == "+2.20 (0.05), 100.0 % of 4"
    assert told["25", "PSNR, dB"] == "-2.00 (0.05), 0.0 % of 4"


def test_means_and_changes_are_told_by_camera_system(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [plan(margins={50: 0.1})])
    for name in ("quality_validation_crop", "relative_validation_crop"):
        titles = [part.title for part in tables[name].parts]
        assert titles == ["All camera systems", "Camera system green", "Camera system white"]
    changes = tables["relative_validation_crop"].frame.groupby("system")["n_changed"].unique().map(list)
    assert changes.to_dict() == {"": [4], "green": [2], "white": [2]}
    means = tables["quality_validation_crop"].frame.set_index(["system", "trial_id", "input_quality", "metric"])["mean"]
    # Green has the images 0 and 2, at -0.2 and +0.0667 of a step of 2 dB around 40.2 dB.
    assert means["green", plan().spec.trial_id, 50, "psnr_db"] == pytest.approx(40.2 + (-0.2 + 0.2 / 3))
