"""What does Ray add to a trial's seconds over a plain loop, and how soon does a worker start the next trial?"""

import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from datasets.pack import PackSettings, write_pack
from datasets.packed import open_pack
from datasets.smear import synthesize
from search.cluster.connection import connect, disconnect
from search.cluster.scoring_tasks import WorkerSetup
from search.engine.driver import run_search
from search.engine.run_directory import create_run
from search.engine.tune import Trainable, make_trainable
from search.records import read_records
from search.space.plan import Machine
from search.space.scale import SCALES, Protocol, TrialSetup
from search.space.space import Space
from search.task import Task
from search.trial.reporting import Verdict
from search.trial.store import LocalStore

N_IMAGES = 60
ROUNDS, EPOCHS = 3, 6  # the first epoch traces the training step and is left out
LONG = {"epochs": EPOCHS, "epoch_images": 192, "crop_px": 96, "crop": "random", "start": "near_identity"}
SHORT = {"epochs": 2, "epoch_images": 32, "crop_px": 48, "crop": "random", "start": "near_identity"}
N_SHORT, N_SLOTS = 12, 2
PROTOCOL = Protocol(n_monitored=6, monitor_px=96, n_scored=4)
RESULT = Path(__file__).resolve().parent / "results" / "overhead.json"


def space(fields: dict[str, Any], n_trials: int) -> Space:
    """Return a space of resnet trials that differ in their seeds alone."""
    axes = {"architecture": ("resnet",), "loss": ("mse",), "training_quality": (75,), "output_activation": ("none",)}
    return Space("overhead", {**axes, "seed": tuple(range(n_trials))}, fields=fields, stops_early=False)


def plain(pack: Path, folder: Path) -> list[float]:
    """Run the long trial in a loop of its own and return the seconds of each epoch."""
    from models.backend import prepare_backend
    from search.trial.trial import run_trial

    prepare_backend(1)
    task = _task(pack, space(LONG, 1), 1, Machine(1, 1))
    spec = task.make_spec(task.space.first_parameters()[0])
    record = run_trial(spec, open_pack(pack), LocalStore(folder), lambda progress: Verdict.GO_ON, TrialSetup(PROTOCOL))
    assert record is not None
    return [row["seconds"] or 0.0 for row in record.curve]


def in_ray(pack: Path, folder: Path) -> list[float]:
    """Run the long trial as a search of one slot and return the seconds of each epoch."""
    _search(pack, folder / "run", space(LONG, 1), n_slots=1)
    (record,) = (record for record in read_records(folder / "run") if record.spec.is_trained)
    return [row["seconds"] or 0.0 for row in record.curve]


def starts(pack: Path, folder: Path) -> list[list[Any]]:
    """Run many short trials and return what happened: process, "first batch" or "returned", time in s."""
    events = folder / "events"
    began = time.time()
    with patch(
        "search.engine.driver.make_trainable", lambda worker_setup, machine: _timed(worker_setup, machine, events)
    ):
        _search(pack, folder / "run", space(SHORT, N_SHORT), n_slots=N_SLOTS)
    return [[0, "began", began], *(json.loads(line) for line in events.read_text().splitlines())]


def _timed(worker_setup: WorkerSetup, machine: Machine, events: Path) -> Trainable:
    train_spec = make_trainable(worker_setup, machine)

    def tell(event: str) -> None:
        with events.open("a") as file:
            file.write(json.dumps([os.getpid(), event, time.time()]) + "\n")

    def timed(config: dict[str, Any]) -> None:
        import search.trial.trial

        batches = search.trial.trial.training_batches

        def told(*arguments: Any) -> Iterator[Any]:
            for place, batch in enumerate(batches(*arguments)):
                if place == 0 and arguments[3] == 1:
                    tell("first batch")
                yield batch

        with patch("search.trial.trial.training_batches", told):
            train_spec(config)
        tell("returned")

    return timed


def _search(pack: Path, run: Path, space: Space, n_slots: int) -> None:
    task = _task(pack, space, len(space.cells()), replace(connect(None), n_slots=n_slots, n_threads=1))
    create_run(run, task)
    run_search(run, task, say=lambda line: None)
    disconnect()


def _task(pack: Path, space: Space, n_trials: int, machine: Machine) -> Task:
    scale = replace(SCALES["demo"], protocol=PROTOCOL, n_finalists=1)
    return Task(space, scale, open_pack(pack), 0, machine, n_trials, "benchmarks/overhead.py", {"trials": None})


def _in_a_process(work: Callable[[Path, Path], Any], pack: Path) -> Any:
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (pack, Path(folder)))


def gaps(events: list[list[Any]]) -> tuple[list[float], list[float]]:
    """Return the seconds from a trial's return to its worker's next first batch, and those to each worker's first."""
    began = events[0][2]
    last: dict[int, float] = {}
    reused, fresh = [], []
    for process, event, moment in events[1:]:
        if event == "first batch":
            (reused if process in last else fresh).append(moment - last.get(process, began))
        last[process] = moment
    return reused, fresh


def main() -> None:
    """Measure, print and write benchmarks/results/overhead.json."""
    with tempfile.TemporaryDirectory() as folder:
        pack = Path(folder, "pack")
        write_pack(synthesize(N_IMAGES, 0), pack, PackSettings())
        ratios, epoch_s = [], []
        for number in range(ROUNDS):
            seconds = {work.__name__: sum(_in_a_process(work, pack)[1:]) for work in (plain, in_ray)}
            ratios.append(seconds["in_ray"] / seconds["plain"])
            epoch_s.append(seconds["plain"] / (EPOCHS - 1))
            print(f"round {number}: {ratios[-1]:.3f}, epochs of {epoch_s[-1]:.1f} s", flush=True)
        reused, fresh = gaps(_in_a_process(starts, pack))
    numbers = {
        "ray_over_plain": round(float(np.median(ratios)), 3),
        "ray_over_plain_of_each_round": [round(ratio, 3) for ratio in ratios],
        "epoch_s": round(float(np.median(epoch_s)), 2),
        "next_trial_after_s_median": round(float(np.median(reused)), 2),
        "next_trial_after_s_largest": round(max(reused), 2),
        "n_next_trials": len(reused),
        "fresh_worker_after_s_median": round(float(np.median(fresh)), 2),
    }
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {n: version(n) for n in ("ray", "keras", "tensorflow")},
        "settings": {"long": LONG, "n_rounds": ROUNDS, "short": SHORT, "n_short": N_SHORT, "n_slots": N_SLOTS},
        "numbers": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"a trial inside Ray takes {numbers['ray_over_plain']:.3f} of its seconds in a plain loop")
    print(f"from a trial's return to the worker's next first batch: median {numbers['next_trial_after_s_median']} s")
    print(f"to the first batch of a fresh worker: median {numbers['fresh_worker_after_s_median']} s")


if __name__ == "__main__":
    main()
