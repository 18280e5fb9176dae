"""What files show without a restorer: beside the pick, and a floor under both rules."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.findings import Findings, find
from analysis.run import open_run
from analysis.viewable import viewable_of
from tests.run_fixture import plan, run_facts, trial_scores, write_run, write_scores

ENOUGH = 2 * 736  # images of two systems, as the strict rule wants without a failure


def _findings(path: Path, n_images: int = 4, **facts: Any) -> Findings:
    return find(open_run(write_run(path, [plan()], n_images=n_images, **facts)))


def _shown(findings: Findings) -> dict[int, float]:
    return {quality: seen.ssim for quality, seen in viewable_of(findings.run, findings.run.finalists[0]).items()}


def test_the_means_of_the_picked_files_as_they_are_stand_beside_the_pick(tmp_path: Path) -> None:
    found = _findings(tmp_path / "run")
    jpeg = found.cells[(found.cells["trial_id"] == found.run.baselines[0].trial_id) & (found.cells["split"] == "test")]
    means = jpeg[(jpeg["region"] == "full") & (jpeg["system"] == "") & (jpeg["input_quality"] == 50)]
    psnr_db, ssim = (means.set_index("metric").loc[name, "mean"] for name in ("psnr_db", "ssim"))
    assert (found.pick.viewable.psnr_db, found.pick.viewable.ssim) == pytest.approx((psnr_db, ssim))
    assert f"Without the restorer they show {psnr_db:.2f} dB and an SSIM of {ssim:.4f}." in found.pick.sentence()


def test_neither_rule_picks_files_under_the_floor(tmp_path: Path) -> None:
    free = _findings(tmp_path / "free", ENOUGH)
    shown = _shown(free)
    assert (free.pick.quality, free.strict.quality) == (50, 50)
    floor = (shown[50] + shown[60]) / 2
    found = _findings(tmp_path / "floor", ENOUGH, options={"least_viewable_ssim": floor})
    assert (found.pick.quality, found.strict.quality) == (60, 60)
    assert f"without a restorer is {shown[50]:.4f}, where at least {floor:g} is asked for" in found.strict.reason


def test_where_every_smaller_file_is_under_the_floor_nothing_is_picked(tmp_path: Path) -> None:
    found = _findings(tmp_path / "run", options={"least_viewable_ssim": 0.9999})
    assert (found.pick.quality, found.strict.quality) == (None, None)
    for reason in (found.pick.reason, found.strict.reason):
        assert "where at least 0.9999 is asked for" in reason


def test_files_of_an_encoder_are_judged_by_their_own_scores_between_which_is_interpolated(tmp_path: Path) -> None:
    tuned = plan(0, margins={50: 0.2, 55: 0.3, 60: 0.4}, encoder="jpeg-c0.6")
    as_written = plan(1, margins={50: -0.8, 60: -0.4}, architecture="identity", encoder="jpeg-c0.6", epochs=0)
    run = write_run(tmp_path / "run", [tuned, as_written])
    opened = open_run(run)
    (record,) = opened.finalists
    seen = viewable_of(opened, record)
    assert seen[55].ssim == pytest.approx((seen[50].ssim + seen[60].ssim) / 2)
    scores = trial_scores(as_written, 4)
    write_scores(run, as_written.spec.trial_id, scores[scores["input_quality"] == 60])
    alone = viewable_of(open_run(run), record)
    assert np.isnan(alone[50].ssim)
    assert not alone[50].reaches(0.1)
    assert alone[60] == seen[60]


def test_what_is_stored_today_is_what_is_saved_of(tmp_path: Path) -> None:
    dataset = run_facts(4, 1)["dataset"]
    today = {"encoder": "jpeg-q90-plain", "mean_bytes": 2000.0, "mean_optimised_bytes": 1900.0}
    found = _findings(tmp_path / "run", dataset=dataset | {"today": today})
    assert found.pick.mean_bytes == pytest.approx(700)  # of 1000 at quality 75
    assert found.today_sentence() == "Quality 50 takes 65.0 % fewer bytes than the files stored today (jpeg-q90-plain)."
    same = dataset | {"today": today | {"encoder": "jpeg-q75-plain", "mean_bytes": 1000.0}}
    assert _findings(tmp_path / "same", dataset=same).today_sentence() == ""
    assert _findings(tmp_path / "unknown").today_sentence() == ""
