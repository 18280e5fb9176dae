"""Early stopping: asynchronous successive halving over our own epochs, whose rungs are learned from stored curves."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import ray
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.records import Row
from search.space.scale import Scale
from search.space.spec import TrialSpec

METRIC = "best_bytes_at_parity"  # lower is better


class Rungs:
    """The epochs at which trials are compared, and what each trial showed there (Li et al. 2020, ASHA).

    Lower values are better. A trial goes on from a rung when it is among the best one in reduction_factor of those that
    came there before it and cost no more.
    """

    def __init__(self, grace_epochs: int, reduction_factor: int, epochs: int) -> None:
        self.factor = reduction_factor
        rung, self.shown = grace_epochs, dict[int, dict[str, float]]()
        self.costs = dict[str, int]()
        while rung < epochs:
            self.shown[rung] = {}
            rung *= reduction_factor

    def learn(self, name: str, curve: Sequence[Row], cost: int = 0) -> None:
        """Take what a trial showed at each rung that its curve reaches, whatever became of it."""
        self.costs[name] = cost
        for rung, shown in self.shown.items():
            if len(curve) >= rung:
                values = [row.get("bytes_at_parity") for row in curve[:rung]]
                shown[name] = min((value for value in values if value is not None), default=math.inf)

    def is_weak(self, name: str, epoch: int, best: float, cost: int = 0) -> bool:
        """Note what a trial shows when it comes to a rung, and say whether it ends there."""
        shown = self.shown.get(epoch)
        if shown is None or name in shown:
            return False
        others = [value for other, value in shown.items() if self.costs[other] <= cost]
        shown[name], self.costs[name] = best, cost
        return bool(others) and not best <= _quantile(others, 1 / self.factor)


class Brackets:
    """Rungs of their own for each schedule: half-way, a rate that falls has shown less of what it will than others.

    minimises_macs: whether trials are compared only with those that take no more multiply-accumulates.
    """

    def __init__(self, grace_epochs: int, reduction_factor: int, epochs: int, minimises_macs: bool = False) -> None:
        self.make, self.minimises_macs = partial(Rungs, grace_epochs, reduction_factor, epochs), minimises_macs
        self.rungs: dict[str, Rungs] = {}

    def of(self, spec: TrialSpec) -> Rungs:
        """Return the rungs of the trials that a spec is compared with."""
        return self.rungs.setdefault(spec.schedule, self.make())

    def learn(self, spec: TrialSpec, curve: Sequence[Row]) -> None:
        """Take what a trial showed at each rung that its curve reaches."""
        self.of(spec).learn(spec.trial_id, curve, self._cost(spec))

    def is_weak(self, spec: TrialSpec, epoch: int, best: float) -> bool:
        """Note what a trial shows when it comes to a rung, and say whether it is weak and ends there."""
        return self.of(spec).is_weak(spec.trial_id, epoch, best, self._cost(spec))

    def _cost(self, spec: TrialSpec) -> int:
        return spec.macs_per_pixel if self.minimises_macs else 0


class EarlyStopping(FIFOScheduler):  # type: ignore[misc]
    """Tells a weak trial to stop by the checkpoint store's answer to its report: it still scores what it has.

    Tune's own STOP ends a trial inside its report, and nothing after it runs. Trials of other seeds than the search's,
    which confirm the best ones, are never stopped.
    """

    def __init__(self, checkpoints: ray.actor.ActorHandle, brackets: Brackets | None, seed: int | None) -> None:
        super().__init__()
        self.checkpoints, self.brackets, self.seed = checkpoints, brackets, seed

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        spec: TrialSpec = trial.config["spec"]
        if self.brackets and METRIC in result and self.seed in (None, spec.seed):
            best = float(result[METRIC])
            if self.brackets.is_weak(spec, int(result["epoch"]), best):
                ray.get(self.checkpoints.end.remote(spec.trial_id))
        return str(TrialScheduler.CONTINUE)


def brackets_of(
    scale: Scale, epochs: int, curves: Iterable[tuple[TrialSpec, Sequence[Row]]], minimises_macs: bool = False
) -> Brackets:
    """Return the brackets of a scale for trials of so many epochs, with what the curves of known trials showed."""
    brackets = Brackets(min(scale.grace_epochs, epochs), scale.reduction_factor, epochs, minimises_macs)
    for spec, curve in curves:
        brackets.learn(spec, curve)
    return brackets


def _quantile(values: list[float], share: float) -> float:
    """Return the value that so large a share of values is at most, interpolated between finite ones."""
    ordered = sorted(values)
    finite = [value for value in ordered if math.isfinite(value)]
    place = share * (len(ordered) - 1)
    if math.ceil(place) >= len(finite):
        return ordered[math.floor(place)]
    return float(np.interp(place, range(len(finite)), finite))
