"""Trainings that were recorded once, run again on a simulated clock: five cards, any proposer, any stopping rule."""

import heapq
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from replay_record import AXES, EPOCHS, SEEDS

# Of a GTX 1660 Ti, two 1650 and two 1050 Ti, by the single-precision peaks of their data sheets.
SPEEDS = (1.0, 0.55, 0.55, 0.39, 0.39)
COMPARED = tuple(name for name in AXES if name != "learning_rate")  # a cell of a table; the rest is sampled
Cell = tuple[Any, ...]  # a value for each of AXES


@dataclass(frozen=True)
class Recorded:
    """The recorded trainings. best[cell][i]: the best PSNR gain in dB that a cell showed in its first i + 1 epochs."""

    best: Mapping[Cell, list[float]]
    seconds: Mapping[Cell, float]
    noise_db: float

    @property
    def n_epochs(self) -> int:
        """Epochs of the exhaustive grid."""
        return EPOCHS * len(self.best)

    @property
    def target_db(self) -> float:
        return max(curve[-1] for curve in self.best.values())

    @property
    def tables(self) -> set[Cell]:
        """The cells of the compared axes."""
        return {compared(cell) for cell in self.best}


@dataclass(frozen=True)
class Ask:
    """A training that is wanted: from its first epoch, or from where an earlier one of the cell ended, to its last."""

    key: str
    cell: Cell
    first: int = 1
    last: int = EPOCHS


class Strategy(Protocol):
    """What decides what is trained, and for how long."""

    def propose(self) -> Ask | None:
        """Return what to train next, None where there is nothing now."""
        ...

    def reported(self, ask: Ask, epoch: int, best_db: float) -> bool:
        """Hear of an epoch; say whether the training goes on."""
        ...

    def ended(self, ask: Ask, epoch: int, best_db: float) -> None:
        """Hear of the end of a training."""
        ...


@dataclass
class Outcome:
    """What a search took: epochs until it showed a gain, and until every table cell had a trial that ended.

    None where it never came to that; filled: the share of the table cells that had one at last.
    """

    n_epochs: int = 0
    reached: int | None = None
    full: int | None = None
    seen: set[Cell] = field(default_factory=set)
    filled: float = 0.0


def read_recorded(path: Path) -> Recorded:
    """Read what benchmarks/replay_record.py wrote."""
    curves: dict[Cell, dict[int, list[float]]] = defaultdict(dict)
    seconds = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        cell = tuple(row[name] for name in AXES)
        gains = [-np.inf if gain is None else gain for gain in row["psnr_gain_db"]]
        gains += [-np.inf] * (EPOCHS - len(gains))  # it diverged
        curves[cell][row["seed"]] = [float(best) for best in np.maximum.accumulate(gains)]
        seconds[cell] = row["seconds"]
    spreads = [
        np.var([curve[-1] for curve in by_seed.values()], ddof=1)
        for by_seed in curves.values()
        if len(by_seed) == len(SEEDS)
    ]
    best = {cell: by_seed[SEEDS[0]] for cell, by_seed in curves.items() if SEEDS[0] in by_seed}
    return Recorded(best, seconds, float(np.sqrt(np.mean(spreads))) if spreads else float("nan"))


def compared(cell: Cell) -> Cell:
    """Return the cell of a table that a training belongs to."""
    return tuple(value for name, value in zip(AXES, cell, strict=True) if name in COMPARED)


def simulate(strategy: Strategy, recorded: Recorded, within_db: float, most_epochs: int) -> Outcome:
    """Let a strategy have the cards until it has shown the target and filled the tables, or used most_epochs."""
    outcome = Outcome()
    clock: list[tuple[float, int]] = [(0.0, card) for card in range(len(SPEEDS))]
    training: dict[int, tuple[Ask, int]] = {}
    heapq.heapify(clock)
    while clock and outcome.n_epochs < most_epochs and (outcome.reached is None or outcome.full is None):
        now, card = heapq.heappop(clock)
        if card in training:
            _end_epoch(strategy, recorded, within_db, outcome, training, card)
        if card not in training:
            ask = strategy.propose()
            if ask is None:
                if training:  # another card's end may bring something
                    heapq.heappush(clock, (min(moment for moment, other in clock if other in training) + 1e-9, card))
                continue
            training[card] = (ask, ask.first)
        heapq.heappush(clock, (now + 1 / SPEEDS[card], card))
    outcome.filled = len(outcome.seen) / len(recorded.tables)
    return outcome


def _end_epoch(
    strategy: Strategy,
    recorded: Recorded,
    within_db: float,
    outcome: Outcome,
    training: dict[int, tuple[Ask, int]],
    card: int,
) -> None:
    ask, epoch = training.pop(card)
    best_db = recorded.best[ask.cell][epoch - 1]
    outcome.n_epochs += 1
    if outcome.reached is None and best_db >= recorded.target_db - within_db:
        outcome.reached = outcome.n_epochs
    if strategy.reported(ask, epoch, best_db) and epoch < ask.last:
        training[card] = (ask, epoch + 1)
        return
    strategy.ended(ask, epoch, best_db)
    outcome.seen.add(compared(ask.cell))
    if outcome.full is None and len(outcome.seen) == len(recorded.tables):
        outcome.full = outcome.n_epochs
