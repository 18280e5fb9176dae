"""What is suspect in a run is listed, and kept out of what is best and of the pick."""

from pathlib import Path

import pytest

from analysis.cli import main
from analysis.findings import Findings, find
from analysis.images import IMAGES_FILE, read_images
from analysis.run import open_run
from search.spec import TrialStatus
from tests.run_fixture import STEPS, baseline_scores, plan, trial_scores, write_images, write_run, write_scores


def _find(run: Path) -> Findings:
    return find(open_run(run))


def _kinds(findings: Findings) -> dict[str, str]:
    numbers = findings.tables["forensics"].numbers
    return dict(zip(numbers["kind"], numbers["trials"], strict=True))


def test_an_honest_run_has_no_table_of_what_is_odd(tmp_path: Path) -> None:
    findings = _find(write_run(tmp_path / "run", [plan(0), plan(1)]))
    assert "forensics" not in findings.tables
    assert not findings.run.suspects


def test_a_trial_that_returns_its_input_is_not_picked_though_its_record_says_completed(tmp_path: Path) -> None:
    copy, honest = plan(loss="mae", margin=-0.1), plan(margin=-1.0)
    run = write_run(tmp_path / "run", [copy, honest])
    write_scores(run, copy.spec.trial_id, baseline_scores(4))
    findings = _find(run)
    assert _kinds(findings) == {"dead": copy.spec.trial_id}
    assert findings.pick.trial_id == findings.strict.model == honest.spec.trial_id
    assert findings.best is not None
    assert findings.best.trial_id == honest.spec.trial_id


def test_when_every_finalist_is_suspect_the_pick_says_so(tmp_path: Path) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial])
    write_scores(run, trial.spec.trial_id, baseline_scores(4))
    pick = _find(run).pick
    assert pick.quality is None
    assert f"every finalist is suspect: {trial.spec.trial_id} (dead)" in pick.reason


def test_trials_with_the_same_scores_are_both_kept_out(tmp_path: Path) -> None:
    one, other, third = plan(0), plan(1, loss="mae"), plan(2, margins={50: 0.3, 75: 0.5})
    run = write_run(tmp_path / "run", [third, one, other])
    for item in (one, other):
        write_scores(run, item.spec.trial_id, trial_scores(one, 4))
    findings = _find(run)
    assert set(findings.run.suspects) == {one.spec.trial_id, other.spec.trial_id}
    assert findings.pick.trial_id == third.spec.trial_id


def test_a_trial_and_the_one_that_went_on_from_it_may_have_the_same_scores(tmp_path: Path) -> None:
    parent = plan(0)
    child = plan(0, epochs=6, parent=parent.spec.trial_id)
    run = write_run(tmp_path / "run", [parent, child])
    for item in (parent, child):
        write_scores(run, item.spec.trial_id, trial_scores(parent, 4))
    assert not _find(run).run.suspects


def test_trials_of_two_splits_are_judged_beside_the_input_of_their_own(tmp_path: Path) -> None:
    one, other = plan(split="data100"), plan(split="data101", loss="mae")
    assert not _find(write_run(tmp_path / "run", [one, other])).run.suspects


def test_an_mse_below_what_the_psnr_implies_is_impossible_and_told_in_the_report(tmp_path: Path) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial, plan(1)])
    scores = trial_scores(trial, 4)
    scores["mse"] -= 1.5 * STEPS["mse"]
    write_scores(run, trial.spec.trial_id, scores)
    assert main([str(run)]) == 0
    page = (run / "report" / "index.html").read_text()
    assert "What the means give away" in page
    assert "under 1 cannot be" in page
    assert trial.spec.trial_id in _find(run).run.suspects


def test_what_a_record_says_of_its_end_is_listed(tmp_path: Path) -> None:
    dead = plan(1, status=TrialStatus.DEAD, finalist=False)
    findings = _find(write_run(tmp_path / "run", [plan(0), dead]))
    assert _kinds(findings) == {"dead": dead.spec.trial_id}


def test_one_field_on_both_sides_of_a_split_is_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    write_images(run, 4, {8: 4})  # an image to train on shows what a test image shows
    numbers = _find(run).tables["forensics"].numbers
    assert list(numbers["where"]) == ["data101"]
    assert "1 groups of near-duplicate images stand on more than one side of data101" in numbers["sentence"][0]


def test_an_older_run_without_images_is_noted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / IMAGES_FILE).unlink()
    assert any(f"The run has no {IMAGES_FILE}" in note for note in _find(run).notes)


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", None])
def test_images_that_cannot_be_read_are_noted(tmp_path: Path, content: bytes | None) -> None:
    run = write_run(tmp_path / "run", [plan()])
    file = run / IMAGES_FILE
    file.write_bytes(file.read_bytes()[:-20] if content is None else content)
    images = read_images(run)
    assert images.table.empty
    assert "images.parquet cannot be read" in images.notes[0]
    assert any("images.parquet cannot be read" in note for note in _find(run).notes)


def test_images_without_groups_are_noted(tmp_path: Path) -> None:
    baseline_scores(1).to_parquet(tmp_path / IMAGES_FILE)
    assert "it lacks group" in read_images(tmp_path).notes[0]


def test_an_image_of_which_nothing_is_known_is_a_field_of_its_own(tmp_path: Path) -> None:
    write_images(tmp_path, 2, {1: 0})
    images = read_images(tmp_path)
    numbers = images.table["image"]
    assert list(images.fields_of(numbers)) == [0, 0, 2, 3, 4, 5]
    assert list(images.fields_of(numbers + 5)) == [5, 6, 7, 8, 9, 10]
