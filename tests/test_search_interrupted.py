"""A search that is killed, interrupted and stopped: readable, its own while it runs, and gone on with where it was."""

import json
import os
import signal
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from datasets.packed import PackedDataset
from search import cli, report
from search.cli import main
from search.engine.interrupt import interrupt, told_to_end
from search.records import read_records
from tests.search_process import ENDS_S, ROOT, epochs_told, start, start_smoke


def _end(process: "subprocess.Popen[str]", part: str, how: Callable[[int], None]) -> tuple[list[str], list[str]]:
    """Wait for a line with a part, and end the search; return the lines of its output and of its errors."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if part in line:
            break
    else:
        raise AssertionError(process.communicate()[1])
    how(process.pid)
    output, error = process.communicate(timeout=ENDS_S)
    return [*said, *output.splitlines()], error.strip().splitlines()


def _interrupt(process: "subprocess.Popen[str]", part: str, how: Callable[[int], None]) -> tuple[list[str], list[str]]:
    said, errors = _end(process, part, how)
    assert process.returncode == 130
    assert errors[-1].startswith("lowq: interrupted; what ended is safe")
    return said, errors


def test_a_search_goes_on_where_it_was_after_a_kill_ctrl_c_sigterm_and_an_interrupted_last_stage(
    small_pack: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill(driver: int) -> None:
        os.kill(driver, signal.SIGSTOP)
        assert main(["--resume", str(tmp_path / "run")]) == 2
        assert f"is being searched by process {driver}" in capsys.readouterr().err
        os.kill(driver, signal.SIGKILL)

    def resumed(*arguments: str) -> "subprocess.Popen[str]":
        return start(tmp_path, "--resume", "run", *arguments)

    said, _ = _end(start_smoke(small_pack, tmp_path, "--no-report"), "epoch 1/2", kill)
    assert len([record for record in read_records(tmp_path / "run") if record.spec.is_trained]) < 2
    # Ctrl-C on a terminal reaches every process of its group.
    said += _interrupt(resumed("--no-report"), "starts, on ", lambda driver: os.killpg(driver, signal.SIGINT))[0]
    more, errors = _interrupt(resumed(), "trying other codecs", lambda driver: os.kill(driver, signal.SIGTERM))
    assert len(errors) == 1
    said += more
    records = [record for record in read_records(tmp_path / "run") if record.spec.is_trained]
    assert len(records) == len({record.trial_id for record in records}) == 2
    epochs = epochs_told(said)
    assert epochs
    assert len(epochs) == len(set(epochs))  # none is trained twice once it was told
    assert not (tmp_path / "run" / "codecs.parquet").exists()
    sittings = json.loads((tmp_path / "run" / "run.json").read_text())["resumed"]
    assert ["--resume run" in sitting["command"] for sitting in sittings] == 2 * [True]


def test_a_sigterm_whose_interrupt_is_lost_ends_the_search_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def losing(*asked: Any) -> bool:
        with suppress(KeyboardInterrupt):  # as an exception that is raised in a destructor
            interrupt(signal.SIGTERM, None)
        return True

    monkeypatch.setattr(cli, "run_search", losing)
    told_to_end.clear()
    code = cli._search(tmp_path, Any, Namespace(quiet=True, no_report=False))  # type: ignore[arg-type]
    assert code == 130
    assert "interrupted; what ended is safe" in capsys.readouterr().err


FOLLOWED = """
import signal
from search.report import _command
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where the tests run in a shell's background
try:
    _command("sleeper")
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_while_the_report_is_written_ends_that_too_and_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOWED],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    sleeper = int(process.stdout.readline())
    os.killpg(process.pid, signal.SIGINT)  # as on a terminal
    assert process.communicate(timeout=ENDS_S) == ("interrupted\n", "")
    with pytest.raises(ProcessLookupError):
        os.kill(sleeper, 0)


def test_sigterm_ends_the_report_where_ctrl_c_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("search.report.POLL_S", 0.1)
    timer = threading.Timer(1, told_to_end.set)
    told_to_end.clear()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        report._command("sleeper")
    told_to_end.clear()
