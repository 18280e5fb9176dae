"""Our search for the replay: the searcher and the stopping rule of search/engine, driven without Ray."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import ray
from replay import AXES, COMPARED, Ask, Cell, Curve, Recorded

from models.names import WEIGHTED_LOSSES
from search.engine.early_stopping import METRIC, EarlyStopping, brackets_of
from search.engine.searcher import LowqSearch
from search.records import TrialRecord
from search.space.scale import SCALES
from search.space.space import Space
from search.space.spec import TrialSpec, TrialStatus

USUAL_RATE = 1e-3  # stands for each network's own


@dataclass(frozen=True)
class Variant:
    """Our search, or what becomes of it without an ingredient.

    grace, reduction: of its rungs. searcher, stopping: the classes of search/engine, or changes of them.
    """

    grace: int
    reduction: int
    searcher: type[LowqSearch] = LowqSearch
    stopping: type[EarlyStopping] = EarlyStopping


class Ours:
    """The searcher over the recorded cells, the learning rate sampled, and early stopping.

    Each seed has an order of values of its own, so that nothing is known beforehand of what is good.
    """

    def __init__(self, recorded: Recorded, seed: int, variant: Variant) -> None:
        self.cells = _specs(recorded)
        self.curves: dict[str, Curve] = {}  # by trial
        self.specs: dict[str, TrialSpec] = {}
        self.stopped: set[str] = set()
        by_drawn = {_drawn(cell): spec for spec, cell in self.cells.items()}

        def make_spec(parameters: dict[str, Any]) -> TrialSpec:
            compared = tuple(parameters[name] for name in COMPARED)
            return by_drawn[*compared, parameters.get("learning_rate", USUAL_RATE)]

        rng = np.random.default_rng(seed)
        axes = {name: _shuffled(recorded.axes[name], rng) for name in COMPARED}
        rates = {"learning_rate": tuple(rate * USUAL_RATE for rate in recorded.axes["rate"])}
        space = Space("replay", axes, sampled=rates)
        self.searcher = variant.searcher(space, make_spec, self, seed, len(self.cells))
        self.searcher.continue_from([], [])
        scale = replace(SCALES["demo"], grace_epochs=variant.grace, reduction_factor=variant.reduction)
        checkpoints: Any = SimpleNamespace(end=SimpleNamespace(remote=self.stopped.add))
        self.stopping = variant.stopping(checkpoints, brackets_of(scale, recorded.epochs, []), seed=None)

    def propose(self) -> Ask | None:
        key = f"t{len(self.specs)}"
        drawn = self.searcher.suggest(key)
        if not isinstance(drawn, dict):
            return None
        self.specs[key] = drawn["spec"]
        return Ask(key, self.cells[drawn["spec"]])

    def reported(self, ask: Ask, epoch: int, best: float) -> bool:
        result, trial = {METRIC: best, "epoch": epoch}, SimpleNamespace(config={"spec": self.specs[ask.key]})
        self.searcher.on_trial_result(ask.key, result)
        with patch.object(ray, "get", lambda answer: answer):
            self.stopping.on_trial_result(None, trial, result)
        return self.specs[ask.key].trial_id not in self.stopped

    def ended(self, ask: Ask, curve: Curve) -> None:
        self.curves[self.specs[ask.key].trial_id] = curve
        self.searcher.on_trial_complete(ask.key, {})

    # What the searcher asks, see `search.engine.searcher.Host`.

    def announce(self, spec: TrialSpec) -> bool:
        return True

    def settle(self, spec: TrialSpec, crashed: bool) -> TrialRecord:
        curve = self.curves[spec.trial_id]
        shares = [share if np.isfinite(share) else None for share in curve.best]
        rows = tuple({"epoch": place, "bytes_at_parity": share} for place, share in enumerate(shares, 1))
        status = TrialStatus(curve.status or TrialStatus.STOPPED)
        return TrialRecord(spec, status, len(rows), None, None, None, 0.0, rows, bytes_at_parity=shares[-1])

    def is_held(self, spec: TrialSpec) -> bool:
        return False

    def confirmations(self, n_left: int) -> tuple[TrialSpec, ...] | None:
        return None if n_left else ()


def _specs(recorded: Recorded) -> Mapping[TrialSpec, Cell]:
    """Return the cell that each spec stands for."""
    found = {}
    for cell in recorded.curves:
        architecture, loss, quality, rate = _drawn(cell)
        weight = 2.0 if loss in WEIGHTED_LOSSES else None
        found[TrialSpec(architecture, loss, training_quality=quality, learning_rate=rate, ssim_weight=weight)] = cell
    return found


def _drawn(cell: Cell) -> Cell:
    return (*cell[: len(COMPARED)], cell[AXES.index("rate")] * USUAL_RATE)


def _shuffled(values: Sequence[Any], rng: np.random.Generator) -> tuple[Any, ...]:
    return tuple(values[place] for place in rng.permutation(len(values)))
