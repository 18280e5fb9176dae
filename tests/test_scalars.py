"""Scalars for TensorBoard: each report at its epoch, in the trial's folder."""

import logging
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from search.progress.log import ProgressLog
from search.progress.scalars import Scalars
from search.records import failed_record
from search.space.spec import TrialSpec
from search.trial.reporting import Progress

SPEC = TrialSpec("resnet", epochs=4)


def _written(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_every_report_is_written_at_its_epoch_also_by_a_later_sitting(tmp_path: Path) -> None:
    for epoch in (1, 2):
        log = ProgressLog(1, 1.0, watchers=(Scalars(tmp_path),))
        log.reported(SPEC.trial_id, Progress(epoch, 4, 0.5, 0.9, 0.8, None if epoch == 1 else -0.5, 0.25, 2.0))
        log.ended(failed_record(SPEC, "", "gone"))
    written = _written(tmp_path / SPEC.trial_id)
    assert written["loss"] == [(1, 0.5), (2, 0.5)]
    assert written["margin"] == [(2, -0.5)]
    assert set(written) == {*("loss", "bytes_at_parity", "best_bytes_at_parity", "margin", "psnr_gain_db", "seconds")}


def test_a_folder_that_cannot_be_written_ends_the_scalars_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.progress.scalars.logger", logging.getLogger("scalars"))  # whatever Ray did to its own
    (tmp_path / "file").touch()
    log = ProgressLog(1, 1.0, watchers=(Scalars(tmp_path / "file"),))
    for epoch in (1, 2):
        log.reported(SPEC.trial_id, Progress(epoch, 4, 0.5, 0.9, 0.8, -0.5, 0.25, 2.0))
    assert [record.message.split(":")[0] for record in caplog.records] == ["no more scalars for TensorBoard"]
