"""Progress lines: one an event, with the time left."""

from dataclasses import replace

from search.progress.log import Lines, ProgressLog
from search.records import TrialRecord, failed_record
from search.space.spec import BASELINE, TrialSpec, TrialStatus
from search.trial.reporting import Progress

SPEC = TrialSpec("resnet", epochs=4)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _log(budget_s: float | None = None, quiet: bool = False) -> tuple[ProgressLog, Clock, list[str]]:
    clock, lines = Clock(), list[str]()
    return ProgressLog(4, 100.0, 20.0, budget_s, (Lines(lines.append, quiet),), clock), clock, lines


def _progress(epoch: int, margin: float | None = -0.5) -> Progress:
    return Progress(epoch, 4, 0.1, margin, margin, 0.25 if margin else None, 1.0)


def _record(spec: TrialSpec = SPEC) -> TrialRecord:
    return TrialRecord(spec, TrialStatus.COMPLETED, 4, -0.5, 0.25, -1.5, 10.0)


def test_a_line_says_time_passed_time_left_trials_ended_and_the_event() -> None:
    log, clock, lines = _log()
    log.proposed(SPEC)
    clock.now = 10.0
    log.reported(SPEC.trial_id, _progress(1))
    log.ended(_record())
    assert lines == [
        f"[0:00, 2:00 left] 0/4  {SPEC.trial_id}  starts, 4 epochs",
        f"[0:10, 1:50 left] 0/4  {SPEC.trial_id}  epoch 1/4  margin -0.500  PSNR gain +0.25 dB",
        f"[0:10, 0:50 left] 1/4  {SPEC.trial_id}  completed after 4/4 epochs  margin -0.500  PSNR gain +0.25 dB",
    ]


def test_a_failure_shows_its_error_and_a_missing_margin_is_said() -> None:
    log, _, lines = _log()
    log.proposed(SPEC)
    log.reported(SPEC.trial_id, _progress(1, margin=None))
    log.ended(failed_record(SPEC, "", "OSError: gone"))
    assert lines[1].endswith("epoch 1/4  margin  none ")
    assert lines[2].endswith("failed: OSError: gone")


def test_the_time_left_is_never_more_than_the_budget_and_the_finish() -> None:
    log, clock, _ = _log(budget_s=30.0)
    clock.now = 10.0
    assert log.seconds_left() == 40.0
    assert not log.is_out_of_time()
    clock.now = 30.0
    assert log.is_out_of_time()
    assert log.seconds_left() == 20.0


def test_the_baseline_is_no_trial_of_the_plan() -> None:
    log, _, _ = _log()
    log.ended(_record(BASELINE))
    assert log.n_ended == 0


def test_what_ended_in_an_earlier_sitting_counts_and_does_not_make_this_one_look_fast() -> None:
    clock = Clock()
    log = ProgressLog(4, 100.0, clock=clock, records=[_record(), _record()])
    assert (log.n_ended, log.seconds_left()) == (2, 100.0)
    log.proposed(SPEC)
    clock.now = 10.0
    log.ended(_record())
    assert log.seconds_left() == 10.0  # one of two took 10 s


def test_a_quiet_log_shows_failures_alone() -> None:
    log, _, lines = _log(quiet=True)
    log.proposed(SPEC)
    log.reported(SPEC.trial_id, _progress(1))
    log.ended(_record())
    assert lines == []
    log.ended(failed_record(SPEC, "", "OSError: gone"))
    assert len(lines) == 1


def test_a_halved_batch_is_said() -> None:
    log, _, lines = _log()
    log.ended(replace(_record(), curve=({"epoch": 4, "batch_size": 4},)))
    assert "completed after 4/4 epochs, out of memory: in batches of 4  margin" in lines[0]
