"""The run writer: proposals and records on disk before anyone acts on them, and an orderly end where they cannot be."""

import errno
from pathlib import Path

import pytest

from search.engine.run_writer import RunWriter
from search.progress.log import Lines, ProgressLog
from search.records import TrialRecord, failed_record, read_proposed, read_records
from search.space.spec import TrialSpec

SPEC = TrialSpec("resnet")


class Recorder:
    """A writer in a folder, what it printed, and how often it stopped the search."""

    def __init__(self, run: Path) -> None:
        self.lines: list[str] = []
        self.n_stops = 0
        self.writer = RunWriter(run, ProgressLog(2, 1.0, watchers=(Lines(self.lines.append),)), self.stop)

    def stop(self) -> None:
        self.n_stops += 1


def _record() -> TrialRecord:
    return failed_record(SPEC, "f", "no reason")


def test_what_is_proposed_and_how_it_ended_is_on_disk_and_shown(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    assert recorder.writer.write_proposed(SPEC)
    recorder.writer.write_record(_record())
    assert read_proposed(tmp_path) == [SPEC]
    assert [record.trial_id for record in read_records(tmp_path)] == [SPEC.trial_id]
    assert len(recorder.lines) == 1
    assert recorder.n_stops == 0


@pytest.mark.parametrize("written", ["append_proposed", "append_record"])
def test_a_full_disk_stops_the_search_once_and_nothing_is_shown_that_is_not_kept(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"search.engine.run_writer.{written}", full)
    recorder = Recorder(tmp_path)
    for _ in range(2):
        if written == "append_proposed":
            assert not recorder.writer.write_proposed(SPEC)
        else:
            recorder.writer.write_record(_record())
    assert recorder.writer.trouble == "No space left on device"
    assert recorder.n_stops == 1
    assert recorder.lines == []
