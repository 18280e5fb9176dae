"""What a user asked for, checked and completed: options become the task of a new run, or of one to go on with."""

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets.builtin import open_builtin
from datasets.codecs import why_missing
from datasets.encoders.compress import as_codec
from datasets.errors import InputError
from datasets.packed import PackedDataset, open_pack
from search.asked import CONTINUES, DEFAULT_SPACE, NARROWED, of_options, of_run, path_or_none
from search.cluster.connection import connect
from search.engine.mlflow_log import require_mlflow
from search.space.earlier import TO_RESUME, find_earlier, require_run
from search.space.perceptual import find_weights, weights_facts
from search.space.plan import Machine
from search.space.plugin import find_plugin, space_name
from search.space.scale import SCORED_QUALITIES, Scale, choose_scale
from search.space.space import Space
from search.task import Task

BUILTIN_FOLDER = Path("data")
MOST_SEED = 2**32 - 101  # NumPy's limit less a hundred: trials that confirm the best have the seeds that follow
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DEFAULTS = {"space": DEFAULT_SPACE, "scale": "auto", "seed": 0, "trials_per_gpu": 1}
COMPUTING = ("mixed_precision", "xla", "re_estimate_normalisation")
# For the life of a run.
FIXED = (
    *("space", "scale", "seed", "top", "epochs", "max_macs", "least_viewable_ssim"),
    *(*COMPUTING, *NARROWED, *CONTINUES),
)
# Of these, what runs of earlier versions do not remember.
LATER = {"re_estimate_normalisation": False, "epochs": None, "max_macs": None, "least_viewable_ssim": None}
CHANGEABLE = ("data", "vgg16_weights", "trials", "trials_per_gpu", "mirror")  # on --resume; remembered otherwise
# Of options.
LEAST = {"seed": 0, **dict.fromkeys(("trials", "epochs", "top", "trials_per_gpu", "min_nodes", "max_macs"), 1)}
LEAST_SIZE_PX = 48  # room for SSIM's 11 px window in the scored crop
TRIALS_PER_CELL = 2  # where neither --trials nor the scale says: each cell, and as many that Optuna chooses


def make_task(options: argparse.Namespace, command: str) -> Task:
    """Check every option, connect to Ray and return the task. Raises InputError."""
    facts = _recall(options) if options.resume else None
    plugin = find_plugin(options.plugin, options.resume or (options.from_run or [None])[0])
    if plugin and options.space is None and options.trial is None and options.more_epochs is None:
        options.space = space_name(plugin)
    for name, value in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    try:
        budget_s = _check_numbers(options)
        if options.mlflow:
            require_mlflow(options.mlflow)
        asked = replace(of_run(facts) if facts else of_options(options, plugin), plugin=plugin)
        choose_scale(options.scale, 0)
        if options.epochs and asked.space.says_epochs:
            raise ValueError(
                f"space {asked.space.name} says itself how many epochs its trials have: leave out --epochs"
            )
    except ValueError as error:
        raise InputError(str(error)) from error
    space, weights, left_out = find_weights(asked.space, path_or_none(options.vgg16_weights))
    pack = open_pack(Path(options.data)) if options.data else open_builtin(BUILTIN_FOLDER)
    _check_pack(pack)
    if asked.continuation:
        asked.continuation.check_data(pack.fingerprint)
    machine = connect(options.address, options.trials_per_gpu)
    computing = _computing(options, machine)
    scale, why = choose_scale(space.scale if options.scale == "auto" else options.scale, machine.n_gpus)
    if why:
        print(why)
    options.scale = scale.name
    names = (*FIXED, *CHANGEABLE)
    remembered = {name: _plain(getattr(options, name)) for name in names} | {"data": str(pack.folder.resolve())}
    task = Task(
        space=space,
        scale=scale,
        pack=pack,
        seed=options.seed,
        machine=machine,
        n_trials=_n_trials(space, scale, options.trials, budget_s, facts),
        command=command,
        options=remembered,
        budget_s=budget_s,
        computing=computing,
        vgg16_weights=weights,
        left_out=tuple(left_out or asked.left_out),
        continuation=asked.continuation,
        mirror=options.mirror,
        plugin=asked.plugin,
        max_macs=options.max_macs,
        least_viewable_ssim=options.least_viewable_ssim,
        began=options.began,
        reports=not options.no_report,
        mlflow=options.mlflow,
    )
    require_affordable(task)
    if not space.sampled:
        task = replace(task, n_trials=min(task.n_trials, len(task.first_parameters)))  # a cell is one trial
    if facts:
        _check_resumed(options.resume, task, facts)
    if options.epochs:
        task = task.with_epochs(options.epochs)
    elif not facts:
        task = task.within_budget()
    return task.starting_from(
        find_earlier(asked.earlier, space, task.make_spec, pack.fingerprint, options.least_viewable_ssim)
    )


def require_affordable(task: Task) -> None:
    """Raise InputError where a cell makes no trial, or its files cannot be written here, or --max-macs leaves none."""
    try:
        specs = [task.make_spec(first) for first in task.space.first_parameters()]
        costs = {spec.architecture: spec.macs_per_pixel for spec in specs}
        lacks = {str(spec.encoder): why_missing(as_codec(spec.family.middle)) for spec in specs if spec.family}
    except (ValueError, TypeError, LookupError) as error:
        raise InputError(f"space {task.space.name} has a cell of which no trial can be made: {error}") from error
    for encoder, lack in lacks.items():
        if lack:
            raise InputError(f"files of {encoder} cannot be written here: {lack}; install it on every node")
    if task.max_macs is not None and min(costs.values()) > task.max_macs:
        cheapest = min(costs, key=lambda name: costs[name])
        raise InputError(
            f"--max-macs {task.max_macs} leaves no network: the cheapest, {cheapest}, takes {costs[cheapest]} a pixel"
        )


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


def _recall(options: argparse.Namespace) -> dict[str, Any]:
    """Put the options of the run to resume in place of those not given, and return its facts.

    Raises InputError where an option says otherwise than the run does.
    """
    facts = require_run(options.resume, TO_RESUME)
    try:
        remembered = {**LATER, **facts["options"], "data": facts["dataset"]["path"]}
        remembered = {name: remembered[name] for name in (*FIXED, *CHANGEABLE)}
    except KeyError as error:
        raise InputError(
            f"{options.resume} was made by another version of lowq (its run.json has no {error}): start anew with "
            f"--from {shlex.quote(str(options.resume))}"
        ) from error
    for name in FIXED:
        given = _plain(getattr(options, name))
        is_given = given is not None and given is not False and given != "auto"
        if is_given and given != remembered[name]:
            option = "from" if name == "from_run" else name.replace("_", "-")
            anew = f"--from {shlex.quote(str(options.resume))}, which keeps the trials that fit"
            raise InputError(
                f"--{option} cannot change: {options.resume} was started with {_shown(remembered[name])}; leave it "
                f"out, or start a new run with {anew}"
            )
    for name, value in remembered.items():
        if name in FIXED or not getattr(options, name):
            setattr(options, name, value)
    return facts


def _check_numbers(options: argparse.Namespace) -> float | None:
    """Return the time budget in seconds, None without one. Raises ValueError."""
    for option, least in LEAST.items():
        value = getattr(options, option)
        if value is not None and value < least:
            raise ValueError(f"--{option.replace('_', '-')} must be {least} or more, got {value}")
    if options.seed is not None and options.seed > MOST_SEED:
        raise ValueError(f"--seed must be {MOST_SEED} or less, got {options.seed}")
    floor = options.least_viewable_ssim
    if floor is not None and not 0 < floor < 1:
        raise ValueError(f"--least-viewable-ssim must be between 0 and 1, got {floor:g}")
    return parse_duration(options.time_budget) if options.time_budget else None


def _check_pack(pack: PackedDataset) -> None:
    missing = [quality for quality in SCORED_QUALITIES if quality not in pack.qualities]
    if missing:
        raise InputError(
            f"{pack.folder} lacks JPEG quality {', '.join(map(str, missing))}, which every trial is scored at: "
            f"pack again with --qualities including {' '.join(map(str, SCORED_QUALITIES))}"
        )
    if pack.size_px < LEAST_SIZE_PX:
        raise InputError(f"{pack.folder} holds images of {pack.size_px} px, a search needs {LEAST_SIZE_PX} px or more")


def _check_resumed(run: Path, task: Task, facts: dict[str, Any]) -> None:
    """Raise InputError unless the data and VGG16's weights are those that the run was made with."""
    if task.pack.fingerprint != facts["dataset"]["fingerprint"]:
        raise InputError(f"{task.pack.folder} is not the data that {run} was made with: put that pack back")
    before, now = facts.get("vgg16_weights") or {}, weights_facts(task.vgg16_weights) or {}
    if now.get("sha256") != before.get("sha256"):
        lost = before.get("path", "none")
        raise InputError(f"VGG16's weights are not those that {run} was made with ({lost}): put these back")


def _computing(options: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    """Return the fields of every spec that say how it is computed. Raises InputError where there is no GPU for it."""
    asked = {"mixed-precision": options.mixed_precision, "xla": options.xla}
    for option, is_asked in asked.items():
        if is_asked and not machine.n_gpus:
            raise InputError(f"--{option} speeds up GPUs, and there is none here: leave it out")
    return {"precision": "mixed_float16" if options.mixed_precision else "float32", "xla": options.xla}


def _n_trials(
    space: Space, scale: Scale, asked: int | None, budget_s: float | None, facts: dict[str, Any] | None
) -> int:
    n_cells = len(space.cells())
    if not space.sampled:
        return min(asked or n_cells, n_cells)  # a cell is one trial
    if facts and not asked:
        return int(facts["n_trials"])
    return asked or space.n_trials or (scale.n_trials if budget_s is None else None) or TRIALS_PER_CELL * n_cells


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value.resolve()) if isinstance(value, Path) else value


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
