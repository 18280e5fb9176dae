"""The strict pick: what is shown, what is not and how many images it would take, on runs made for it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.run import Run, open_run
from analysis.strict import StrictPick, choose_strictly, declared_model
from search.spec import TrialStatus
from tests.run_fixture import Plan, plan, trial_scores, write_images, write_run, write_scores

ENOUGH = 2 * 736  # images of two systems, without a failure
PASSING = {25: -1.0, 40: -0.3, 50: 0.1, 60: 0.4, 75: 0.6}


def _choose(path: Path) -> StrictPick:
    return choose_strictly(open_run(path))


def _opened(path: Path, *plans: Plan, n_images: int = 4, **facts: Any) -> Run:
    return open_run(write_run(path, plans, n_images=n_images, **facts))


def _changed(run: Path, trial: Plan, n_images: int, images: range, **metrics: float) -> None:
    """Add to metrics of some test images, whole, at quality 60."""
    scores = trial_scores(trial, n_images)
    where = scores["image"].isin(images) & (scores["region"] == "full") & (scores["input_quality"] == 60)
    for metric, more in metrics.items():
        scores.loc[where, metric] += more
    write_scores(run, trial.spec.trial_id, scores)


def test_the_lowest_quality_of_which_enough_images_show_it_is_picked(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    pick = _choose(write_run(tmp_path / "run", [trial], n_images=ENOUGH))
    assert (pick.quality, pick.model) == (50, trial.spec.trial_id)
    assert pick.saved is not None
    assert (pick.saved.estimate, pick.saved.low, pick.saved.high) == pytest.approx((30, 30, 30))
    assert [(step["input_quality"], step["system"], step["passes"]) for step in pick.steps] == [
        (60, "green", True),
        (60, "white", True),
        (50, "green", True),
        (50, "white", True),
        (40, "green", False),
        (40, "white", False),
    ]
    assert "quality 50 is shown" in pick.sentence()
    assert "30.0 % smaller (95 % interval 30.0 to 30.0 %)" in pick.sentence()
    assert "The next quality is not shown: at quality 40, green" in pick.sentence()


def test_a_quality_below_the_first_that_fails_is_not_judged(tmp_path: Path) -> None:
    pick = _choose(write_run(tmp_path / "run", [plan(margins={50: 0.5, 60: -0.5, 75: 0.6})], n_images=ENOUGH))
    assert pick.quality is None
    assert {step["input_quality"] for step in pick.steps} == {60}


def test_736_images_a_system_are_needed_and_said_so(tmp_path: Path) -> None:
    few = _choose(write_run(tmp_path / "few", [plan(margins=PASSING)], n_images=ENOUGH - 2))
    assert (few.quality, few.images_needed) == (None, 736)
    assert "up to 0.50% of the images may be more than 0.5 dB worse (0 of 735 were)" in few.reason
    assert "about 736 test images a camera system" in few.sentence()


def test_losses_up_to_the_limits_are_allowed_and_no_more(tmp_path: Path) -> None:
    # a margin of m is 2 m dB of PSNR and 0.01 m of SSIM: at -0.04 0.08 dB and 0.0004, at -0.06 0.12 dB and 0.0006
    allowed = _choose(write_run(tmp_path / "allowed", [plan(margins={60: -0.04})], n_images=ENOUGH))
    assert allowed.quality == 60
    lost = _choose(write_run(tmp_path / "lost", [plan(margins={60: -0.06})], n_images=ENOUGH))
    assert (lost.quality, lost.images_needed) == (None, None)
    assert "a loss of 0.1 dB of PSNR or more cannot be excluded (-0.1200 in the mean" in lost.reason
    assert "a loss of 0.0005 of SSIM or more cannot be excluded" in lost.reason
    assert "No number of images would show it" in lost.reason


def test_images_that_are_half_a_db_worse_count_whatever_the_mean(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    run = write_run(tmp_path / "run", [trial], n_images=ENOUGH)
    _changed(run, trial, ENOUGH, range(ENOUGH, ENOUGH + 40, 2), psnr_db=-2)  # 20 of 736 green images, 1.2 dB worse
    pick = _choose(run)
    assert pick.quality is None
    assert "(20 of 736 were)" in pick.reason
    assert pick.images_needed is None  # 2.7 % is more than the half percent that is allowed
    assert [step["n_worse"] for step in pick.steps] == [20, 0]


def test_images_of_one_field_count_once(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    run = write_run(tmp_path / "run", [trial], n_images=ENOUGH)
    groups = {image: image - 2 for image in range(ENOUGH + 2, ENOUGH + 42, 4)}  # ten pairs of the first system
    write_images(run, ENOUGH, groups)
    pick = _choose(run)
    assert [step["n_fields"] for step in pick.steps] == [726, 736]
    assert (pick.quality, pick.images_needed) == (None, 736)


def test_every_seed_has_to_pass(tmp_path: Path) -> None:
    seeds = [plan(seed, margins={60: margin}) for seed, margin in enumerate((0.3, 0.4, -0.2))]
    failing = _choose(write_run(tmp_path / "failing", seeds, n_images=ENOUGH))
    assert failing.quality is None
    assert seeds[2].spec.trial_id in failing.reason
    passing = _choose(write_run(tmp_path / "passing", seeds[:2], n_images=ENOUGH))
    assert passing.quality == 60
    assert set(passing.trial_ids) == {item.spec.trial_id for item in seeds[:2]}
    assert "by all 2 of its trainings" in passing.sentence()


def test_the_model_is_chosen_by_its_worst_seed_on_validation_images(tmp_path: Path) -> None:
    even = [plan(seed, loss="mae", margin=-0.5) for seed in (0, 1)]
    uneven = [plan(seed, loss="mse", margin=margin) for seed, margin in ((0, -0.1), (1, -0.9))]
    chosen, _ = declared_model(_opened(tmp_path / "run", *uneven, *even))
    assert {record.trial_id for record in chosen} == {item.spec.trial_id for item in even}


def test_a_model_with_a_seed_that_died_is_not_judged(tmp_path: Path) -> None:
    dead = plan(1, status=TrialStatus.DEAD, finalist=False)
    pick = choose_strictly(_opened(tmp_path / "run", plan(0), dead))
    assert (pick.quality, pick.steps) == (None, ())
    assert "every model that was tested has a seed or split that failed" in pick.sentence()


def test_a_system_without_a_test_image_fails(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(margins=PASSING)], n_images=1)
    pick = _choose(run)
    assert [(step["system"], step["n_images"]) for step in pick.steps] == [("green", 0), ("white", 1)]
    assert "no test image" in pick.reason
    assert pick.images_needed == 736


def test_without_test_scores_nothing_is_judged_and_the_reason_is_said(tmp_path: Path) -> None:
    assert (
        "no trial that can be picked has been scored on the test split"
        in _choose(write_run(tmp_path / "untested", [plan(finalist=False)])).sentence()
    )
    above = _choose(write_run(tmp_path / "above", [plan(margins={75: 0.5})]))
    assert "no test scores at a quality below 75" in above.reason


def test_scores_that_are_no_numbers_show_nothing(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    run = write_run(tmp_path / "run", [trial], n_images=ENOUGH)
    _changed(run, trial, ENOUGH, range(ENOUGH, ENOUGH + 1), psnr_db=math.nan)
    pick = _choose(run)
    assert pick.quality is None
    assert "(unknown)" in pick.reason


def test_a_perfect_image_is_no_loss_and_one_that_only_jpeg_keeps_perfect_is(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    run = write_run(tmp_path / "run", [trial], n_images=ENOUGH)
    _changed(run, trial, ENOUGH, range(ENOUGH, ENOUGH + 1), psnr_db=math.inf)
    assert _choose(run).quality == 50
    scores = trial_scores(trial, ENOUGH)
    baseline = next(record for record in open_run(run).records if record.spec.is_baseline)
    reference = pd.read_parquet(run / "scores" / f"{baseline.trial_id}.parquet")
    reference.loc[reference["image"] == ENOUGH, "psnr_db"] = np.inf
    write_scores(run, baseline.trial_id, reference)
    write_scores(run, trial.spec.trial_id, scores)
    assert _choose(run).steps[0]["n_worse"] == 1


def test_report_shows_both_rules_and_the_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", [plan()])
    assert main([str(run)]) == 0
    assert "strict pick: By the strict rule no quality below 75 is shown" in capsys.readouterr().out
    told = json.loads((run / "report" / "pick.json").read_text())
    assert (told["quality"], told["strict"]["quality"], told["strict"]["images_needed"]) == (50, None, 736)
    assert told["in_words"].startswith("Quality 50 restored by")
    steps = pd.read_csv(run / "report" / "tables" / "strict_steps.csv")
    assert list(steps["images_needed"]) == [736, 736]
    assert "The strict rule, quality after quality" in (run / "report" / "index.html").read_text()
