"""What is known of a running search, and what a person sees of it: plain lines, one an event, with the time left."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from search.records import TrialRecord
from search.space.spec import TrialSpec, TrialStatus
from search.trial.reporting import Progress


class Watcher(Protocol):
    """Shows or writes down what happens; the log is already up to date with it."""

    def proposed(self, log: "ProgressLog", spec: TrialSpec) -> None: ...

    def started(self, log: "ProgressLog", trial_id: str, place: str) -> None: ...

    def noted(self, log: "ProgressLog", line: str) -> None: ...

    def reported(self, log: "ProgressLog", trial_id: str, progress: Progress) -> None: ...

    def ended(self, log: "ProgressLog", record: TrialRecord) -> None: ...


@dataclass
class ProgressLog:
    """Counts the events of a search of n_trials and tells the watchers of each.

    expected_s: what the plan expects of all trials; finish_s: of what follows them; budget_s: no new epochs after this,
    counted from when the command began. running: the newest report of each proposed trial; places: the PC and device of
    those that have started; records: of the trials that ended.
    """

    n_trials: int
    expected_s: float
    finish_s: float = 0.0
    budget_s: float | None = None
    watchers: tuple[Watcher, ...] = ()
    clock: Callable[[], float] = time.monotonic
    records: list[TrialRecord] = field(default_factory=list)
    running: dict[str, Progress | None] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    began: float | None = None

    def __post_init__(self) -> None:
        self.began = self.clock() if self.began is None else self.began
        self.n_before = len(self.records)

    @property
    def n_ended(self) -> int:
        """How many trials ended, of earlier sittings too."""
        return len(self.records)

    def proposed(self, spec: TrialSpec) -> None:
        """A trial waits for a slot."""
        self.running[spec.trial_id] = None
        for watcher in self.watchers:
            watcher.proposed(self, spec)

    def started_on(self, trial_id: str, place: str) -> None:
        """A trial has a worker."""
        if trial_id in self.running:
            self.places[trial_id] = place
            for watcher in self.watchers:
                watcher.started(self, trial_id, place)

    def note(self, line: str) -> None:
        """Something is to be said that is no trial's."""
        for watcher in self.watchers:
            watcher.noted(self, line)

    def reported(self, trial_id: str, progress: Progress) -> None:
        """A trial ended an epoch."""
        self.running[trial_id] = progress
        for watcher in self.watchers:
            watcher.reported(self, trial_id, progress)

    def ended(self, record: TrialRecord) -> None:
        """A trial, or JPEG as it is, has its record."""
        self.running.pop(record.trial_id, None)
        self.places.pop(record.trial_id, None)
        if record.spec.is_trained:
            self.records.append(record)
        for watcher in self.watchers:
            watcher.ended(self, record)

    def seconds_passed(self) -> float:
        """Return the seconds since the command began."""
        return self.clock() - (self.began or 0.0)

    def seconds_left(self) -> float:
        """Return the expected seconds to the report: from the plan at first, then from what was done since."""
        passed = self.seconds_passed()
        under_way = sum(progress.epoch / progress.epochs for progress in self.running.values() if progress)
        n_asked, n_done = self.n_trials - self.n_before, self.n_ended - self.n_before
        share = min(1.0, (n_done + under_way) / n_asked) if n_asked else 1.0
        expected = self.expected_s * max(0, n_asked) / max(1, self.n_trials)
        left = passed * (1 - share) / share if n_done else expected - passed
        return self.finish_s + max(0.0, left if self.budget_s is None else min(left, self.budget_s - passed))

    def share_of_budget(self) -> float:
        """Return how much of the time budget is used up, 0 without one."""
        return self.seconds_passed() / self.budget_s if self.budget_s else 0.0

    def budget_left_s(self) -> float | None:
        """Return the seconds that are left of the time budget, None without one."""
        return None if self.budget_s is None else self.budget_s - self.seconds_passed()

    def is_out_of_time(self) -> bool:
        """Say whether the time budget is used up."""
        return self.budget_s is not None and self.seconds_passed() >= self.budget_s


@dataclass(frozen=True)
class Lines:
    """A watcher that writes a line for each event; a quiet one for failures alone."""

    write: Callable[[str], None] = print
    quiet: bool = False

    def proposed(self, log: ProgressLog, spec: TrialSpec) -> None: ...

    def started(self, log: ProgressLog, trial_id: str, place: str) -> None:
        if not self.quiet:
            self._line(log, trial_id, f"starts, on {place}")

    def noted(self, log: ProgressLog, line: str) -> None:
        self.write(f"[{time_line(log)}] {line}")

    def reported(self, log: ProgressLog, trial_id: str, progress: Progress) -> None:
        if not self.quiet:
            self._line(log, trial_id, f"epoch {progress.epoch}/{progress.epochs}  {_showing(progress)}")

    def ended(self, log: ProgressLog, record: TrialRecord) -> None:
        if not self.quiet or record.status is TrialStatus.FAILED:
            self._line(log, record.trial_id, outcome(record))

    def _line(self, log: ProgressLog, trial_id: str, what: str) -> None:
        self.write(f"[{time_line(log)}] {log.n_ended}/{log.n_trials}  {trial_id}  {what}")


def time_line(log: ProgressLog) -> str:
    """Say the time passed and the time left: "0:10, 1:50 left"."""
    return f"{_clock_face(log.seconds_passed())}, {_clock_face(log.seconds_left())} left"


def outcome(record: TrialRecord) -> str:
    """Say how a trial ended, in a line."""
    if record.status is TrialStatus.FAILED:
        return f"failed: {record.error}"
    if not record.spec.is_trained:
        return f"scored  {_showing(record)}"
    halved = record.trained_batch_size < record.spec.batch_size
    batch = f", out of memory: in batches of {record.trained_batch_size}" if halved else ""
    return f"{record.status} after {record.epochs_run}/{record.spec.epochs} epochs{batch}  {_showing(record)}"


def _showing(at: Progress | TrialRecord) -> str:
    share = "no parity" if at.bytes_at_parity is None else f"parity at {100 * at.bytes_at_parity:.1f} % of the bytes"
    gain = "" if at.psnr_gain_db is None else f"  PSNR gain {at.psnr_gain_db:+.2f} dB"
    return share + gain


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
