"""A search that is interrupted, stopped or killed: readable, and gone on with where it was."""

import json
import os
import signal
from pathlib import Path

from datasets.packed import PackedDataset
from search.records import read_records
from tests.search_process import line_with, run_in, start_smoke


def _check_resumed(folder: Path, line: str) -> None:
    """Resume the run whose trial said `line`: every trial has one record, and that one did not begin anew."""
    ended = {record.trial_id for record in read_records(folder / "run") if record.spec.is_trained}
    assert len(ended) < 2
    done = run_in(folder, "--resume", "run", "--no-report")
    assert done.returncode == 0, done.stderr
    records = [record for record in read_records(folder / "run") if record.spec.is_trained]
    assert len(records) == len({record.trial_id for record in records}) == 2
    begun = next(record.trial_id for record in records if record.trial_id in line)
    assert begun in ended or f"{begun}  epoch 1/2" not in done.stdout
    (sitting,) = json.loads((folder / "run" / "run.json").read_text())["resumed"]
    assert "--resume run" in sitting["command"]


def test_an_interrupted_search_is_readable_and_goes_on_where_it_was(small_pack: PackedDataset, tmp_path: Path) -> None:
    started = start_smoke(small_pack, tmp_path, "--no-report")
    line = line_with(started, "epoch 1/2")
    os.killpg(started.pid, signal.SIGINT)
    _, error = started.communicate(timeout=120)
    assert started.returncode == 130
    assert error.strip().splitlines()[-1].startswith("lowq: interrupted; what ended is safe")
    _check_resumed(tmp_path, line)


def test_sigterm_acts_as_ctrl_c(small_pack: PackedDataset, tmp_path: Path) -> None:
    started = start_smoke(small_pack, tmp_path, "--no-report")
    line_with(started, "epoch 1/2")
    os.kill(started.pid, signal.SIGTERM)
    _, error = started.communicate(timeout=120)
    assert started.returncode == 130
    (line,) = error.strip().splitlines()
    assert line.startswith("lowq: interrupted; what ended is safe")


def test_a_search_is_interrupted_in_its_last_stage_too(small_pack: PackedDataset, tmp_path: Path) -> None:
    started = start_smoke(small_pack, tmp_path)
    line_with(started, "trying other codecs")
    os.kill(started.pid, signal.SIGINT)
    _, error = started.communicate(timeout=120)
    assert started.returncode == 130
    assert error.strip().splitlines()[-1].startswith("lowq: interrupted; what ended is safe")
    assert not (tmp_path / "run" / "codecs.parquet").exists()


def test_a_driver_that_is_killed_keeps_the_run_to_itself_until_then_and_loses_nothing(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    started = start_smoke(small_pack, tmp_path, "--no-report")
    line = line_with(started, "epoch 1/2")
    os.kill(started.pid, signal.SIGSTOP)
    second = run_in(tmp_path, "--resume", "run")
    assert second.returncode == 2
    assert f"is being searched by process {started.pid}" in second.stderr
    started.kill()
    started.communicate(timeout=120)
    _check_resumed(tmp_path, line)
