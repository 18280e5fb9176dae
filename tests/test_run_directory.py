"""Reading a run directory: what is there is read whole, and whatever is missing or broken is said."""

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.findings import find
from analysis.records import settings_of
from analysis.run import SCORE_COLUMNS, RunError, newest_run, open_run
from search.records import RECORDS, RUN_FACTS
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import baseline_scores, plan, run_facts, trial_scores, write_run, write_scores


def test_run_holds_the_scores_of_every_record(tmp_path: Path) -> None:
    trial = plan()
    run = open_run(write_run(tmp_path / "run", [trial]))
    assert [record.trial_id for record in run.records] == [BASELINE.trial_id, trial.spec.trial_id]
    assert list(run.scores.columns) == [*SCORE_COLUMNS, "trial_id"]
    assert len(run.scores) == len(baseline_scores(4)) + len(trial_scores(trial, 4))
    assert run.notes == ()


def test_trials_are_ranked_by_margin_with_unknown_margins_last(tmp_path: Path) -> None:
    plans = [plan(0, margin=-2.0), plan(1, margin=None), plan(2, margin=-1.0)]
    run = open_run(write_run(tmp_path / "run", plans))
    assert [record.margin for record in run.trials] == [-1.0, -2.0, None]


def test_finalists_are_the_trained_trials_with_test_scores(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", [plan(0), plan(1, finalist=False)]))
    assert [record.spec.seed for record in run.finalists] == [0]
    assert run.deciding_split == "test"


def test_without_finalists_the_validation_split_decides_what_is_shown(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", [plan(0, finalist=False)]))
    assert run.deciding_split == "validation"


def test_dead_and_diverged_trials_are_not_alive(tmp_path: Path) -> None:
    statuses = (TrialStatus.DEAD, TrialStatus.DIVERGED, TrialStatus.STOPPED, TrialStatus.COMPLETED)
    plans = [plan(seed, status=status) for seed, status in enumerate(statuses)]
    findings = find(open_run(write_run(tmp_path / "run", plans)))
    assert {record.status for record in findings.able("test")} == {TrialStatus.STOPPED, TrialStatus.COMPLETED}


def test_folder_without_facts_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no run directory"):
        open_run(tmp_path)


def test_torn_facts_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / RUN_FACTS).write_text('{"command": "pyth')
    with pytest.raises(RunError, match=r"run\.json is damaged: put back a copy"):
        open_run(run)


def test_facts_that_are_no_object_are_damaged(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / RUN_FACTS).write_text("[]")
    with pytest.raises(RunError, match=r"is damaged: put back a copy"):
        open_run(run)


@pytest.mark.parametrize("text", ["{}", '{"dataset": 3}'])
def test_facts_of_another_shape_are_refused(tmp_path: Path, text: str) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / RUN_FACTS).write_text(text)
    with pytest.raises(RunError, match=r"must name .*reference_quality"):
        open_run(run)


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"n_trials": "three"}, "must give n_trials as int, found 'three'"),
        ({"scored_qualities": [25, "50"]}, r"must give scored_qualities as list\[int\]"),
        ({"left_out": "nothing"}, r"must give left_out as list\[dict"),
        ({"left_out": [{"name": "unet"}]}, "must say what is left out and why"),
        ({"dataset": run_facts(4, 1)["dataset"] | {"size_px": 0}}, "must give a size_px of at least 1, found 0"),
        ({"dataset": run_facts(4, 1)["dataset"] | {"scored": {}}}, "how many images of validation, test are scored"),
        ({"dataset": run_facts(4, 1)["dataset"] | {"mean_jpeg_bytes": {"75": 0}}}, "must give mean_jpeg_bytes by"),
    ],
)
def test_facts_of_another_type_are_refused(tmp_path: Path, facts: dict[str, Any], rule: str) -> None:
    run = write_run(tmp_path / "run", [plan()], **facts)
    with pytest.raises(RunError, match=rule):
        open_run(run)


def test_facts_without_the_image_size_are_refused(tmp_path: Path) -> None:
    facts = run_facts(4, 1)
    del facts["dataset"]["size_px"]
    run = write_run(tmp_path / "run", [plan()], dataset=facts["dataset"])
    with pytest.raises(RunError, match="must name size_px, and does not"):
        open_run(run)


def test_run_without_records_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", baseline=False)
    with pytest.raises(RunError, match="a report needs an ended trial, found none"):
        open_run(run)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not json", "Expecting value"),
        ('{"trial_id": "x", "spec": {}}', "it lacks status, epochs_run"),
        ('{"spec": {}}', "a JSON object with a trial_id"),
        ("[1]", "a JSON object with a trial_id"),
        ('{"trial_id": "../x"}', "a trial_id names files"),
    ],
)
def test_line_that_is_no_record_is_told_and_the_others_are_read(tmp_path: Path, line: str, why: str) -> None:
    run = write_run(tmp_path / "run", [plan()])
    with (run / RECORDS).open("a") as file:
        file.write(line + "\n")
    opened = open_run(run)
    assert len(opened.trials) == 1
    (note,) = opened.notes
    assert note.startswith("Line 3 of records.jsonl is no trial record")
    assert why in note


def test_run_whose_every_line_is_no_record_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / RECORDS).write_text("not json\n")
    with pytest.raises(RunError, match=r"Line 1 of .* read the run with the lowq version that made it"):
        open_run(run)


def _last_record(run: Path) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((run / RECORDS).read_text().splitlines()[-1])
    return row


def _replace_last_record(run: Path, row: dict[str, Any]) -> None:
    lines = (run / RECORDS).read_text().splitlines()[:-1]
    (run / RECORDS).write_text("\n".join([*lines, json.dumps(row), ""]))


def test_fields_of_a_newer_version_are_told_or_kept_and_the_trial_keeps_its_name(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    row = _last_record(run)
    row |= {"colour": 1, "spec": row["spec"] | {"optimizer": "sgd", "loss": "charbonnier"}, "trial_id": "newer"}
    _replace_last_record(run, row)
    old = run / "scores" / f"{plan().spec.trial_id}.parquet"
    old.rename(old.with_stem("newer"))
    opened = open_run(run)
    (trial,) = opened.trials
    assert (trial.trial_id, trial.spec.loss, trial.margin) == ("newer", "charbonnier", -1.5)
    assert set(opened.scores["trial_id"]) == {BASELINE.trial_id, "newer"}
    assert "In records.jsonl, the field 'colour' is unknown to this version and left out (1 times)." in opened.notes
    assert settings_of(trial)["optimizer"] == "sgd"
    assert not any("optimizer" in note for note in opened.notes)
    assert any("would refuse was kept (unknown loss 'charbonnier'" in note for note in opened.notes)


def test_status_of_a_newer_version_is_shown_as_unknown_and_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    _replace_last_record(run, _last_record(run) | {"status": "melted"})
    opened = open_run(run)
    assert opened.trials[0].status is TrialStatus.UNKNOWN
    assert find(opened).best is None
    assert any("the status 'melted' is unknown" in note for note in opened.notes)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1e999"])
def test_margin_that_is_not_finite_is_read_as_none_and_told(tmp_path: Path, value: str) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / RECORDS).write_text((run / RECORDS).read_text().replace('"margin": -1.5,', f'"margin": {value},'))
    opened = open_run(run)
    assert opened.trials[0].margin is None
    assert "In records.jsonl, a number that is not finite was read as none (1 times)." in opened.notes


@pytest.mark.parametrize(("field", "value"), [("epochs_run", "many"), ("margin", [1]), ("seconds", True), ("curve", 3)])
def test_record_with_a_value_of_another_type_is_told(tmp_path: Path, field: str, value: object) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1)])
    _replace_last_record(run, _last_record(run) | {field: value})
    opened = open_run(run)
    assert [trial.spec.seed for trial in opened.trials] == [0]
    assert any(f"no trial record ({field} must be" in note for note in opened.notes)


def test_torn_last_record_is_left_out_and_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1)])
    text = (run / RECORDS).read_text()
    (run / RECORDS).write_text(text[:-20])
    opened = open_run(run)
    assert [record.spec.seed for record in opened.trials] == [0]
    assert any("is torn" in note for note in opened.notes)
    assert any("1 of 2 planned trials have ended" in note for note in opened.notes)
    assert any("Score files without a record" in note for note in opened.notes)


def test_filters_and_seeds_of_the_best_are_none_of_the_planned_trials(tmp_path: Path) -> None:
    linear = plan(0, architecture="linear", epochs=0, epochs_run=0)
    facts = {"n_trials": 2, "space_definition": {"axes": {}, "confirms": True}}
    opened = open_run(write_run(tmp_path / "run", [plan(0), plan(1), linear], **facts))
    assert any("1 of 2 planned trials have ended" in note for note in opened.notes)


def test_second_record_of_a_trial_replaces_the_first_and_is_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(0, margin=-0.5)])
    opened = open_run(run)
    assert [record.margin for record in opened.trials] == [-0.5]
    assert any("replace an earlier one of the same trial: 1" in note for note in opened.notes)


def test_missing_score_file_is_told(tmp_path: Path) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    (run / "scores" / f"{trial.spec.trial_id}.parquet").unlink()
    opened = open_run(run)
    assert f"{trial.spec.trial_id} has a record but no score file: its cells say 'not scored'." in opened.notes


@pytest.mark.parametrize("n_bytes", [0, 4, 2000])
def test_torn_score_file_is_told(tmp_path: Path, n_bytes: int) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    file = run / "scores" / f"{trial.spec.trial_id}.parquet"
    file.write_bytes(file.read_bytes()[:n_bytes])
    opened = open_run(run)
    assert trial.spec.trial_id not in set(opened.scores["trial_id"])
    assert any(note.startswith(f"The scores of {trial.spec.trial_id} cannot be read") for note in opened.notes)


def test_score_file_without_a_column_is_told(tmp_path: Path) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    write_scores(run, trial.spec.trial_id, trial_scores(trial, 4).drop(columns="ssim"))
    assert any("cannot be read" in note and "ssim" in note for note in open_run(run).notes)


def test_score_columns_of_a_newer_version_are_not_used_and_told(tmp_path: Path) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    write_scores(run, trial.spec.trial_id, trial_scores(trial, 4).assign(lpips=0.5))
    told = "Columns of score files that this version does not know are not used: lpips (in 1 files)."
    assert open_run(run).notes == (told,)


@pytest.mark.parametrize("column", ["image", "input_quality", "jpeg_bytes", "split", "region"])
def test_score_file_that_lacks_values_is_told(tmp_path: Path, column: str) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    write_scores(run, trial.spec.trial_id, scores.assign(**{column: scores[column].where(scores["image"] != 1)}))
    notes = open_run(run).notes
    assert any(f"cannot be read (column {column} lacks" in note for note in notes)


def test_score_file_without_systems_and_names_is_read(tmp_path: Path) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    write_scores(run, trial.spec.trial_id, trial_scores(trial, 4).drop(columns=["system", "name", "crop_px"]))
    opened = open_run(run)
    own = opened.scores[opened.scores["trial_id"] == trial.spec.trial_id]
    assert set(own["system"]) == set(own["name"]) == {"unknown"}
    assert len(own) == len(trial_scores(trial, 4))


@pytest.mark.parametrize(("column", "value"), [("region", "corner"), ("split", "spare"), ("input_quality", 101)])
def test_score_rows_of_a_newer_version_are_not_used_and_told(tmp_path: Path, column: str, value: object) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    strange = scores.head(3).assign(**{column: value})
    write_scores(run, trial.spec.trial_id, pd.concat([scores, strange]))
    opened = open_run(run)
    assert len(opened.scores) == len(baseline_scores(4)) + len(scores)
    assert any("does not know are not used: 3, such as" in note and str(value) in note for note in opened.notes)


def test_words_of_the_scores_are_categories_in_alphabetical_order(tmp_path: Path) -> None:
    scores = open_run(write_run(tmp_path / "run", [plan(0)])).scores
    for column in ("trial_id", "name", "system", "split", "region"):
        assert scores[column].dtype == "category"
        assert list(scores[column].cat.categories) == sorted(set(scores[column]))


def test_repeated_score_rows_count_once_and_are_told(tmp_path: Path) -> None:
    trial = plan(0)
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    write_scores(run, trial.spec.trial_id, pd.concat([scores, scores.head(3)]))
    opened = open_run(run)
    assert len(opened.scores) == len(baseline_scores(4)) + len(scores)
    assert any("repeat 3 rows" in note for note in opened.notes)


def test_failed_trial_is_told(tmp_path: Path) -> None:
    trial = plan(0, status=TrialStatus.FAILED, scored=False, margin=None)
    opened = open_run(write_run(tmp_path / "run", [trial]))
    assert any(note.startswith(f"Failed, and so without scores: {trial.spec.trial_id}") for note in opened.notes)


def test_run_without_the_baseline_is_told(tmp_path: Path) -> None:
    opened = open_run(write_run(tmp_path / "run", [plan(0)], baseline=False))
    assert opened.baselines == []
    assert any("JPEG as it is was not scored at quality 75" in note for note in opened.notes)


def test_images_without_a_reference_are_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    baseline = baseline_scores(4)
    write_scores(run, BASELINE.trial_id, baseline[baseline["image"] != 0])
    assert any("for want of a JPEG-75 score: 2" in note for note in open_run(run).notes)


def test_newest_run_is_the_one_whose_facts_were_written_last(tmp_path: Path) -> None:
    for number, name in enumerate(("b", "c", "a")):
        run = write_run(tmp_path / name)
        os.utime(run / RUN_FACTS, (number, number))
    (tmp_path / "z").mkdir()
    assert newest_run(tmp_path) == tmp_path / "a"


def test_folder_without_runs_has_no_newest_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"found none in .*; make one with python search/run"):
        newest_run(tmp_path)
