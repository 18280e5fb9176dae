"""How many epochs does our search need to find the best, and to try every cell of the tables, beside its rivals?

It replays benchmarks/results/replay.jsonl, a real exhaustive run, with the searcher and the stopping rule of
search/engine. KerasTuner and Syne Tune are the published packages. Arguments: what to measure, all without any.
"""

import json
import logging
import os
import platform
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import optuna
from replay import SPEEDS, Recorded, Strategy, read_recorded, simulate
from replay_ours import Ours, Variant
from replay_rivals import Grid, RandomAsha, TpeAsha
from scipy import stats

from search.engine import searcher, surrogate
from search.engine.early_stopping import Brackets, Rungs
from search.space.spec import TrialSpec

N_SEEDS = 60
N_SEEDS_TO_FILL = 3  # for the tables, which take longer
GRACE, REDUCTION = 2, 3
MOST = 0.15  # of the grid's epochs, for finding; more is counted as never
MOST_TO_FILL = 0.5
RECORDED = Path(__file__).resolve().parent / "results" / "replay.jsonl"
RESULT = RECORDED.with_name("efficiency.json")
Make = Callable[[Recorded, int], Strategy]
OURS: Make = lambda recorded, seed: Ours(recorded, seed, Variant(GRACE, REDUCTION))  # noqa: E731
PLAIN: dict[str, Make] = {
    "ours": OURS,
    "random cells, our rungs": partial(RandomAsha, grace=GRACE, reduction=REDUCTION),
    "TPE, our rungs": partial(TpeAsha, grace=GRACE, reduction=REDUCTION),
    "random search": Grid,
    "grid": lambda recorded, seed: Grid(recorded),
}
PACKAGES = ("KerasTuner Hyperband", "Syne Tune ASHA", "Syne Tune BOHB", "Syne Tune ASHA with CQR")
NEVER = 10**9  # every so many proposals


def packages() -> dict[str, Make]:
    """Return the published packages' ways to search, which load TensorFlow."""
    from replay_packages import SYNE_TUNE, Hyperband, SyneTune

    makes: list[Make] = [Hyperband, *(partial(SyneTune, scheduler=scheduler) for scheduler in SYNE_TUNE)]
    return dict(zip(PACKAGES, makes, strict=True))


def changes() -> dict[str, dict[tuple[Any, str], Any]]:
    """Return what our search is without an ingredient, or with another: (module, constant) -> value."""

    def by_network(brackets: Brackets, spec: TrialSpec) -> Rungs:
        return brackets.rungs.setdefault(spec.architecture, brackets.make())

    return {
        "no cells in turn": {(searcher, "CELL_EVERY"): NEVER},
        "no surrogate, what is drawn by chance": {(searcher, "sample"): lambda tried, ranks, drawn, rng: [0.0]},
        "no effects of pairs": {(surrogate, "POWER"): 1},
        "the posterior's whole spread": {(surrogate, "SPREAD"): 1.0},
        "no spread": {(surrogate, "SPREAD"): 0.0},
        "a bracket for each network": {(Brackets, "of"): by_network},
        "nothing is stopped": {(Rungs, "is_weak"): lambda self, name, epoch, best: False},
    }


def found(make: Make, recorded: Recorded) -> dict[str, Any]:
    """Return what share of the grid's epochs passes until a target was trained to its end, over the seeds."""
    most = int(MOST * recorded.n_epochs)
    epochs = [simulate(make(recorded, seed), recorded, seed, (), most).found for seed in range(N_SEEDS)]
    return _shares(epochs, recorded)


def filled(make: Make, recorded: Recorded) -> dict[str, Any]:
    """Return what share passes until every cell of the tables had come to the first rung."""
    most = int(MOST_TO_FILL * recorded.n_epochs)
    seeds = range(N_SEEDS_TO_FILL)
    outcomes = [simulate(make(recorded, seed), recorded, seed, (GRACE,), most) for seed in seeds]
    return _shares([outcome.filled.get(GRACE) for outcome in outcomes], recorded)


def _shares(epochs: list[int | None], recorded: Recorded) -> dict[str, Any]:
    shares = [np.inf if number is None else number / recorded.n_epochs for number in epochs]
    quantiles = np.quantile(shares, (0.1, 0.5, 0.9), method="nearest")
    told = [round(float(share), 4) if np.isfinite(share) else None for share in quantiles]
    return dict(zip(("p10", "median", "p90"), told, strict=True)) | {
        "n_never": sum(number is None for number in epochs)
    }


def described(recorded: Recorded) -> dict[str, Any]:
    """Return what the record holds."""
    finals = [curves[0].best[-1] for curves in recorded.curves.values()]
    rungs = [epoch for epoch in (GRACE, GRACE * REDUCTION, GRACE * REDUCTION**2) if epoch < recorded.epochs]
    return {
        "n_cells": len(recorded.curves),
        "n_table_cells": len(recorded.tables),
        "n_cells_of_several_seeds": sum(len(curves) > 1 for curves in recorded.curves.values()),
        "epochs": recorded.epochs,
        "n_epochs_of_the_grid": recorded.n_epochs,
        "best_median_worst": [round(float(share), 4) for share in np.quantile(finals, (0, 0.5, 1))],
        "noise_between_seeds": round(recorded.noise, 4),
        "n_targets": len(recorded.targets),
        "rank_correlation_with_the_end": {epoch: round(_correlation(recorded, epoch), 3) for epoch in rungs},
    }


def _correlation(recorded: Recorded, epoch: int) -> float:
    """Return Spearman's correlation, over cells, of what is shown at an epoch with what is at the end."""
    curves = [curves[0].best for curves in recorded.curves.values() if len(curves[0].best) == recorded.epochs]
    at, last = (np.nan_to_num([best[place] for best in curves], posinf=100.0) for place in (epoch - 1, -1))
    return float(stats.spearmanr(at, last).statistic)


def measurements(recorded: Recorded) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return everything that is measured, by name."""

    def changed(constants: dict[tuple[Any, str], Any]) -> dict[str, Any]:
        with ExitStack() as stack:
            for (place, name), value in constants.items():
                stack.enter_context(patch.object(place, name, value))
            return found(OURS, recorded)

    return {
        **{name: partial(found, make, recorded) for name, make in PLAIN.items()},
        **{f"ours: {name}": partial(changed, constants) for name, constants in changes().items()},
        "tables: ours": partial(filled, OURS, recorded),
        "tables: random cells, our rungs": partial(filled, PLAIN["random cells, our rungs"], recorded),
        **{name: partial(lambda name: found(packages()[name], recorded), name) for name in PACKAGES},
    }


def note(record: dict[str, Any], numbers: dict[str, Any]) -> None:
    """Write numbers into benchmarks/results/efficiency.json; what it says of the same record stays."""
    before = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    record = json.loads(json.dumps(record))
    known = before["shares_of_the_grids_epochs"] if before.get("record") == record else {}
    modules = ("ray", "optuna", "keras-tuner", "syne-tune")
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in modules},
        "settings": {
            "n_seeds": N_SEEDS,
            "n_seeds_to_fill": N_SEEDS_TO_FILL,
            "speeds": SPEEDS,
            "grace_epochs": GRACE,
            "reduction_factor": REDUCTION,
        },
        "record": record,
        "shares_of_the_grids_epochs": known | numbers,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


def main() -> None:
    """Replay, print and write, each measurement as soon as it is there."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    recorded = read_recorded(RECORDED)
    record = described(recorded)
    print(json.dumps(record, indent=1))
    identity = property(lru_cache(None)(TrialSpec.trial_id.fget))  # type: ignore[attr-defined]
    with patch.object(TrialSpec, "trial_id", identity):  # the same names, faster
        for name, measure in measurements(recorded).items():
            if not sys.argv[1:] or name in sys.argv[1:]:
                numbers = measure()
                print(f"{name}: {numbers}", flush=True)
                note(record, {name: numbers})


if __name__ == "__main__":
    main()
