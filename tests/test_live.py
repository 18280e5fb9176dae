"""The live table, drawn on a terminal that is a string."""

import io
from dataclasses import replace

from rich.console import Console

from search.progress.live import LiveTable
from search.progress.log import ProgressLog
from search.records import TrialRecord
from search.space.spec import TrialSpec, TrialStatus
from search.trial.reporting import Progress

SPECS = [TrialSpec("resnet", epochs=4, seed=seed) for seed in range(6)]


def _record(spec: TrialSpec, margin: float | None) -> TrialRecord:
    status = TrialStatus.DIVERGED if margin is None else TrialStatus.COMPLETED
    return TrialRecord(spec, status, 4, margin, 0.25, -1.5, 10.0, bytes_at_parity=0.8 - (margin or 0.0) / 10)


def _watched() -> tuple[LiveTable, ProgressLog]:
    live = LiveTable(Console(file=io.StringIO(), force_terminal=True, width=140, highlight=False))
    return live, ProgressLog(6, 100.0, watchers=(live,), clock=lambda: 0.0)


def _drawn(live: LiveTable) -> str:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    console.print(live.live.get_renderable())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_holds_what_runs_and_the_three_best_of_what_ended() -> None:
    live, log = _watched()
    for spec, margin in zip(SPECS, (-0.5, None, 0.25, -0.75, 0.5), strict=False):
        log.proposed(spec)
        log.ended(_record(spec, margin))
    log.proposed(SPECS[5])
    assert _drawn(live).splitlines()[2].split() == [SPECS[5].trial_id, "waits"]
    log.started_on(SPECS[5].trial_id, "pc2, GTX")
    assert _drawn(live).splitlines()[2].split() == [SPECS[5].trial_id, "starts", "pc2,", "GTX"]
    log.reported(SPECS[5].trial_id, Progress(2, 4, 0.1, 0.875, 0.85, -0.5, 0.125, 1.5))
    head, _, running, _, *best = _drawn(live).splitlines()
    assert head.startswith("5 of 6 trials ended (4 completed, 1 diverged); 0:00, ")
    assert running.split() == [SPECS[5].trial_id, "2/4", "87.5", "%", "+0.12", "1.5", "pc2,", "GTX"]
    assert [line.split()[2] for line in best] == ["75.0", "77.5", "85.0"]


def test_a_terminal_that_is_gone_ends_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    LiveTable(Console(file=Gone(), force_terminal=True)).say("an event")


def test_what_ended_stays_above_the_table() -> None:
    live, log = _watched()
    with live:
        log.proposed(SPECS[0])
        log.ended(_record(SPECS[0], 0.5))
        log.ended(replace(_record(SPECS[1], None), status=TrialStatus.FAILED, error="[red]gone"))
    assert isinstance(live.console.file, io.StringIO)
    shown = live.console.file.getvalue()
    assert f"{SPECS[0].trial_id}  completed after 4/4 epochs" in shown
    assert "failed: [red]gone" in shown
    assert shown.endswith("\x1b[?25h")  # the cursor is back


def test_before_the_first_trial_it_says_that_it_starts() -> None:
    live, _ = _watched()
    assert _drawn(live) == "starting\n"
