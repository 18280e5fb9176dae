"""The strict rule: what is demonstrated, what is not and how many images it would take, on runs made for it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.findings import find
from analysis.run import Run, open_run
from analysis.strict import StrictPick, choose_strictly, declared_model, judge
from search.space.spec import TrialStatus
from tests.run_fixture import Plan, plan, trial_scores, write_images, write_run, write_scores

ENOUGH = 2 * 736  # images of two systems, without a failure
PASSING = {25: -1.0, 40: -0.3, 50: 0.1, 60: 0.4, 75: 0.6}


def _choose(path: Path) -> StrictPick:
    return choose_strictly(open_run(path), {})


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
    assert "quality 50 is demonstrated" in pick.sentence()
    assert "30.0 % smaller (95 % interval 30.0 to 30.0 %)" in pick.sentence()
    assert "The next quality is not demonstrated: at quality 40, green" in pick.sentence()


def test_a_quality_below_the_first_that_fails_is_not_judged(tmp_path: Path) -> None:
    pick = _choose(write_run(tmp_path / "run", [plan(margins={50: 0.5, 60: -0.5, 75: 0.6})], n_images=ENOUGH))
    assert pick.quality is None
    assert {step["input_quality"] for step in pick.steps} == {60}


def test_736_fields_a_system_are_needed_and_said_so(tmp_path: Path) -> None:
    few = _choose(write_run(tmp_path / "few", [plan(margins=PASSING)], n_images=ENOUGH - 2))
    assert (few.quality, few.fields_needed, few.images_needed) == (None, 736, 736)
    assert "up to 0.50% of the fields may hold an image more than 0.5 dB worse (0 of 735 do)" in few.reason
    assert "about 736 fields a camera system, 736 test images" in few.sentence()


def test_what_is_needed_is_told_in_fields_and_in_the_images_that_these_take(tmp_path: Path) -> None:
    # 400 images of a system in 200 fields: 736 fields are 1,472 images.
    run = write_run(tmp_path / "run", [plan(margins=PASSING)], n_images=800)
    write_images(
        run, 800, {image: image - 2 for image in range(802, 1600, 4)} | {i: i - 2 for i in range(803, 1600, 4)}
    )
    pick = _choose(run)
    assert [(step["n_images"], step["n_fields"]) for step in pick.steps] == [(400, 200), (400, 200)]
    assert (pick.fields_needed, pick.images_needed) == (736, 1472)
    assert "about 736 fields a camera system, 1,472 test images" in pick.sentence()


def test_losses_up_to_the_limits_are_allowed_and_no_more(tmp_path: Path) -> None:
    # a margin of m is 2 m dB of PSNR and 0.01 m of SSIM: at -0.04 0.08 dB and 0.0004, at -0.06 0.12 dB and 0.0006
    allowed = _choose(write_run(tmp_path / "allowed", [plan(margins={60: -0.04})], n_images=ENOUGH))
    assert allowed.quality == 60
    lost = _choose(write_run(tmp_path / "lost", [plan(margins={60: -0.06})], n_images=ENOUGH))
    assert (lost.quality, lost.fields_needed, lost.images_needed) == (None, None, None)
    assert "a loss of 0.1 dB of PSNR or more cannot be excluded (-0.1200 in the mean" in lost.reason
    assert "a loss of 0.0005 of SSIM or more cannot be excluded" in lost.reason
    assert "No number of images would demonstrate it" in lost.reason


def test_images_that_are_half_a_db_worse_count_whatever_the_mean(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    run = write_run(tmp_path / "run", [trial], n_images=ENOUGH)
    _changed(run, trial, ENOUGH, range(ENOUGH, ENOUGH + 40, 2), psnr_db=-2)  # 20 of 736 green images, 1.2 dB worse
    pick = _choose(run)
    assert pick.quality is None
    assert "(20 of 736 do)" in pick.reason
    assert pick.images_needed is None  # 2.7 % is more than the half percent that is allowed
    assert [step["n_worse"] for step in pick.steps] == [20, 0]


def test_images_of_one_field_count_once(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    run = write_run(tmp_path / "run", [trial], n_images=ENOUGH)
    groups = {image: image - 2 for image in range(ENOUGH + 2, ENOUGH + 42, 4)}  # ten pairs of the first system
    write_images(run, ENOUGH, groups)
    pick = _choose(run)
    assert [step["n_fields"] for step in pick.steps] == [726, 736]
    assert (pick.quality, pick.fields_needed, pick.images_needed) == (None, 736, 747)


def test_every_seed_has_to_pass(tmp_path: Path) -> None:
    seeds = [plan(seed, margins={60: margin}) for seed, margin in enumerate((0.3, 0.4, -0.2))]
    failing = _choose(write_run(tmp_path / "failing", seeds, n_images=ENOUGH))
    assert failing.quality is None
    assert seeds[2].spec.trial_id in failing.reason
    passing = _choose(write_run(tmp_path / "passing", seeds[:2], n_images=ENOUGH))
    assert passing.quality == 60
    assert set(passing.trial_ids) == {item.spec.trial_id for item in seeds[:2]}
    assert "by all 2 of its trainings" in passing.sentence()


def test_a_quality_that_one_seed_was_not_tested_at_is_not_judged(tmp_path: Path) -> None:
    seeds = [plan(0, margins={50: 0.3, 60: 0.4, 75: 0.6}), plan(1, margins={50: 0.3, 75: 0.6})]
    pick = _choose(write_run(tmp_path / "run", seeds, n_images=ENOUGH))
    assert pick.quality == 50
    assert {step["input_quality"] for step in pick.steps} == {50}
    apart = [plan(0, margins={60: 0.4}), plan(1, margins={50: 0.3})]
    none = _choose(write_run(tmp_path / "none", apart))
    assert "no test scores of files smaller than JPEG-75's that all of its trials have" in none.sentence()


def test_the_model_is_chosen_by_its_worst_seed_on_validation_images(tmp_path: Path) -> None:
    even = [plan(seed, loss="mae", margin=-0.5) for seed in (0, 1)]
    uneven = [plan(seed, loss="mse", margin=margin) for seed, margin in ((0, -0.1), (1, -0.9))]
    chosen, _ = declared_model(_opened(tmp_path / "run", *uneven, *even), {})
    assert {record.trial_id for record in chosen} == {item.spec.trial_id for item in even}


def test_a_model_with_a_seed_that_died_is_not_judged(tmp_path: Path) -> None:
    dead = plan(1, status=TrialStatus.DEAD, finalist=False)
    pick = choose_strictly(_opened(tmp_path / "run", plan(0), dead), {})
    assert (pick.quality, pick.steps) == (None, ())
    assert "every model that was tested has a seed or split that failed" in pick.sentence()


def test_a_system_without_a_test_image_fails(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(margins=PASSING)], n_images=1)
    pick = _choose(run)
    assert [(step["system"], step["n_images"]) for step in pick.steps] == [("green", 0), ("white", 1)]
    assert "no test image" in pick.reason
    assert pick.fields_needed == 736


def test_without_test_scores_nothing_is_judged_and_the_reason_is_said(tmp_path: Path) -> None:
    assert (
        "no trial that can be picked has been scored on the test split"
        in _choose(write_run(tmp_path / "untested", [plan(finalist=False)])).sentence()
    )
    above = _choose(write_run(tmp_path / "above", [plan(margins={75: 0.5})]))
    assert "no test scores of files smaller than JPEG-75's" in above.reason


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


def _pairs(mean_db: float, sd_db: float, n_fields: int = 800, per_field: int = 1, seed: int = 0) -> pd.DataFrame:
    """Make pairs of one trial at quality 60 in a system, whose gains have exactly this mean and spread over fields."""
    gains = np.random.default_rng(seed).uniform(-1, 1, n_fields)
    gains = (gains - gains.mean()) / gains.std(ddof=1) * sd_db + mean_db
    group = np.repeat(np.arange(n_fields), per_field)
    images = np.arange(group.size)
    sizes = {"jpeg_bytes": 700, "reference_bytes": 1000}
    facts = {"trial_id": "t", "input_quality": 60, "image": images, "system": "green", "group": group}
    return pd.DataFrame({**facts, "psnr_db": gains[group], "ssim": 0.001 + 0 * group, **sizes})


def _step(tmp_path: Path, pairs: pd.DataFrame) -> dict[str, Any]:
    run = _opened(tmp_path / "run", plan(0))
    return next(step for step in judge(run, ["t"], pairs, 60) if step["system"] == "green")


def test_the_bound_decides_and_not_the_estimate(tmp_path: Path) -> None:
    # 0.09 dB are lost in the mean, with 0.2 / sqrt(800) = 0.0071 dB of uncertainty: 0.104 dB may be.
    step = _step(tmp_path, _pairs(-0.09, 0.2))
    assert step["psnr_db_estimate"] == pytest.approx(-0.09)
    assert step["psnr_db_low"] == pytest.approx(-0.09 - 1.96 * 0.2 / math.sqrt(800), abs=0.001)
    assert step["worse_share_bound"] < 0.005
    assert not step["passes"]


def test_the_bound_is_one_of_97_and_a_half_percent(tmp_path: Path) -> None:
    # A bound of 52.5 %, or of 90 %, would let this pass: -0.0965 + (0.06, 1.28) * 0.0035 > -0.1.
    step = _step(tmp_path, _pairs(-0.0935, 0.1))
    assert step["psnr_db_low"] == pytest.approx(-0.0935 - 1.96 * 0.1 / math.sqrt(800), abs=0.0006)
    assert not step["passes"]
    assert _step(tmp_path / "other", _pairs(-0.091, 0.1))["passes"]


def test_images_of_one_field_are_resampled_together(tmp_path: Path) -> None:
    # Four images a field tell no more than one: as 3,200 of their own they would pass, as 800 fields they do not.
    pairs = _pairs(-0.09, 0.2, per_field=4)
    grouped, loose = _step(tmp_path / "a", pairs), _step(tmp_path / "b", pairs.assign(group=pairs["image"]))
    assert not grouped["passes"]
    assert loose["passes"]
    assert grouped["psnr_db_low"] == pytest.approx(-0.09 - 1.96 * 0.2 / math.sqrt(800), abs=0.001)


def test_of_few_fields_no_bound_is_given(tmp_path: Path) -> None:
    step = _step(tmp_path, _pairs(0.5, 0.1, n_fields=19))
    assert math.isnan(step["psnr_db_low"])
    assert "too few fields for a bound" in step["fails"]
    assert (step["fields_needed"], step["passes"]) == (736, False)


def test_the_bytes_saved_are_bounded_over_fields(tmp_path: Path) -> None:
    trial = plan(margins=PASSING)
    run = write_run(tmp_path / "run", [trial], n_images=ENOUGH)
    scores = trial_scores(trial, ENOUGH)
    field = (scores["image"] // 8).to_numpy()
    scores["jpeg_bytes"] += np.random.default_rng(0).integers(-200, 200, field.max() + 1)[field]  # alike within eight
    write_scores(run, trial.spec.trial_id, scores)
    loose = _choose(run).saved
    # Fields of four images of a system: so few fields that only the first rule of bounds matters, not the pick's.
    write_images(run, ENOUGH, {image: image - (image % 8) + image % 2 for image in range(ENOUGH, 2 * ENOUGH)})
    grouped = find(open_run(run)).pick.saved
    assert loose is not None
    assert grouped is not None
    assert (grouped.high - grouped.low) > 1.5 * (loose.high - loose.low)


def test_the_declared_model_does_not_depend_on_test_scores(tmp_path: Path) -> None:
    best, other = plan(0, loss="mae", margin=-0.1, margins=PASSING), plan(1, margin=-1.0, margins=PASSING)
    run = write_run(tmp_path / "run", [best, other])
    before = find(open_run(run)).strict.model
    scores = trial_scores(best, 4)
    scores.loc[scores["split"] == "test", "psnr_db"] -= 20  # diverged on test images, which no choice may know
    write_scores(run, best.spec.trial_id, scores)
    findings = find(open_run(run))
    assert best.spec.trial_id in findings.suspects
    assert findings.strict.model == before == best.spec.trial_id
    assert findings.doubt.startswith(f"The model that the strict rule judges is suspect by its test images: {before} (")


def test_a_model_that_is_suspect_on_validation_images_is_not_declared(tmp_path: Path) -> None:
    odd, other = plan(0, loss="mae", margin=-0.1), plan(1, margin=-1.0)
    run = write_run(tmp_path / "run", [odd, other])
    scores = trial_scores(odd, 4)
    scores.loc[scores["split"] == "validation", "mse"] = 1.0
    write_scores(run, odd.spec.trial_id, scores)
    assert find(open_run(run)).strict.model == other.spec.trial_id


def test_a_margin_of_zero_is_no_missing_one(tmp_path: Path) -> None:
    none, zero = plan(0, loss="mae", margin=-0.2), plan(1, margin=0.0)
    run = _opened(tmp_path / "run", none, zero)
    assert [record.margin for record in run.trials] == [0.0, -0.2]
    chosen, _ = declared_model(run, {})
    assert [record.trial_id for record in chosen] == [zero.spec.trial_id]


def test_images_that_a_choice_was_made_on_are_left_out_of_the_strict_rule(tmp_path: Path) -> None:
    trial = plan(margins=PASSING, split="data100")
    run = write_run(tmp_path / "run", [trial], n_images=8, space="final")
    images = pd.read_parquet(run / "images.parquet")
    images["data100"] = images["data101"]
    images.loc[images["image"].isin([8, 9, 10]), "tiny"] = "validation"  # of the search whose best are trained again
    images.to_parquet(run / "images.parquet")
    findings = find(open_run(run))
    assert findings.strict.n_seen == 3
    assert {(step["system"], step["n_images"]) for step in findings.strict.steps} == {("green", 2), ("white", 3)}
    assert any("3 of 8 test images are of fields that a choice was made on" in line for line in findings.pick.warnings)
    images["group"] = images["image"].replace(11, 8)  # shows the field of one that was chosen on
    images.to_parquet(run / "images.parquet")
    assert find(open_run(run)).strict.n_seen == 4
    plain = find(open_run(write_run(tmp_path / "plain", [trial], n_images=8)))
    assert (plain.strict.n_seen, len(plain.pick.warnings)) == (0, 1)


@pytest.mark.usefixtures("few_pictures", "unsaved_pictures")
def test_report_shows_both_rules_and_the_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", [plan()])
    assert main([str(run)]) == 0
    assert "strict pick: By the strict rule nothing smaller than JPEG-75 is demonstrated" in capsys.readouterr().out
    told = json.loads((run / "report" / "pick.json").read_text())
    for pick in (told, told["strict"]):
        assert {"quality", "trial_id", "mean_bytes", "reference_bytes"} <= set(pick)
    assert (told["quality"], told["strict"]["quality"], told["strict"]["fields_needed"]) == (50, None, 736)
    assert told["in_words"].startswith("Quality 50 restored by")
    steps = pd.read_csv(run / "report" / "tables" / "strict_steps.csv")
    assert list(steps["fields_needed"]) == [736, 736]
    assert "The strict rule, quality after quality" in (run / "report" / "index.html").read_text()
