"""The command line of the search: what was asked for becomes a run, the run a report."""

import argparse
import io
import math
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from datasets.console import CLOSED_PIPE, INTERRUPTED, USER_ERROR, OneLineParser, drop
from datasets.errors import InputError, explain, printable
from search.asked import NARROWED
from search.cluster.connection import disconnect
from search.cluster.node_check import Check, check_nodes, without_bad_nodes
from search.cluster.placement import describe_unplaceable, require_placeable
from search.cluster.preflight import fault_table, node_table
from search.engine.driver import run_search
from search.engine.interrupt import interrupt, told_to_end
from search.engine.lock import locked
from search.engine.run_directory import create_run, note_resumed
from search.progress.live import LiveTable
from search.progress.log import Lines
from search.progress.scalars import Scalars
from search.records import RUN_FACTS, describe_left_out, read_records
from search.report import make_report
from search.request import make_task
from search.space.earlier import TO_RESUME, require_run
from search.space.scale import SCALES
from search.space.spaces import FINAL, SPACES
from search.space.spec import TrialStatus
from search.task import Task

RUNS_FOLDER = Path("runs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a search; a user's mistake is one line on standard error and exit code 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # names that are no UTF-8 can be printed
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    began = time.monotonic()
    told_to_end.clear()
    on_end = signal.signal(signal.SIGTERM, interrupt)
    try:
        options = _parser().parse_args(arguments, argparse.Namespace(began=began))
        return _main(options, shlex.join(["python", "search/run.py", *arguments]))
    except InputError as error:
        print(f"lowq: {getattr(error, 'cause', error)}", file=sys.stderr)  # from a worker it comes with a traceback
        return USER_ERROR
    except KeyboardInterrupt:
        print("lowq: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # such as of `| head`
        drop(sys.stdout)
        return CLOSED_PIPE
    except OSError as error:
        named = error.filename or getattr(getattr(error, "cause", None), "filename", None) or "a file"
        print(f"lowq: {printable(str(named))}: {explain(getattr(error, 'cause', error))}", file=sys.stderr)
        return USER_ERROR
    finally:
        disconnect()
        signal.signal(signal.SIGTERM, on_end)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python search/run.py", description="Search for the restorer, and for the quality.")
    parser.add_argument("--space", help=f"what is compared: {', '.join((*SPACES, FINAL))} (default: full)")
    parser.add_argument("--scale", help="how much: auto, demo, small, tiny or full (default: auto)")
    parser.add_argument("--data", type=Path, help="a pack; without one, built-in synthetic smears")
    parser.add_argument("--out", type=Path, help="the run directory to make (default: runs/TIME-SPACE)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was interrupted")
    parser.add_argument("--trials", type=int, help="how many trials")
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="the most a trial has (default: the scale's, or fewer that fit the budget)",
    )
    parser.add_argument(
        "--time-budget", metavar="TIME", help="no new epochs after this, from the command's start: 90s, 20m, 2h, 7d"
    )
    parser.add_argument("--max-macs", type=int, metavar="N", help="the most multiply-accumulates a pixel of a network")
    parser.add_argument(
        "--least-viewable-ssim",
        type=float,
        metavar="SSIM",
        help="what the mean SSIM of files that nobody restores must reach, for whoever views them without a restorer",
    )
    parser.add_argument("--seed", type=int, help="of everything that is drawn (default: 0)")
    parser.add_argument("--plugin", type=Path, metavar="FILE", help="a file of one's own networks, losses or space")
    parser.add_argument("--vgg16-weights", type=Path, metavar="FILE", help="of VGG16, for the perceptual loss")
    parser.add_argument("--mixed-precision", action="store_true", help="let GPUs compute in 16 bits")
    parser.add_argument("--xla", action="store_true", help="let XLA compile the training step, on GPUs")
    parser.add_argument(
        "--re-estimate-normalisation",
        action="store_true",
        help="judge batch normalisation by statistics taken anew, in a space that leaves them to move",
    )
    parser.add_argument(
        "--from", dest="from_run", type=Path, nargs="+", metavar="RUN", help="start from what earlier runs know"
    )
    parser.add_argument(
        "--top", type=int, metavar="K", help=f"how many of the best --space {FINAL} takes, or of each of --networks"
    )
    parser.add_argument("--trial", metavar="ID", help="the one trial of --from RUN to go on with")
    parser.add_argument("--more-epochs", type=int, metavar="N", help="how many epochs to go on with it")
    parser.add_argument("--trials-per-gpu", type=int, metavar="K", help="how many share a card (default: 1)")
    parser.add_argument("--address", help="a Ray cluster to join (default: RAY_ADDRESS, or start one here)")
    parser.add_argument(
        "--mirror", action="store_true", help="keep the study in RUN/study.db too, for optuna-dashboard"
    )
    parser.add_argument("--check-cluster", action="store_true", help="say what each node has and lacks, and stop")
    parser.add_argument("--min-nodes", type=int, metavar="N", help="go on without bad nodes when so many are fine")
    parser.add_argument("--quiet", action="store_true", help="no lines about trials that run as they should")
    parser.add_argument("--mlflow", metavar="URI", help="log trials to this MLflow tracking server too")
    parser.add_argument(
        "--no-report", action="store_true", help="leave codecs, gallery and report to a later --resume RUN"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    for option, axis in NARROWED.items():
        parser.add_argument(f"--{option}", nargs="+", metavar="NAME", help=f"only these values of {axis}")
    return parser


def _main(options: argparse.Namespace, command: str) -> int:
    if options.resume and options.out and options.out.resolve() != options.resume.resolve():
        raise InputError("--out names a run to make, --resume one to go on with: leave one of them out")
    if options.resume:
        require_run(options.resume, TO_RESUME)
        with locked(options.resume):
            return _plan(options, command)
    if options.out and options.out.exists() and not (options.out / RUN_FACTS).exists():
        raise InputError(f"{options.out} exists and is no run: name another with --out")
    if options.out and options.out.exists():
        resume = f"--resume {shlex.quote(str(options.out))}"
        raise InputError(f"{options.out} exists: continue it with {resume}, or name another with --out")
    return _plan(options, command)


def _plan(options: argparse.Namespace, command: str) -> int:
    """Say what is asked for and, unless that was all, do it."""
    task = make_task(options, command)
    print(_introduction(task), flush=True)
    if options.resume:
        ended = [record for record in read_records(options.resume) if record.has_ended and record.spec.is_trained]
        n_failed = sum(record.status is TrialStatus.FAILED for record in ended)
        anew = f"mend that and give --from {shlex.quote(str(options.resume))}"
        failed = f", {n_failed} of them failed by themselves and are not tried again: {anew}" if n_failed else ""
        print(f"{len(ended)} of these trials have ended already{failed}", flush=True)
    if options.check_cluster:
        return _show_nodes(check_nodes(task))
    if options.dry_run:
        for line in describe_unplaceable(task.smallest_specs, task.machine):
            print(f"can never be placed: {line}")
        return 0
    require_placeable(task.smallest_specs, task.machine)
    check = check_nodes(task)
    if check.faults and (options.min_nodes or not check.n_fatal):
        print(fault_table(check.faults), flush=True)
    task = without_bad_nodes(task, check, options.min_nodes)
    require_placeable(task.smallest_specs, task.machine)
    if options.resume:
        run = options.resume.resolve()
        changes = note_resumed(run, task)
        if changes:
            print(f"versions have changed since the last sitting: {', '.join(changes)}", flush=True)
        return _search(run, task, options)
    run = (options.out or _unused(RUNS_FOLDER / time.strftime(f"%Y%m%d-%H%M%S-{task.space.name}"))).resolve()
    create_run(run, task)
    with locked(run):
        return _search(run, task, options)


def _unused(run: Path) -> Path:
    """Return a run directory's name, with a number where another search had it in the same second."""
    names = (run, *(run.with_name(f"{run.name}-{number}") for number in range(2, 100)))
    return next((name for name in names if not name.exists()), run)


def _show_nodes(check: Check) -> int:
    print(node_table(check.nodes))
    print(f"\n{fault_table(check.faults) if check.faults else 'all nodes are fine'}")
    return USER_ERROR if check.n_fatal else 0


def _search(run: Path, task: Task, options: argparse.Namespace) -> int:
    """Search and report; where that was interrupted, say how to go on."""
    print(f"run: {run}", flush=True)
    code = None
    try:
        if _run(run, task, options.quiet) and not told_to_end.is_set():
            disconnect()
            code = 0 if options.no_report else make_report(run)
    except KeyboardInterrupt:
        pass
    if code is None:
        name = shlex.quote(str(run))
        print(
            f"lowq: interrupted; what ended is safe: `python -m analysis {name}` reads it, --resume {name} goes on",
            file=sys.stderr,
        )
        return INTERRUPTED
    return code or _judge(run)


def _run(run: Path, task: Task, quiet: bool) -> bool:
    """Run the trials, and show them; True when the search came to its end."""
    scalars = Scalars(run / "logs" / "tensorboard")
    if not quiet and sys.stdout and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        with LiveTable() as live:
            return run_search(run, task, (live, scalars), live.say)
    return run_search(run, task, (Lines(_print, quiet), scalars), _no_print if quiet else _print)


def _judge(run: Path) -> int:
    """Say which trials failed; 1 where all of them did."""
    trained = [record for record in read_records(run) if record.spec.is_trained]
    failed = [record for record in trained if record.status is TrialStatus.FAILED]
    again = [record for record in failed if record.is_outside]
    if again:
        resume = f"--resume {shlex.quote(str(run))} tries them again"
        print(
            f"lowq: {len(again)} trials failed for reasons outside of them ({again[0].error}): {resume}",
            file=sys.stderr,
        )
    if trained and len(failed) == len(trained):
        print(f"lowq: every trial failed: {failed[0].error}", file=sys.stderr)
        return 1
    return 0


def _print(line: str) -> None:
    """Print a line; where nobody listens any more, the search goes on all the same."""
    try:
        print(line, flush=True)
    except OSError:
        drop(sys.stdout)


def _no_print(line: str) -> None: ...


def _introduction(task: Task) -> str:
    pack, machine = task.pack, task.machine
    on = f"{machine.n_gpus:g} GPU" if machine.n_gpus else f"CPU, {machine.n_threads} thread(s) each"
    if machine.n_without_gpu:
        on += f"; {machine.n_without_gpu} nodes without a card only score"
    return (
        f"data: {pack.manifest['description']}, {pack.size_px} px, {pack.folder}\n"
        f"space {task.space.name}, scale {task.scale.name}, {machine.n_slots} trial(s) at a time on {on}\n"
        f"{task.plan.describe()}"
        + (f"\n{_screening(task)}" if task.space.screens else "")
        + "".join(f"\n{line}" for line in task.earlier.describe())
        + "".join(f"\n{describe_left_out(item)} ({item['cause']})" for item in task.left_out)
        + (f"\ntime budget: {_budget(task)}" if task.budget_s else "")
    )


def _screening(task: Task) -> str:
    space = task.space
    return (
        f"first {space.n_screened} encoders are tried with the linear filter; the trials are of the best {space.n_kept}"
    )


def _budget(task: Task) -> str:
    after = f"scoring and the report take about {math.ceil(task.plan.finish_s / 60)} min more"
    budget_s = task.budget_s or 0
    budget = f"{budget_s / 60:g} min" if budget_s >= 60 else f"{budget_s:g} s"
    usual, epochs = SCALES[task.scale.name].fields["epochs"], task.scale.fields["epochs"]
    shorter = f"; {epochs} epochs a trial, not {usual}, so that some are trained to their end" if epochs < usual else ""
    return f"no new epoch later than {budget} after the start; {after}{shorter}"
