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


def _progress(epoch: int, share: float | None = 0.875) -> Progress:
    return Progress(epoch, 4, 0.1, share, share, -0.5, 0.25 if share else None, 1.0)


def _record(spec: TrialSpec = SPEC) -> TrialRecord:
    return TrialRecord(spec, TrialStatus.COMPLETED, 4, -0.5, 0.25, -1.5, 10.0, bytes_at_parity=0.875)


def test_a_line_says_time_passed_time_left_trials_ended_and_the_event() -> None:
    log, clock, lines = _log()
    log.proposed(SPEC)
    log.started_on(SPEC.trial_id, "pc2, GTX 1650")
    clock.now = 10.0
    log.reported(SPEC.trial_id, _progress(1))
    log.ended(_record())
    log.note("waiting")
    seen = "parity at 87.5 % of the bytes  PSNR gain +0.25 dB"
    assert lines == [
        f"[0:00, 2:00 left] 0/4  {SPEC.trial_id}  starts, on pc2, GTX 1650",
        f"[0:10, 1:50 left] 0/4  {SPEC.trial_id}  epoch 1/4  {seen}",
        f"[0:10, 0:50 left] 1/4  {SPEC.trial_id}  completed after 4/4 epochs  {seen}",
        "[0:10, 0:50 left] waiting",
    ]


def test_a_failure_shows_its_error_and_a_missing_value_is_said() -> None:
    log, _, lines = _log()
    log.proposed(SPEC)
    log.reported(SPEC.trial_id, _progress(1, share=None))
    log.ended(failed_record(SPEC, "", "OSError: gone"))
    assert lines[0].endswith("epoch 1/4  no parity")
    assert lines[1].endswith("failed: OSError: gone")


def test_the_time_left_is_never_more_than_the_budget_and_the_finish() -> None:
    log, clock, _ = _log(budget_s=30.0)
    clock.now = 10.0
    assert log.seconds_left() == 40.0
    assert not log.is_out_of_time()
    assert (log.share_of_budget(), log.budget_left_s()) == (1 / 3, 20.0)
    clock.now = 30.0
    assert log.is_out_of_time()
    assert log.seconds_left() == 20.0


def test_the_budget_runs_from_when_the_command_began() -> None:
    clock = Clock()
    clock.now = 50.0
    log = ProgressLog(4, 100.0, budget_s=30.0, clock=clock, began=25.0)
    assert (log.seconds_passed(), log.is_out_of_time()) == (25.0, False)
    clock.now = 55.0
    assert log.is_out_of_time()


def test_the_baseline_is_no_trial_of_the_plan() -> None:
    log, _, lines = _log()
    log.ended(_record(BASELINE))
    assert log.n_ended == 0
    assert lines[0].endswith("  scored  parity at 87.5 % of the bytes  PSNR gain +0.25 dB")


def test_what_ended_in_an_earlier_sitting_counts_and_does_not_make_this_one_look_fast() -> None:
    clock = Clock()
    log = ProgressLog(4, 100.0, clock=clock, records=[_record(), _record()])
    assert (log.n_ended, log.seconds_left()) == (2, 50.0)  # of four
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
    assert "completed after 4/4 epochs, out of memory: in batches of 4  parity" in lines[0]
