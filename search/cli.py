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
from search.continuation import Continuation, find_continuation
from search.driver import Task, create_run, run_search
from search.perceptual import find_weights, weights_facts
from search.placement import require_placeable
from search.plan import Machine
from search.records import describe_left_out, read_run_facts
from search.scale import SCORED_QUALITIES, Scale, choose_scale
from search.spaces import SPACES, Space, find_space

USER_ERROR, INTERRUPTED = 2, 130
BUILTIN_FOLDER, RUNS_FOLDER = Path("data"), Path("runs")
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
NARROWED = {  # option -> axis
    "networks": "architecture",
    "losses": "loss",
    "qualities": "training_quality",
    "activations": "output_activation",
}
CONTINUES = ("from_run", "trial", "more_epochs")  # belong together
REMEMBERED = (  # by a run, for --resume
    *("space", "scale", "data", "seed", "trials", "vgg16_weights", "mixed_precision", "xla"),
    *(*NARROWED, *CONTINUES),
)
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
    parser.add_argument("--space", default="full", help=f"what is compared: {', '.join(SPACES)} (default: full)")
    parser.add_argument("--scale", default="auto", help="how much: auto, demo, tiny or full (default: auto)")
    parser.add_argument("--data", type=Path, help="a pack; without one, built-in synthetic smears")
    parser.add_argument("--out", type=Path, help="the run directory to make (default: runs/TIME-SPACE)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was interrupted")
    parser.add_argument("--trials", type=int, help="how many trials")
    parser.add_argument("--time-budget", metavar="TIME", help="no new epochs after this: 90s, 20m, 2h, 7d")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vgg16-weights", type=Path, metavar="FILE", help="of VGG16, for the perceptual loss")
    parser.add_argument("--mixed-precision", action="store_true", help="let GPUs compute in 16 bits")
    parser.add_argument("--xla", action="store_true", help="let XLA compile the training step, on GPUs")
    parser.add_argument("--from", dest="from_run", type=Path, metavar="RUN", help="a run to take a trial from")
    parser.add_argument("--trial", metavar="ID", help="the trial of that run to go on with")
    parser.add_argument("--more-epochs", type=int, metavar="N", help="how many epochs to go on for")
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
    if options.resume:
        _check_resumed(options, task)
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
    options.data, options.facts = facts["dataset"]["path"], facts


def _check_resumed(options: argparse.Namespace, task: Task) -> None:
    """Raise InputError unless the data and VGG16's weights are those that the run was made with."""
    if task.pack.fingerprint != options.facts["dataset"]["fingerprint"]:
        raise InputError(f"{task.pack.folder} is not the data that {options.resume} was made with: put that pack back")
    if weights_facts(task.vgg16_weights) != options.facts["vgg16_weights"]:
        raise InputError(f"{task.vgg16_weights} is not the file that {options.resume} was made with: put that one back")


def _checked_task(options: argparse.Namespace, command: str) -> Task:
    """Check every option, connect to Ray and plan. Raises InputError."""
    try:
        continuation = _continuation(options)
        space = _space(options, continuation)
        choose_scale(options.scale, 0)
        budget_s = parse_duration(options.time_budget) if options.time_budget else None
        if options.trials is not None and options.trials < 1:
            raise ValueError(f"--trials must be 1 or more, got {options.trials}")
        if options.seed < 0:
            raise ValueError(f"--seed must be 0 or more, got {options.seed}")
    except ValueError as error:
        raise InputError(str(error)) from error
    space, weights, left_out = find_weights(space, _path(options.vgg16_weights))
    if left_out:
        options.losses = list(space.axes["loss"])
    elif options.resume:
        left_out = options.facts["left_out"]
    pack = open_pack(Path(options.data)) if options.data else open_builtin(BUILTIN_FOLDER)
    _check_pack(pack)
    if continuation:
        continuation.check_data(pack.fingerprint)
    machine = connect(options.address)
    computing = _computing(options, machine)
    scale, why = choose_scale(space.scale if options.scale == "auto" else options.scale, machine.n_gpus)
    if why:
        print(why)
    options.scale = scale.name
    remembered = {name: _plain(getattr(options, name)) for name in REMEMBERED} | {"data": str(pack.folder.resolve())}
    n_trials = _n_trials(space, scale, options.trials, budget_s)
    task = Task(
        space=space,
        scale=scale,
        pack=pack,
        seed=options.seed,
        machine=machine,
        n_trials=n_trials,
        command=command,
        options=remembered,
        budget_s=budget_s,
        computing=computing,
        vgg16_weights=weights,
        left_out=tuple(left_out),
        continuation=continuation,
    )
    require_placeable(task.largest_specs, machine)
    return task


def _continuation(options: argparse.Namespace) -> Continuation | None:
    """Return what --from, --trial and --more-epochs ask for, and take the rest of what that run was asked for."""
    given = [name for name in CONTINUES if getattr(options, name) is not None]
    if not given:
        return None
    if len(given) < len(CONTINUES):
        raise InputError("--from RUN, --trial ID and --more-epochs N belong together: give all three")
    if options.space != "full" or any(getattr(options, option) for option in NARROWED):
        raise InputError("--from goes on with one trial as it is: leave out --space and what narrows it")
    continuation = find_continuation(Path(options.from_run), options.trial, options.more_epochs)
    options.scale, options.seed = continuation.options["scale"], continuation.child.seed
    options.data = options.data or continuation.options["data"]
    options.vgg16_weights = options.vgg16_weights or _path(continuation.options["vgg16_weights"])
    return continuation


def _space(options: argparse.Namespace, continuation: Continuation | None) -> Space:
    if continuation:
        return continuation.space
    space = find_space(options.space)
    for option, axis in NARROWED.items():
        space = space.narrowed(axis, _values(axis, getattr(options, option)))
    return space


def _computing(options: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    """Return the fields of every spec that say how it is computed. Raises InputError where there is no GPU for it."""
    asked = {"mixed-precision": options.mixed_precision, "xla": options.xla}
    for option, is_asked in asked.items():
        if is_asked and not machine.n_gpus:
            raise InputError(f"--{option} speeds up GPUs, and there is none here: leave it out")
    return {"precision": "mixed_float16" if options.mixed_precision else "float32", "xla": options.xla}


def _path(name: str | Path | None) -> Path | None:
    return Path(name) if name else None


def _plain(value: Any) -> Any:
    return str(value.resolve()) if isinstance(value, Path) else value


def _n_trials(space: Space, scale: Scale, asked: int | None, budget_s: float | None) -> int:
    n_cells = len(space.cells())
    if not space.sampled:
        return min(asked or n_cells, n_cells)  # a cell is one trial
    return asked or (scale.n_trials if budget_s is None else None) or TRIALS_PER_CELL * n_cells


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
        + "".join(f"\n{describe_left_out(item)} ({item['cause']})" for item in task.left_out)
        + (f"\ntime budget: no new epoch after {task.budget_s / 60:g} min" if task.budget_s else "")
    )
