"""What a terminal shows of a running search: a table of what runs that is drawn anew, and above it a line per event."""

from collections import Counter
from contextlib import suppress
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from search.progress.log import ProgressLog, outcome, time_line
from search.records import TrialRecord, best_first
from search.space.spec import TrialSpec
from search.trial.reporting import Progress

N_BEST = 3
REFRESHES_PER_S = 4


class LiveTable:
    """A watcher, and the context in which the terminal is its own."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.log: ProgressLog | None = None
        self.live = Live(console=self.console, get_renderable=self._draw, refresh_per_second=REFRESHES_PER_S)

    def __enter__(self) -> "LiveTable":
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.live.stop()

    def proposed(self, log: ProgressLog, spec: TrialSpec) -> None:
        self.log = log

    def started(self, log: ProgressLog, trial_id: str, place: str) -> None:
        self.log = log

    def noted(self, log: ProgressLog, line: str) -> None:
        self.say(line)

    def reported(self, log: ProgressLog, trial_id: str, progress: Progress) -> None:
        self.log = log

    def ended(self, log: ProgressLog, record: TrialRecord) -> None:
        self.log = log
        self.say(f"{record.trial_id}  {outcome(record)}")

    def say(self, line: str) -> None:
        """Print a line above the table, where it stays; once the terminal is gone, nowhere."""
        with suppress(OSError):
            self.console.print(line, markup=False, soft_wrap=True)

    def _draw(self) -> Group:
        if self.log is None:
            return Group("starting")
        return Group(_head(self.log), _running(self.log), _best(self.log))


def _head(log: ProgressLog) -> str:
    counts = Counter(str(record.status) for record in log.records)
    how = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    return f"{log.n_ended} of {log.n_trials} trials ended{f' ({how})' if how else ''}; {time_line(log)}"


def _running(log: ProgressLog) -> Table:
    table = _table("running", "epoch", "bytes at parity", "PSNR gain, dB", "s an epoch", "on")
    for trial_id, progress in list(log.running.items()):
        place = log.places.get(trial_id)
        if progress is None:
            table.add_row(trial_id, "starts" if place else "waits", "", "", "", place or "")
        else:
            gain = _signed(progress.psnr_gain_db, 2)
            numbers = (_share(progress.bytes_at_parity), gain, f"{progress.seconds:.1f}", place or "")
            table.add_row(trial_id, f"{progress.epoch}/{progress.epochs}", *numbers)
    return table


def _best(log: ProgressLog) -> Table:
    table = _table("best so far", "epochs", "bytes at parity", "PSNR gain, dB", "status")
    for record in best_first(log.records)[:N_BEST]:
        numbers = (_share(record.bytes_at_parity), _signed(record.psnr_gain_db, 2), str(record.status))
        table.add_row(record.trial_id, f"{record.epochs_run}/{record.spec.epochs}", *numbers)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True, min_width=46)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _share(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f} %"


def _signed(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:+.{digits}f}"
