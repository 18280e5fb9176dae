"""The pick: the lowest quality at which a finalist reaches the reference in every mean, or why there is none."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.cells import cells_of
from analysis.decide import FEW_IMAGES, METRIC_TITLES, Pick, as_json, candidates_of, choose, evidence_of, finite
from analysis.findings import find
from analysis.run import open_run
from models.names import METRICS
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import STEPS, Plan, baseline_scores, plan, trial_scores, write_images, write_run, write_scores


def _choose(run: Path) -> Pick:
    opened = open_run(run)
    return choose(opened, cells_of(opened), {})


def _evidence(run: Path) -> pd.DataFrame:
    opened = open_run(run)
    return evidence_of(cells_of(opened), _choose(run))


def test_pick_is_the_lowest_quality_that_reaches_the_reference(tmp_path: Path) -> None:
    trial = plan(margins={25: -0.5, 40: 0.05, 50: 0.3, 60: 0.5, 75: 0.6})
    run = write_run(tmp_path / "run", [trial])
    pick, evidence = _choose(run), _evidence(run)
    assert (pick.quality, pick.trial_id, pick.reason) == (40, trial.spec.trial_id, "")
    assert pick.saved is not None
    assert pick.saved.estimate == pytest.approx(40.0)  # 600 bytes where JPEG-75 takes 1000
    assert len(evidence) == 8
    assert evidence["reaches"].all()
    assert f"Quality 40 restored by {trial.spec.trial_id}" in pick.sentence()
    assert "40.0 % smaller" in pick.sentence()


def test_lower_quality_wins_over_larger_margin(tmp_path: Path) -> None:
    higher, lower = plan(0, margins={50: 0.5}), plan(1, margins={40: 0.01, 50: 0.02})
    assert _choose(write_run(tmp_path / "run", [higher, lower])).trial_id == lower.spec.trial_id


def test_fewer_bytes_win_whatever_the_quality_is_called(tmp_path: Path) -> None:
    plain, tuned = plan(0, margins={40: 0.3}), plan(1, margins={60: 0.1}, encoder="jpeg-c0.6")
    as_written = plan(2, margins={50: 0.2}, architecture="identity", encoder="jpeg-c0.6", epochs=0)
    run = write_run(tmp_path / "run", [plain, tuned, as_written])
    for trial in (tuned, as_written):
        scores = trial_scores(trial, 4)
        write_scores(run, trial.spec.trial_id, scores.assign(jpeg_bytes=scores["jpeg_bytes"] * 0.7))
    pick = _choose(run)  # 0.7 x 800 bytes where the plain file of quality 40 has 600, and what nobody restores 490
    assert (pick.trial_id, pick.quality, pick.encoder) == (tuned.spec.trial_id, 60, "jpeg-q60-c0.6")
    assert pick.sentence().startswith(f"jpeg-q60-c0.6 (quality 60) restored by {tuned.spec.trial_id} is at least")
    assert pick.saved is not None
    assert pick.saved.estimate == pytest.approx(44.0)


def test_files_of_two_splits_are_compared_as_shares_of_the_reference(tmp_path: Path) -> None:
    # The images of one split take half of the bytes of the other's, and are restored from less of JPEG-75.
    large, small = plan(0, margins={50: 0.3, 60: 0.5}), plan(1, split="data101", margins={60: 0.3})
    run = write_run(tmp_path / "run", [large, small], n_images=8)
    baseline = baseline_scores(8)
    for trial_id, images, scores in (
        (BASELINE.trial_id, range(12, 16), baseline),
        (large.spec.trial_id, range(8, 12), trial_scores(large, 8)),
        (small.spec.trial_id, range(12, 16), trial_scores(small, 8)),
    ):
        kept = scores if trial_id == BASELINE.trial_id else scores[scores["image"].isin(images)]
        halved = kept["jpeg_bytes"].where(~kept["image"].isin(range(12, 16)), kept["jpeg_bytes"] // 2)
        write_scores(run, trial_id, kept.assign(jpeg_bytes=halved))
    pick = _choose(run)
    assert (pick.quality, pick.trial_id, pick.n_images) == (50, large.spec.trial_id, 4)


def test_files_of_a_quality_above_the_reference_are_candidates_where_they_are_smaller(tmp_path: Path) -> None:
    tuned = plan(0, margins={75: 0.3, 80: 0.5}, encoder="jpeg-c0.6")
    run = write_run(tmp_path / "run", [tuned])
    scores = trial_scores(tuned, 4)
    write_scores(run, tuned.spec.trial_id, scores.assign(jpeg_bytes=scores["jpeg_bytes"] * 0.7))
    opened = open_run(run)
    assert candidates_of(opened, cells_of(opened), {})["input_quality"].to_list() == [75, 80]  # 700 and 840 bytes


def test_among_finalists_at_the_same_quality_the_larger_smallest_margin_wins(tmp_path: Path) -> None:
    even = plan(0, margins={50: 0.2})
    uneven = plan(1, margins={50: 0.6}, crop_margins={(50, "mae"): 0.1})
    pick = _choose(write_run(tmp_path / "run", [uneven, even]))
    assert pick.trial_id == even.spec.trial_id


def test_exactly_as_good_as_the_reference_is_good_enough(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    scores, reference = trial_scores(trial, 4), baseline_scores(4)
    at_75 = reference[reference["input_quality"] == 75].set_index(["image", "region"])
    for metric in METRICS:
        scores[metric] = at_75[metric].loc[list(zip(scores["image"], scores["region"], strict=True))].to_numpy()
    write_scores(run, trial.spec.trial_id, scores)
    assert _choose(run).quality == 50


def test_a_pick_says_on_which_camera_system_it_is_short_and_what_may_be_chance(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.3, 75: 0.6})
    run = write_run(tmp_path / "run", [trial], n_images=40)
    assert not any("short" in line or "chance (95" in line for line in _choose(run).warnings)
    scores = trial_scores(trial, 40)
    is_white = scores["system"] == "white"
    at_50 = (scores["split"] == "test") & (scores["region"] == "full") & (scores["input_quality"] == 50)
    scores.loc[at_50 & is_white, "mae"] += 0.4 * STEPS["mae"]
    scores.loc[at_50 & ~is_white, "mae"] -= 0.2 * STEPS["mae"]
    write_scores(run, trial.spec.trial_id, scores)
    pick = _choose(run)
    assert pick.quality == 50
    assert "Of white alone, 20 test images, 1 of 8 means are short of the reference's: MAE whole." in pick.warnings
    scores.loc[at_50, "ssim"] -= 0.299 * STEPS["ssim"]
    write_scores(run, trial.spec.trial_id, scores)
    (line,) = (line for line in _choose(run).warnings if "chance (95" in line)
    assert line == "In 1 of 8 means the gain over the reference can be chance (95 % interval)."


@pytest.mark.parametrize("metric", METRICS)
def test_metric_that_fails_only_in_the_crop_blocks_the_pick(tmp_path: Path, metric: str) -> None:
    trial = plan(margins={50: 0.2}, crop_margins={(50, metric): -0.1})
    run = write_run(tmp_path / "run", [trial])
    pick = _choose(run)
    assert pick.quality is None
    assert f"whose mean {METRIC_TITLES[metric]} of the centre crop is" in pick.reason
    assert "0.10 of what JPEG loses from there to JPEG-50" in pick.reason
    assert (~_evidence(run)["reaches"]).sum() == 1


def test_pick_is_none_when_no_quality_reaches_the_reference(tmp_path: Path) -> None:
    closest, other = plan(0, margins={25: -2.0, 50: -0.5}), plan(1, margins={25: -1.0, 50: -0.75})
    pick = _choose(write_run(tmp_path / "run", [other, closest]))
    assert (pick.quality, pick.trial_id, pick.saved) == (None, None, None)
    assert f"closest came {closest.spec.trial_id} at quality 50" in pick.reason
    assert "Nothing smaller than JPEG-75 can be picked" in pick.sentence()
    assert pick.closest == (closest.spec.trial_id, 50)


def test_the_reference_quality_itself_is_no_candidate(tmp_path: Path) -> None:
    pick = _choose(write_run(tmp_path / "run", [plan(margins={75: 0.5, 90: 0.7})]))
    assert pick.quality is None
    assert "no finalist was scored on files of fewer bytes than JPEG-75's" in pick.reason


def test_validation_scores_alone_pick_nothing(tmp_path: Path) -> None:
    pick = _choose(write_run(tmp_path / "run", [plan(finalist=False)]))
    assert pick.quality is None
    assert "no trial has been scored on the test split" in pick.reason


def test_without_the_reference_nothing_is_picked(tmp_path: Path) -> None:
    pick = _choose(write_run(tmp_path / "run", [plan()], baseline=False))
    assert "JPEG-75 itself has no score on the test split" in pick.reason


def test_quality_scored_in_one_region_only_is_not_picked(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.5})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    write_scores(run, trial.spec.trial_id, scores[scores["region"] == "full"])
    pick = _choose(run)
    assert pick.quality is None
    assert "scored for 4 of the 8 means" in pick.reason


def test_trial_with_a_score_that_is_not_a_number_is_not_picked(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.5})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[scores["image"] == 6, "mae"] = np.nan
    write_scores(run, trial.spec.trial_id, scores)
    pick = _choose(run)
    assert pick.quality is None
    json.dumps(as_json(pick, find(open_run(run)).strict), allow_nan=False)


def test_infinite_psnr_neither_makes_nor_breaks_a_pick(tmp_path: Path) -> None:
    for name, margin, quality in (("passes", 0.1, 50), ("fails", -0.1, None)):
        trial = plan(margins={50: margin})
        run = write_run(tmp_path / name, [trial])
        scores = trial_scores(trial, 4)
        scores.loc[scores["image"] == 7, "psnr_db"] = np.inf
        write_scores(run, trial.spec.trial_id, scores)
        pick = _choose(run)
        assert pick.quality == quality
        assert pick.n_images == 4


def test_pick_without_jpeg_50_still_decides(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(margins={40: 0.1}), plan(1, margins={40: -0.1})])
    reference = baseline_scores(4)
    write_scores(run, BASELINE.trial_id, reference[reference["input_quality"] != 50])
    pick = _choose(run)
    assert pick.quality == 40
    assert _evidence(run)["margin"].isna().all()


def _failing(margin: float) -> Plan:
    return plan(margins={40: margin})


def test_reason_without_jpeg_50_gives_the_shortfall_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [_failing(-0.1)])
    reference = baseline_scores(4)
    write_scores(run, BASELINE.trial_id, reference[reference["input_quality"] != 50])
    reason = _choose(run).reason
    assert "short by" in reason
    assert "nan" not in reason


def test_few_images_are_warned_of_with_their_number(tmp_path: Path) -> None:
    few = _choose(write_run(tmp_path / "few", [plan()], n_images=FEW_IMAGES - 1))
    enough = _choose(write_run(tmp_path / "enough", [plan()], n_images=FEW_IMAGES))
    assert f"Only {FEW_IMAGES - 1} test images decide" in few.warnings[0]
    assert enough.warnings == ()


def test_few_fields_are_warned_of_however_many_images_they_have(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()], n_images=FEW_IMAGES)
    write_images(run, FEW_IMAGES, {image: FEW_IMAGES + image % 5 for image in range(FEW_IMAGES, 2 * FEW_IMAGES)})
    (warning,) = _choose(run).warnings
    assert warning.startswith(f"Only {FEW_IMAGES} test images decide, of 5 fields: ")


def test_one_image_is_enough_to_answer(tmp_path: Path) -> None:
    pick = _choose(write_run(tmp_path / "run", [plan()], n_images=1))
    assert pick.quality == 50
    assert "Only 1 test image decides" in pick.warnings[0]


def test_a_score_that_is_no_number_is_told_and_not_printed(tmp_path: Path) -> None:
    trial = plan(margins={50: -0.5})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[(scores["region"] == "crop") & (scores["split"] == "test") & (scores["image"] == 5), "mae"] = math.nan
    write_scores(run, trial.spec.trial_id, scores)
    reason = _choose(run).reason
    assert reason.endswith("of whose MAE some score is no finite number.")
    assert "nan" not in reason


def test_files_that_nobody_restores_are_never_shown_as_the_best(tmp_path: Path) -> None:
    dead = plan(0, encoder="jpeg-c0.6", status=TrialStatus.DEAD)
    as_written = plan(1, margins={50: -0.8}, architecture="identity", encoder="jpeg-c0.6", epochs=0)
    assert find(open_run(write_run(tmp_path / "run", [dead, as_written]))).best is None


def test_candidates_list_every_finalist_and_lower_quality(tmp_path: Path) -> None:
    opened = open_run(write_run(tmp_path / "run", [plan(0), plan(1), plan(2, finalist=False)]))
    table = candidates_of(opened, cells_of(opened), {})
    assert list(table["input_quality"]) == [10, 10, 25, 25, 40, 40, 50, 50, 60, 60]
    assert list(table["passes"]) == [False] * 6 + [True] * 4


def test_pick_as_json_says_what_the_pick_says(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan()])))
    read = as_json(findings.pick, findings.strict)
    assert (read["quality"], read["trial_id"], read["saved_percent"]) == (50, findings.pick.trial_id, pytest.approx(30))
    assert read["saved"]["low"] is None  # four images are too few for an interval
    assert read["rule"] != read["strict"]["rule"]


def test_number_that_is_not_finite_becomes_null_in_json() -> None:
    assert finite({"a": [math.nan, (math.inf, 1.0)], "b": 2}) == {"a": [None, [None, 1.0]], "b": 2}


def test_a_suspect_finalist_is_no_candidate_and_named_where_there_is_no_other(tmp_path: Path) -> None:
    opened = open_run(write_run(tmp_path / "run", [plan(0), plan(1)]))
    cells, (first, second) = cells_of(opened), [record.trial_id for record in opened.finalists]
    assert choose(opened, cells, {first: "dead"}).trial_id == second
    assert (
        f"every finalist is suspect: {first} (dead), {second} (diverged)"
        in choose(opened, cells, {first: "dead", second: "diverged"}).reason
    )
