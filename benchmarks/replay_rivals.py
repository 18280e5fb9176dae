"""Other ways to search, for the replay: the grid, random search, and Optuna's TPE, these two also stopped as ours."""

from collections.abc import Mapping

import numpy as np
import optuna
from replay import AXES, Ask, Cell, Curve, Recorded

from search.engine.early_stopping import Rungs

WORST = 100.0  # for programs that take no infinite value


class Grid:
    """Every cell once, trained to its end, in the declared order; with a seed shuffled, which is random search."""

    def __init__(self, recorded: Recorded, seed: int | None = None) -> None:
        self.cells: list[Cell] = list(recorded.curves)
        if seed is not None:
            order = np.random.default_rng(seed).permutation(len(self.cells))
            self.cells = [self.cells[place] for place in order]

    def propose(self) -> Ask | None:
        return Ask(str(len(self.cells)), self.cells.pop(0)) if self.cells else None

    def reported(self, ask: Ask, epoch: int, best: float) -> bool:
        return True

    def ended(self, ask: Ask, curve: Curve) -> None: ...


class RandomAsha(Grid):
    """Random cells, none twice, stopped by our rungs."""

    def __init__(self, recorded: Recorded, seed: int, grace: int, reduction: int) -> None:
        super().__init__(recorded, seed)
        self.rungs = Rungs(grace, reduction, recorded.epochs)

    def reported(self, ask: Ask, epoch: int, best: float) -> bool:
        return not self.rungs.is_weak(ask.key, epoch, best)


class TpeAsha:
    """Optuna's TPE (multivariate, grouped, constant liar), stopped by our rungs."""

    def __init__(self, recorded: Recorded, seed: int, grace: int, reduction: int) -> None:
        self.recorded = recorded
        sampler = optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
        self.study = optuna.create_study(sampler=sampler, direction="minimize")
        self.rungs = Rungs(grace, reduction, recorded.epochs)
        self.trials: dict[str, optuna.Trial] = {}

    def propose(self) -> Ask | None:
        trial = self.study.ask()
        key = str(trial.number)
        self.trials[key] = trial
        drawn = {name: trial.suggest_categorical(name, places) for name, places in places_of(self.recorded).items()}
        return Ask(key, cell_at(self.recorded, drawn))

    def reported(self, ask: Ask, epoch: int, best: float) -> bool:
        self.trials[ask.key].report(best, epoch)
        return not self.rungs.is_weak(ask.key, epoch, best)

    def ended(self, ask: Ask, curve: Curve) -> None:
        state = optuna.trial.TrialState.COMPLETE if curve.status else optuna.trial.TrialState.PRUNED
        self.study.tell(self.trials.pop(ask.key), min(curve.best[-1], WORST) if curve.status else None, state=state)


def places_of(recorded: Recorded) -> dict[str, list[int]]:
    """Return the numbers of each axis' values."""
    return {name: list(range(len(values))) for name, values in recorded.axes.items()}


def cell_at(recorded: Recorded, places: Mapping[str, int]) -> Cell:
    """Return the cell of these values."""
    return tuple(recorded.axes[name][places[name]] for name in AXES)
