"""The command line of the search: options become a checked and planned task, the task a run, the run a report."""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets.builtin import open_builtin
from datasets.cli import OneLineParser
from datasets.errors import InputError
from datasets.packed import PackedDataset, open_pack
from search.cluster import connect, disconnect
from search.driver import Task, create_run, run_search
from search.records import read_run_facts
from search.scale import SCORED_QUALITIES, Scale, choose_scale
from search.spaces import Space, find_space

USER_ERROR, INTERRUPTED = 2, 130
BUILTIN_FOLDER, RUNS_FOLDER = Path("data"), Path("runs")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
NARROWED = {  # option -> axis
    "networks": "architecture",
    "losses": "loss",
    "qualities": "training_quality",
    "activations": "output_activation",
}
REMEMBERED = ("space", "scale", "data", "seed", "trials", *NARROWED)  # by a run, for --resume
LEAST_SIZE_PX = 48  # room for SSIM's 11 px window in the scored crop
TRIALS_PER_CELL = 2  # where neither --trials nor the scale says: each cell, and as many that Optuna chooses


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a search; a user's mistake is one line on standard error and exit code 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _main(_parser().parse_args(arguments), shlex.join(["python", "search/run.py", *arguments]))
    except InputError as error:
        print(f"lowq: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("lowq: interrupted", file=sys.stderr)
        return INTERRUPTED
    finally:
        disconnect()


def parse_duration(text: str) -> float:
    """Return seconds: "90s", "20m", "2h", "7d" or plain seconds. Raises ValueError for anything else."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS_S else (text, "s")
    try:
        seconds = float(number) * UNITS_S[unit]
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise ValueError(f"a duration is a number and a unit, such as 90s, 20m, 2h or 7d, got {text!r}")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python search/run.py", description="Search for the restorer, and for the quality.")
    parser.add_argument("--space", default="full", help="what is compared: full or smoke (default: full)")
    parser.add_argument("--scale", default="auto", help="how much: auto, demo, tiny or full (default: auto)")
    parser.add_argument("--data", type=Path, help="a pack; without one, built-in synthetic smears")
    parser.add_argument("--out", type=Path, help="the run directory to make (default: runs/TIME-SPACE)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was interrupted")
    parser.add_argument("--trials", type=int, help="how many trials")
    parser.add_argument("--time-budget", metavar="TIME", help="no new epochs after this: 90s, 20m, 2h, 7d")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--address", help="a Ray cluster to join (default: RAY_ADDRESS, or start one here)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    for option, axis in NARROWED.items():
        parser.add_argument(f"--{option}", nargs="+", metavar="NAME", help=f"only these values of {axis}")
    return parser


def _main(options: argparse.Namespace, command: str) -> int:
    if options.resume:
        _recall(options)
    elif options.out and options.out.exists():
        raise InputError(f"{options.out} exists: continue it with --resume {options.out}, or name another with --out")
    task = _checked_task(options, command)
    if options.resume and task.pack.fingerprint != options.fingerprint:
        raise InputError(f"{task.pack.folder} is not the data that {options.resume} was made with: put that pack back")
    print(_introduction(task), flush=True)
    if options.dry_run:
        return 0
    run = options.resume or options.out or RUNS_FOLDER / time.strftime(f"%Y%m%d-%H%M%S-{task.space.name}")
    run = run.resolve()
    if not options.resume:
        create_run(run, task)
    print(f"run: {run}", flush=True)
    try:
        finished = run_search(run, task, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        finished = False
    if not finished:
        print(
            f"lowq: interrupted; what ended is safe: `python -m analysis {run}` reads it, --resume {run} goes on",
            file=sys.stderr,
        )
        return INTERRUPTED
    disconnect()
    return subprocess.run([sys.executable, "-m", "analysis", str(run)], check=False).returncode


def _recall(options: argparse.Namespace) -> None:
    """Put the options of the run to resume in place of those not given; more --trials may be asked for."""
    try:
        facts = read_run_facts(options.resume)
    except (FileNotFoundError, ValueError) as error:
        raise InputError(str(error)) from error
    for name in REMEMBERED:
        if not (name == "trials" and options.trials is not None):
            setattr(options, name, facts["options"][name])
    options.data, options.fingerprint = facts["dataset"]["path"], facts["dataset"]["fingerprint"]


def _checked_task(options: argparse.Namespace, command: str) -> Task:
    """Check every option, connect to Ray and plan. Raises InputError."""
    try:
        space = find_space(options.space)
        for option, axis in NARROWED.items():
            space = space.narrowed(axis, _values(axis, getattr(options, option)))
        choose_scale(options.scale, 0)
        budget_s = parse_duration(options.time_budget) if options.time_budget else None
        if options.trials is not None and options.trials < 1:
            raise ValueError(f"--trials must be 1 or more, got {options.trials}")
        if options.seed < 0:
            raise ValueError(f"--seed must be 0 or more, got {options.seed}")
    except ValueError as error:
        raise InputError(str(error)) from error
    pack = open_pack(Path(options.data)) if options.data else open_builtin(BUILTIN_FOLDER)
    _check_pack(pack)
    machine = connect(options.address)
    scale, why = choose_scale(options.scale, machine.n_gpus)
    if why:
        print(why)
    options.scale = scale.name
    remembered = {name: getattr(options, name) for name in REMEMBERED} | {"data": str(pack.folder.resolve())}
    n_trials = _n_trials(space, scale, options.trials, budget_s)
    return Task(space, scale, pack, options.seed, machine, n_trials, command, remembered, budget_s)


def _n_trials(space: Space, scale: Scale, asked: int | None, budget_s: float | None) -> int:
    n_cells = len(space.cells())
    n_trials = asked or (scale.n_trials if budget_s is None else None) or TRIALS_PER_CELL * n_cells
    return n_trials if space.learning_rates else min(n_trials, n_cells)  # a cell without nuisance values is one trial


def _values(axis: str, names: Sequence[str] | None) -> list[Any] | None:
    if names is None or axis != "training_quality":
        return None if names is None else list(names)
    return [int(name) if name.isdigit() else name for name in names]


def _check_pack(pack: PackedDataset) -> None:
    missing = [quality for quality in SCORED_QUALITIES if quality not in pack.qualities]
    if missing:
        raise InputError(
            f"{pack.folder} lacks JPEG quality {', '.join(map(str, missing))}, which every trial is scored at: "
            f"pack again with --qualities including {' '.join(map(str, SCORED_QUALITIES))}"
        )
    if pack.size_px < LEAST_SIZE_PX:
        raise InputError(f"{pack.folder} holds images of {pack.size_px} px, a search needs {LEAST_SIZE_PX} px or more")


def _introduction(task: Task) -> str:
    pack, machine = task.pack, task.machine
    on = f"{machine.n_gpus:g} GPU" if machine.n_gpus else f"CPU, {machine.n_threads} thread(s) each"
    return (
        f"data: {pack.manifest['description']}, {pack.size_px} px, {pack.folder}\n"
        f"space {task.space.name}, scale {task.scale.name}, {machine.n_slots} trial(s) at a time on {on}\n"
        f"{task.plan.describe()}"
        + (f"\ntime budget: no new epoch after {task.budget_s / 60:g} min" if task.budget_s else "")
    )
