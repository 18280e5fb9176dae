"""Records: what is written is read again, whole lines only."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.errors import InputError
from search.records import (
    PROPOSED,
    RECORDS,
    RUN_FACTS,
    TrialRecord,
    append_proposed,
    append_record,
    failed_record,
    read_proposed,
    read_records,
    read_run_facts,
)
from search.space.spec import TrialSpec, TrialStatus

RECORD = TrialRecord(
    spec=TrialSpec("resnet", training_quality="random"),
    status=TrialStatus.STOPPED,
    epochs_run=2,
    margin=-0.5,
    psnr_gain_db=0.25,
    input_margin=-1.5,
    seconds=12.5,
    curve=({"epoch": 1, "loss": 0.5, "margin": None}, {"epoch": 2, "loss": 0.25, "margin": -0.5}),
    versions={"keras": "3"},
)
OTHER = replace(RECORD, spec=TrialSpec("jjnet"), margin=None)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    append_record(tmp_path, RECORD)
    append_record(tmp_path, OTHER)
    assert read_records(tmp_path) == [RECORD, OTHER]


def test_the_newest_record_of_a_trial_counts(tmp_path: Path) -> None:
    paused = replace(RECORD, status=TrialStatus.PAUSED)
    for record in (paused, OTHER, RECORD):
        append_record(tmp_path, record)
    assert read_records(tmp_path) == [OTHER, RECORD]
    assert [record.has_ended for record in (paused, RECORD)] == [False, True]


def test_a_field_of_a_newer_version_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_text(json.dumps({**json.loads(RECORD.to_json()), "mood": "good"}) + "\n")
    assert read_records(tmp_path) == [RECORD]


@pytest.mark.parametrize("line", ['{"trial_id": 1}', "[1]", "\x00\xff", '{"trial_id": "x", "spec": {"mood": 1}}'])
def test_a_damaged_line_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    append_record(tmp_path, RECORD)
    for name in (RECORDS, PROPOSED):
        with (tmp_path / name).open("ab") as file:
            file.write(line.encode("latin-1") + b"\n")
    with pytest.raises(InputError, match=r"records\.jsonl, line 2, is no record .*: put back a copy"):
        read_records(tmp_path)
    with pytest.raises(InputError, match=r"proposed\.jsonl, line 1, is no spec .*: put back a copy"):
        read_proposed(tmp_path)


def test_a_setting_that_only_a_newer_version_has_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / PROPOSED).write_text('{"architecture": "jjnet", "dropout": 0.1}\n')
    with pytest.raises(InputError, match=r"'dropout'.*: put back a copy, or go on with the newer lowq that wrote it$"):
        read_proposed(tmp_path)


def test_a_line_names_its_trial(tmp_path: Path) -> None:
    assert json.loads(RECORD.to_json())["trial_id"] == RECORD.spec.trial_id


def test_proposals_are_read_as_they_were_written(tmp_path: Path) -> None:
    append_proposed(tmp_path, RECORD.spec)
    append_proposed(tmp_path, TrialSpec("jjnet"))
    assert read_proposed(tmp_path) == [RECORD.spec, TrialSpec("jjnet")]


def test_a_run_without_files_has_no_records_and_no_proposals(tmp_path: Path) -> None:
    assert read_records(tmp_path) == []
    assert read_proposed(tmp_path) == []


@pytest.mark.parametrize("name", [RECORDS, PROPOSED])
def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next_one(tmp_path: Path, name: str) -> None:
    append, read, item, other = {
        RECORDS: (append_record, read_records, RECORD, OTHER),
        PROPOSED: (append_proposed, read_proposed, RECORD.spec, OTHER.spec),
    }[name]
    append(tmp_path, item)  # type: ignore[arg-type]
    with (tmp_path / name).open("a") as file:
        file.write('{"trial_id": "resnet-m')
    assert read(tmp_path) == [item]
    append(tmp_path, other)  # type: ignore[arg-type]
    assert read(tmp_path) == [item, other]


def test_a_number_that_is_not_finite_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_record(tmp_path, replace(RECORD, margin=math.inf))
    assert read_records(tmp_path) == []


def test_a_line_that_is_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a record is a JSON object with a trial_id, got '\[1\]'"):
        TrialRecord.from_json("[1]")


def test_a_failed_record_holds_the_error_and_the_epochs_it_had_and_no_scores() -> None:
    record = failed_record(RECORD.spec, "fingerprint", "OSError: gone", RECORD.curve)
    assert (record.status, record.error, record.margin) == (TrialStatus.FAILED, "OSError: gone", None)
    assert (record.epochs_run, record.curve) == (2, RECORD.curve)
    assert TrialRecord.from_json(record.to_json()) == record


def test_a_folder_without_facts_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"is no run directory \(it has no {RUN_FACTS}\); name one"):
        read_run_facts(tmp_path)
