"""Gains over the reference, image by image: by hand, and where scores are infinite or unknown."""

import math
from pathlib import Path

import numpy as np
import pytest

from analysis.paired import gains_over_reference, paired_with_reference
from analysis.run import open_run
from models.names import METRICS
from search.spec import BASELINE
from tests.run_fixture import STEPS, baseline_scores, plan, trial_scores, write_run, write_scores

TRIAL = plan(margins={50: 0.1, 75: 0.6})
TRIAL_ID = TRIAL.spec.trial_id


@pytest.mark.parametrize("metric", METRICS)
def test_gain_is_the_margin_times_its_step_and_positive_is_better(tmp_path: Path, metric: str) -> None:
    run = open_run(write_run(tmp_path / "run", [TRIAL]))
    gains = gains_over_reference(run, TRIAL_ID, 50).set_index(["region", "metric"])
    for region in ("crop", "full"):
        row = gains.loc[region, metric]
        assert row["gain"] == pytest.approx(0.1 * STEPS[metric])
        assert (row["gain_low"], row["gain_high"]) == pytest.approx((row["gain"], row["gain"]), abs=1e-9)
        assert row["n_paired"] == 4


def test_pairs_hold_the_bytes_of_both_and_the_field_of_the_image(tmp_path: Path) -> None:
    pairs = paired_with_reference(open_run(write_run(tmp_path / "run", [TRIAL])), [TRIAL_ID], "full")
    at_50 = pairs[pairs["input_quality"] == 50]
    assert list(at_50["image"]) == list(at_50["group"]) == [4, 5, 6, 7]
    assert set(at_50["jpeg_bytes"]) == {700}
    assert set(at_50["reference_bytes"]) == {1000}


def test_perfect_on_both_sides_is_no_gain_on_one_side_is_left_out_and_unknown_makes_the_mean_unknown(
    tmp_path: Path,
) -> None:
    run = write_run(tmp_path / "run", [TRIAL])
    own, reference = trial_scores(TRIAL, 4), baseline_scores(4)
    own.loc[own["image"].isin([4, 5]), "psnr_db"] = np.inf
    own.loc[own["image"] == 6, "ssim"] = np.nan
    reference.loc[reference["image"] == 4, "psnr_db"] = np.inf
    write_scores(run, TRIAL_ID, own)
    write_scores(run, BASELINE.trial_id, reference)
    opened = open_run(run)
    pairs = paired_with_reference(opened, [TRIAL_ID], "full").query("input_quality == 50").set_index("image")
    assert pairs["psnr_db"].to_dict() == pytest.approx({4: 0, 5: math.inf, 6: 0.2, 7: 0.2})
    gains = gains_over_reference(opened, TRIAL_ID, 50).set_index(["region", "metric"]).loc["full"]
    assert gains["n_paired"].to_dict() == {"mae": 4, "mse": 4, "psnr_db": 3, "ssim": 4}
    assert gains["gain"]["psnr_db"] == pytest.approx(0.4 / 3)
    assert math.isnan(gains["gain"]["ssim"])
