"""What a person sees of a running search: a line per event, with the time left."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from search.records import TrialRecord
from search.reporting import Progress
from search.spec import TrialSpec, TrialStatus


@dataclass
class ProgressLog:
    """Prints a line for each event of a search of n_trials.

    expected_s: what the plan expects of the trials; finish_s: of what follows them; budget_s: no new epochs after this.
    """

    n_trials: int
    expected_s: float
    finish_s: float = 0.0
    budget_s: float | None = None
    write: Callable[[str], None] = print
    clock: Callable[[], float] = time.monotonic
    n_ended: int = 0
    running: dict[str, float] = field(default_factory=dict)  # trial id -> share of its epochs done

    def __post_init__(self) -> None:
        self.started = self.clock()

    def proposed(self, spec: TrialSpec) -> None:
        """A trial is about to start."""
        self.running[spec.trial_id] = 0.0
        self._line(spec.trial_id, f"starts, {spec.epochs} epochs")

    def reported(self, trial_id: str, progress: Progress) -> None:
        """A trial ended an epoch."""
        self.running[trial_id] = progress.epoch / progress.epochs
        self._line(trial_id, f"epoch {progress.epoch}/{progress.epochs}  {_showing(progress)}")

    def ended(self, record: TrialRecord) -> None:
        """A trial has its record."""
        self.running.pop(record.trial_id, None)
        self.n_ended += not record.spec.is_baseline
        what = f"{record.status} after {record.epochs_run}/{record.spec.epochs} epochs  {_showing(record)}"
        self._line(record.trial_id, f"failed: {record.error}" if record.status is TrialStatus.FAILED else what)

    def seconds_left(self) -> float:
        """Return the expected seconds to the report: from the plan at first, then from what was done."""
        passed = self.clock() - self.started
        share = (self.n_ended + sum(self.running.values())) / self.n_trials
        left = passed * (1 - share) / share if self.n_ended else self.expected_s - passed
        return self.finish_s + max(0.0, left if self.budget_s is None else min(left, self.budget_s - passed))

    def is_out_of_time(self) -> bool:
        """Say whether the time budget is used up."""
        return self.budget_s is not None and self.clock() - self.started >= self.budget_s

    def _line(self, trial_id: str, what: str) -> None:
        passed = _clock_face(self.clock() - self.started)
        left = _clock_face(self.seconds_left())
        self.write(f"[{passed}, {left} left] {self.n_ended}/{self.n_trials}  {trial_id}  {what}")


def _showing(at: Progress | TrialRecord) -> str:
    margin = "margin  none " if at.margin is None else f"margin {at.margin:+.3f}"
    gain = "" if at.psnr_gain_db is None else f"  PSNR gain {at.psnr_gain_db:+.2f} dB"
    return margin + gain


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
