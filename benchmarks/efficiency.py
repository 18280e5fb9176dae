"""How many epochs does our search need to find the best network, and to fill every table, beside its rivals?

It replays benchmarks/results/replay.jsonl, a real exhaustive run, with the real searcher and stopping rule.
"""

import json
import logging
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import optuna
from replay import AXES, COMPARED, EPOCHS, SPEEDS, Ask, Cell, Recorded, read_recorded, simulate

from search.engine.early_stopping import METRIC, Rungs
from search.engine.searcher import LowqSearch
from search.records import TrialRecord
from search.space.spaces import Space
from search.space.spec import TrialStatus

N_SEEDS = 20
WITHIN_DB = 0.05
USUAL_RATE = 1e-3
GRACE, REDUCTION = 2, 3  # ours
OTHERS = ((1, 3), (2, 2), (3, 3), (2, 4))
RECORDED = Path(__file__).resolve().parent / "results" / "replay.jsonl"
RESULT = RECORDED.with_name("efficiency.json")


@dataclass(frozen=True)
class ReplaySpec:
    """A cell, named as LowqSearch wants a spec to be."""

    family: str
    width: int
    depth: int
    loss: str
    training_quality: int | str
    learning_rate: float = USUAL_RATE

    @property
    def cell(self) -> Cell:
        return tuple(vars(self).values())

    @property
    def trial_id(self) -> str:
        return "-".join(map(str, self.cell))


def _make_spec(parameters: dict[str, Any]) -> ReplaySpec:
    return ReplaySpec(**parameters)


class Asha:
    """Our stopping rule without a checkpoint store to tell."""

    def __init__(self, grace: int, reduction: int) -> None:
        self.rungs = Rungs(grace, reduction, EPOCHS)

    def goes_on(self, key: str, epoch: int, best_db: float) -> bool:
        return not self.rungs.is_weak(key, epoch, -best_db)


class Ours:
    """LowqSearch over the compared axes, the learning rate sampled, and ASHA."""

    def __init__(self, recorded: Recorded, seed: int, grace: int = GRACE, reduction: int = REDUCTION) -> None:
        axes = {name: AXES[name] for name in COMPARED}
        space = Space("replay", axes, sampled={"learning_rate": AXES["learning_rate"]})
        self.last: dict[str, tuple[int, float]] = {}
        self.n = 0
        self.asha = Asha(grace, reduction)
        make_spec: Any = _make_spec
        self.searcher = LowqSearch(space, make_spec, self, seed, len(recorded.best))
        self.searcher.continue_from([], [])

    def propose(self) -> Ask | None:
        self.n += 1
        drawn = self.searcher.suggest(f"t{self.n}")
        if not isinstance(drawn, dict):
            return None
        return Ask(f"t{self.n}", tuple(getattr(drawn["spec"], name) for name in AXES))

    def reported(self, ask: Ask, epoch: int, best_db: float) -> bool:
        self.searcher.on_trial_result(ask.key, {METRIC: -best_db, "epoch": epoch})
        return self.asha.goes_on(ask.key, epoch, best_db)

    def ended(self, ask: Ask, epoch: int, best_db: float) -> None:
        self.last[ReplaySpec(*ask.cell).trial_id] = (epoch, best_db)
        self.searcher.on_trial_complete(ask.key, {})

    # What the searcher asks: lower is better there, so a gain counts as its negative.

    def announce(self, spec: Any) -> bool:
        return True

    def settle(self, spec: Any, crashed: bool) -> TrialRecord:
        epoch, best_db = self.last[spec.trial_id]
        status = TrialStatus.COMPLETED if epoch == EPOCHS else TrialStatus.STOPPED
        return TrialRecord(spec, status, epoch, best_db, best_db, 0.0, 0.0, bytes_at_parity=-best_db)

    def is_held(self, spec: Any) -> bool:
        return False

    def confirmations(self, n_left: int) -> tuple[Any, ...] | None:
        return None if n_left else ()


class Plain:
    """Whole trainings only; a subclass says which."""

    def reported(self, ask: Ask, epoch: int, best_db: float) -> bool:
        return True

    def ended(self, ask: Ask, epoch: int, best_db: float) -> None:
        pass


class Grid(Plain):
    """Every cell once, in an order; shuffled, it is random search that repeats nothing."""

    def __init__(self, recorded: Recorded, seed: int | None) -> None:
        self.cells = list(recorded.best)
        if seed is not None:
            np.random.default_rng(seed).shuffle(self.cells)  # type: ignore[arg-type]

    def propose(self) -> Ask | None:
        return Ask("", tuple(self.cells.pop(0))) if self.cells else None


class RandomAsha(Grid):
    """Random cells, stopped as ours are."""

    def __init__(self, recorded: Recorded, seed: int) -> None:
        super().__init__(recorded, seed)
        self.asha = Asha(GRACE, REDUCTION)

    def reported(self, ask: Ask, epoch: int, best_db: float) -> bool:
        return self.asha.goes_on(str(ask.cell), epoch, best_db)


class Tpe(Plain):
    """Optuna's TPE as it comes."""

    def __init__(self, recorded: Recorded, seed: int) -> None:
        self.study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), direction="maximize")
        self.trials: dict[str, optuna.Trial] = {}

    def propose(self) -> Ask | None:
        trial = self.study.ask()
        key = str(trial.number)
        self.trials[key] = trial
        return Ask(key, tuple(trial.suggest_categorical(name, values) for name, values in AXES.items()))

    def ended(self, ask: Ask, epoch: int, best_db: float) -> None:
        self.study.tell(self.trials.pop(ask.key), best_db)


class Hyperband(Plain):
    """KerasTuner's Hyperband, which goes on with the best of a round from where they were."""

    def __init__(self, recorded: Recorded, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        space = keras_tuner.HyperParameters()
        for name, values in AXES.items():
            space.Choice(name, list(range(len(values))))
        self.oracle = keras_tuner.oracles.HyperbandOracle(
            objective=keras_tuner.Objective("gain", "max"),
            max_epochs=EPOCHS,
            factor=3,
            hyperband_iterations=10_000,
            seed=seed,
            hyperparameters=space,
        )
        self.oracle.verbose = 0
        self.oracle._set_project_dir(self.folder.name, "replay")
        self.n = 0
        self.trials: dict[str, Any] = {}

    def propose(self) -> Ask | None:
        self.n += 1
        trial = self.oracle.create_trial(f"tuner{self.n}")
        if trial.status != "RUNNING":
            return None
        self.trials[trial.trial_id] = trial
        values = trial.hyperparameters.values
        cell = tuple(choices[values[name]] for name, choices in AXES.items())
        return Ask(trial.trial_id, cell, values.get("tuner/initial_epoch", 0) + 1, values["tuner/epochs"])

    def ended(self, ask: Ask, epoch: int, best_db: float) -> None:
        trial = self.trials.pop(ask.key)
        self.oracle.update_trial(ask.key, {"gain": best_db}, step=epoch)
        trial.status = "COMPLETED"
        self.oracle.end_trial(trial)


def run(make: Callable[[int], Any], recorded: Recorded) -> dict[str, Any]:
    """Simulate a strategy with every seed; epochs as shares of the exhaustive grid's."""
    outcomes = [simulate(make(seed), recorded, WITHIN_DB, recorded.n_epochs) for seed in range(N_SEEDS)]
    return {
        "reached": _shares([outcome.reached for outcome in outcomes], recorded),
        "every_table_cell": _shares([outcome.full for outcome in outcomes], recorded),
        "table_cells_filled_median": round(float(np.median([outcome.filled for outcome in outcomes])), 3),
    }


def _shares(epochs: list[int | None], recorded: Recorded) -> dict[str, float]:
    shares = [np.inf if number is None else number / recorded.n_epochs for number in epochs]
    low, median, high = np.quantile(shares, (0.1, 0.5, 0.9), method="nearest")
    told = {"p10": low, "median": median, "p90": high}
    return {name: (round(float(share), 4) if np.isfinite(share) else None) for name, share in told.items()} | {
        "n_seeds_never": sum(number is None for number in epochs)
    }


def main() -> None:
    """Replay, print and write benchmarks/results/efficiency.json."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("ray").setLevel(logging.ERROR)
    recorded = read_recorded(RECORDED)
    finals = np.array([curve[-1] for curve in recorded.best.values()])
    table = {
        "n_cells": len(recorded.best),
        "n_table_cells": len(recorded.tables),
        "n_epochs_of_the_grid": recorded.n_epochs,
        "best_db": round(float(finals.max()), 3),
        "median_db": round(float(np.median(finals)), 3),
        "worst_db": round(float(finals.min()), 3),
        "noise_between_seeds_db": round(recorded.noise_db, 3),
        "n_cells_within": int((finals >= finals.max() - WITHIN_DB).sum()),
        "seconds_a_cell": round(float(np.median(list(recorded.seconds.values()))), 1),
    }
    print(json.dumps(table, indent=1))
    strategies: dict[str, Callable[[int], Any]] = {
        f"ours (grace {GRACE}, reduction {REDUCTION})": lambda seed: Ours(recorded, seed),
        **{
            f"ours (grace {grace}, reduction {reduction})": (
                lambda seed, grace=grace, reduction=reduction: Ours(recorded, seed, grace, reduction)
            )
            for grace, reduction in OTHERS
        },
        "random cells with our stopping": lambda seed: RandomAsha(recorded, seed),
        "random search": lambda seed: Grid(recorded, seed),
        "TPE": lambda seed: Tpe(recorded, seed),
        "KerasTuner's Hyperband": lambda seed: Hyperband(recorded, seed),
        "exhaustive grid": lambda seed: Grid(recorded, None),
    }
    numbers = {}
    for name, make in strategies.items():
        numbers[name] = run(make, recorded)
        print(f"{name}: {numbers[name]}", flush=True)
    packages = ("ray", "optuna", "keras-tuner")
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "settings": {"n_seeds": N_SEEDS, "within_db": WITHIN_DB, "speeds": SPEEDS, "epochs": EPOCHS},
        "table": table,
        "shares_of_the_grids_epochs": numbers,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
