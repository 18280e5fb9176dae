"""Conclusions over an axis: which pairs of trials count, which do not and why, and what they say."""

import math
from pathlib import Path

import pandas as pd
import pytest

from analysis.findings import find
from analysis.run import open_run
from analysis.tables.catalogue import tables_of
from analysis.tables.spec import Table
from search.space.spec import TrialStatus
from tests.run_fixture import Plan, plan, trial_scores, write_run, write_scores
from tests.table_reader import shown

BETTER, WORSE = {25: -1.0, 50: 0.5, 75: 0.5}, {25: -1.5, 50: 0.1, 75: 0.5}


def _tables(path: Path, plans: list[Plan]) -> dict[str, Table]:
    return tables_of(find(open_run(write_run(path / "run", plans, left_out=[]))))


def _rows(path: Path, plans: list[Plan]) -> pd.DataFrame:
    return _tables(path, plans)["conclusions"].frame.set_index(["axis", "first", "second"])


def test_a_difference_is_the_mean_over_pairs_with_its_interval(tmp_path: Path) -> None:
    plans = [plan(loss="mse", margins=BETTER, margin=-0.5), plan(loss="mae", margins=WORSE, margin=-0.8)]
    plans += [plan(loss="mse", architecture="unet", margins={25: -0.9, 50: 0.2, 75: 0.4}, margin=-0.4)]
    plans += [plan(loss="mae", architecture="unet", margins={25: -1.2, 50: 0.2, 75: 0.4}, margin=-0.5)]
    tables = _tables(tmp_path, plans)
    row = tables["conclusions"].frame.set_index("axis").loc["loss"]
    # Steps of 2 dB: 2 (0.5 + 0.4 + 0) / 3 = 0.6 dB of one pair, 2 (0.3 + 0 + 0) / 3 = 0.2 dB of the other.
    assert (row["first"], row["second"], row["n_pairs"], row["n_not_used"]) == ("mae", "mse", 2, 0)
    assert row["psnr_db"] == pytest.approx(-0.4)
    assert math.isnan(row["psnr_db_high"])  # two pairs are too few for an interval
    assert row["ssim"] == pytest.approx(-0.002)
    assert (row["margin"], row["margin_n"], row["margin_better"]) == (pytest.approx(-0.2), 2, 0)
    told = shown(tables["conclusions"]).set_index("setting").loc["loss"]
    assert list(told[["pairs", "not used", "PSNR, dB"]]) == ["2", "0", "-0.40, better in 0 of 2"]


def test_a_pair_of_which_one_was_scored_on_fewer_images_is_compared_by_gains_over_the_same_images(
    tmp_path: Path,
) -> None:
    plans = [plan(loss="mse", margins=BETTER), plan(loss="mae", margins=BETTER, status=TrialStatus.STOPPED)]
    run = write_run(tmp_path / "run", plans, n_images=8, left_out=[])
    scores = trial_scores(plans[1], 8)
    write_scores(run, plans[1].spec.trial_id, scores[scores["image"] < 4])  # the worse half
    row = tables_of(find(open_run(run)))["conclusions"].frame.set_index("axis").loc["loss"]
    assert row["psnr_db"] == pytest.approx(0, abs=0.05)  # images differ by up to 0.4 dB
    assert row["ssim"] == pytest.approx(0, abs=3e-4)


def test_pairs_that_are_not_alive_on_both_sides_are_left_out_and_counted(tmp_path: Path) -> None:
    plans = [
        *(plan(loss=loss) for loss in ("mse", "mae")),
        *(plan(loss=loss, output_activation="tanh", status=TrialStatus.DEAD) for loss in ("mse", "mae")),
        plan(loss="mse", architecture="unet"),
        plan(loss="mae", architecture="unet", status=TrialStatus.FAILED, scored=False, margin=None),
        plan(loss="mse", architecture="resnet"),
        plan(loss="mae", architecture="resnet", scored=False),
        plan(loss="mae", architecture="memnet"),
    ]
    rows = _rows(tmp_path, plans)
    row = rows.loc[("loss", "mae", "mse")]
    assert (row["n_pairs"], row["n_not_used"]) == (1, 4)
    assert row["why"] == "1 dead, 1 failed, 1 not scored, 1 without a partner"
    assert rows.loc[("output_activation", "any", "any"), "n_pairs"] == 0


def test_trials_that_differ_in_more_than_the_setting_are_no_pair(tmp_path: Path) -> None:
    rows = _rows(tmp_path, [plan(loss="mse"), plan(loss="mae", learning_rate=3e-4), plan(loss="hf", seed=1)])
    assert not rows["n_pairs"].any()
    assert set(rows.index) == {("loss", "any", "any")}  # nor is there another that counts


def test_networks_may_have_batch_sizes_of_their_own(tmp_path: Path) -> None:
    rows = _rows(tmp_path, [plan(batch_size=8), plan(architecture="memnet", batch_size=4)])
    assert rows.loc[("architecture", "jjnet", "memnet"), "n_pairs"] == 1


def test_pairs_that_were_not_trained_equally_long_are_counted(tmp_path: Path) -> None:
    plans = [plan(training_quality=75), plan(training_quality=50, status=TrialStatus.STOPPED, epochs_run=1)]
    table = _tables(tmp_path, plans)["conclusions"]
    assert list(table.frame["n_unequal"]) == [1]
    assert list(shown(table)["pairs"]) == ["1 (1 unequally long)"]
    assert list(shown(table)["PSNR, dB"]) == ["+0.00 (one pair)"]
    assert "not trained equally long" in table.below[1]


def test_a_setting_without_pairs_says_so(tmp_path: Path) -> None:
    tables = _tables(tmp_path, [plan(loss="mse"), plan(loss="mae", seed=1)])
    assert list(shown(tables["conclusions"])["not used"]) == ["no two trials, both alive, differ in it alone"]


def test_one_trial_concludes_nothing(tmp_path: Path) -> None:
    assert "conclusions" not in _tables(tmp_path, [plan()])


def test_intervals_over_many_pairs_are_those_of_the_t_distribution(tmp_path: Path) -> None:
    gains = [0.1 * (seed % 5) for seed in range(20)]
    plans = [plan(seed, loss="mse", margins={50: gain}) for seed, gain in enumerate(gains)]
    plans += [plan(seed, loss="mae", margins={50: 0.0}) for seed in range(20)]
    row = _rows(tmp_path, plans).loc[("loss", "mae", "mse")]
    # 2 dB a step: a mean of 0.4 dB, a deviation of 0.2903 dB over 20 pairs, Student's t of 19 degrees.
    assert row["psnr_db"] == pytest.approx(-0.4)
    assert row["psnr_db_high"] + 0.4 == pytest.approx(2.093 * 0.29019 / math.sqrt(20), rel=1e-3)
