"""What the driver writes of a search as it goes: proposals before trials start, records when they ended."""

from collections.abc import Callable
from pathlib import Path

from search.progress.log import ProgressLog
from search.records import TrialRecord, append_proposed, append_record
from search.space.spec import TrialSpec


class RunWriter:
    """Appends to a run's files and tells the log. The first write that fails ends the search, in order: stop() is
    called, so that nothing new starts and trials pause with their states kept, and `trouble` says why."""

    def __init__(self, run: Path, log: ProgressLog, stop: Callable[[], None]) -> None:
        self.run, self.log, self.stop = run, log, stop
        self.trouble: str | None = None

    def write_proposed(self, spec: TrialSpec) -> bool:
        """Write that a trial is about to start; False where it cannot be written."""
        try:
            append_proposed(self.run, spec)
        except OSError as error:
            self.fail(error.strerror or str(error))
            return False
        self.log.proposed(spec)
        return True

    def write_record(self, record: TrialRecord) -> None:
        """Write how a trial ended; its files are safe."""
        try:
            append_record(self.run, record)
        except OSError as error:
            self.fail(error.strerror or str(error))
        else:
            self.log.ended(record)

    def fail(self, trouble: str) -> None:
        """Something could not be written."""
        if self.trouble is None:
            self.trouble = trouble
            self.stop()
