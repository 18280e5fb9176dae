"""What workers print, from every node, goes into a file of the run and not on the screen."""

import logging
from pathlib import Path

import pytest
from ray._private import worker as ray_worker
from ray._private.ray_logging import global_worker_stdstream_dispatcher

from search.cluster.logs import PRINTS, WORKER_LOG, WorkerLog, keep_from_screen, send_logs_to


def test_lines_stand_behind_time_node_and_process(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "workers.log")
    log.write({"ip": "10.0.0.2", "pid": 12, "lines": ["one", "two\x1b[0m"]})
    log.write({"ip": "10.0.0.3", "pid": "raylet", "lines": ["three"]})
    log.write({"ip": "10.0.0.1", "pid": "autoscaler", "lines": ["Node status"]})
    lines = (tmp_path / "workers.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "10.0.0.2 12 one",
        "10.0.0.2 12 two\\x1b[0m",
        "10.0.0.3 raylet three",
    ]


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    WorkerLog(tmp_path / "none" / "workers.log").write({"ip": "10.0.0.2", "pid": 12, "lines": ["one"]})


def test_a_run_has_the_file_and_the_screen_has_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_worker, "print_to_stdstream", ray_worker.print_to_stdstream)  # put back at the end
    global_worker_stdstream_dispatcher.add_handler(PRINTS, lambda batch: print(batch["lines"]))
    keep_from_screen()
    for run in ("first", "second"):
        send_logs_to(tmp_path / run)
    global_worker_stdstream_dispatcher.emit({"ip": "10.0.0.2", "pid": 12, "lines": ["one"]})
    ray_worker.print_to_stdstream({"pid": "raylet", "lines": ["a worker died"], "is_err": False}, ignore_prefix=False)
    global_worker_stdstream_dispatcher.remove_handler(WORKER_LOG)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "first" / WORKER_LOG).exists()
    assert (tmp_path / "second" / WORKER_LOG).read_text().endswith("- raylet a worker died\n")


def test_a_full_disk_is_not_told_by_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "driver.log").symlink_to("/dev/full")
    send_logs_to(tmp_path)
    logging.getLogger("ray").warning("a worker died")
    assert capsys.readouterr().err == ""
