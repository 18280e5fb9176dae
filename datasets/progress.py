"""How far a long command is: a bar with the time left on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

FIRST_LINE_S, LINE_S = 10.0, 30.0  # a short command says nothing


class Progress:
    """Shows how many of a number of things are done, on standard error."""

    def __init__(self, verb: str, things: str) -> None:
        self.verb, self.things = verb, things
        self._start_s = time.monotonic()
        self._line_s = self._start_s + FIRST_LINE_S
        self._n_before: int | None = None  # done by an earlier run
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar = Bar(*columns, TimeRemainingColumn(), console=Console(file=sys.stderr)) if is_terminal else None

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
            self._bar.add_task(self.verb, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def tell(self, done: int, n_all: int) -> None:
        """Take note that `done` of `n_all` are done."""
        if self._n_before is None:
            self._n_before = done - 1
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done, total=n_all)
            return
        now_s = time.monotonic()
        if now_s < self._line_s or not sys.stderr:
            return
        self._line_s = now_s + LINE_S
        per_s = (done - self._n_before) / (now_s - self._start_s)
        left_s = round((n_all - done) / per_s)
        print(
            f"{self.verb}: {done:,} of {n_all:,} {self.things}, {per_s:.0f} a second, "
            f"{left_s // 3600}:{left_s // 60 % 60:02}:{left_s % 60:02} left",
            file=sys.stderr,
        )
