"""Ties with the best: by how trials differ image by image, and who may take part."""

from pathlib import Path

import numpy as np
import pytest

from analysis.run import open_run
from analysis.tables.ties import ties_table, ties_tables
from search.spec import TrialStatus
from tests.run_fixture import Plan, plan, trial_scores, write_run, write_scores

N_IMAGES = 40


def _write(path: Path, trial: Plan, by: float, spread: float) -> None:
    """Write a trial's scores with a PSNR that differs by so much in the mean of validation images."""
    scores = trial_scores(trial, N_IMAGES)
    noise = np.random.default_rng(trial.spec.seed).normal(size=len(scores)) * spread
    scores["psnr_db"] += by + noise
    write_scores(path, trial.spec.trial_id, scores)


def test_a_trial_that_differs_by_less_than_its_noise_is_tied_and_one_that_is_clearly_worse_is_not(
    tmp_path: Path,
) -> None:
    best, tied, worse = plan(0), plan(1), plan(2)
    run = write_run(tmp_path / "run", [worse, best, tied], n_images=N_IMAGES)
    _write(run, best, 1.0, 0)
    _write(run, tied, 0.95, 1.0)
    _write(run, worse, 0.5, 0.1)
    table = ties_table(open_run(run))
    rows = table[(table["input_quality"] == 50) & (table["metric"] == "psnr_db")].set_index("trial_id")
    assert list(rows["is_best"]) == [True, False, False]
    assert rows["tied"].to_dict() == {best.spec.trial_id: True, tied.spec.trial_id: True, worse.spec.trial_id: False}
    assert rows.loc[worse.spec.trial_id, "difference"] == pytest.approx(-0.5, abs=0.06)
    assert rows.loc[worse.spec.trial_id, "low"] < -0.5 < rows.loc[worse.spec.trial_id, "high"]
    shown = ties_tables(open_run(run))["ties"].shown
    row = shown[(shown["quality"] == "50") & (shown["metric"] == "PSNR, dB")].iloc[0]
    assert (row["best"], row["tied with it"], row["images"]) == (best.spec.trial_id, "1 of 2", "40")
    assert tied.spec.trial_id in row["which (difference and its interval)"]


def test_what_diverged_and_images_of_infinite_psnr_take_no_part(tmp_path: Path) -> None:
    one, other, diverged = plan(0), plan(1), plan(2, status=TrialStatus.DIVERGED)
    run = write_run(tmp_path / "run", [one, other, diverged], n_images=4)
    scores = trial_scores(one, 4)
    scores.loc[scores["image"] == 0, "psnr_db"] = np.inf
    write_scores(run, one.spec.trial_id, scores)
    table = ties_table(open_run(run))
    assert set(table["trial_id"]) == {one.spec.trial_id, other.spec.trial_id}
    assert set(table.loc[table["metric"] == "psnr_db", "n_images"]) == {3}


@pytest.mark.parametrize("n_images", [1, 4])
def test_a_single_trial_has_no_ties_and_a_single_image_no_interval(tmp_path: Path, n_images: int) -> None:
    alone = write_run(tmp_path / "alone", [plan()], n_images=n_images)
    assert ties_tables(open_run(alone)) == {}
    both = write_run(tmp_path / "both", [plan(0), plan(1, margins={50: 0.2})], n_images=n_images)
    text = ties_tables(open_run(both))["ties"].shown.to_string()
    assert ("unknown" in text) == (n_images == 1)
