"""Trainings that were recorded once, run again on a simulated clock: five cards, any proposer, any stopping rule."""

import heapq
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

# Of a GTX 1660 Ti, two 1650 and two 1050 Ti, by the single-precision peaks of their data sheets.
SPEEDS = (1.0, 0.55, 0.55, 0.39, 0.39)
AXES = ("architecture", "loss", "training_quality", "rate")
COMPARED = AXES[:-1]  # what makes a cell of a table; the learning rate, as a share of the usual one, is sampled
N_SEEDS = 3  # of the cells that were trained again
COMPLETED = "completed"
FIRST_EPOCHS, FIRST_USUAL_RATE = 27, 1e-3  # of the first version

Cell = tuple[Any, ...]  # a value for each of AXES


@dataclass(frozen=True)
class Curve:
    """A recorded training. best[i]: the least bytes at parity of its first i + 1 epochs; status: how it ended."""

    best: tuple[float, ...]
    status: str = COMPLETED


@dataclass(frozen=True)
class Recorded:
    """The recorded trainings with a rate that falls: one of every cell, of some N_SEEDS."""

    curves: Mapping[Cell, Sequence[Curve]]

    @cached_property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The values of AXES, in the order in which they were recorded."""
        return {name: tuple(dict.fromkeys(cell[place] for cell in self.curves)) for place, name in enumerate(AXES)}

    @cached_property
    def epochs(self) -> int:
        """Of a training to its end."""
        return max(len(curves[0].best) for curves in self.curves.values())

    @property
    def n_epochs(self) -> int:
        """Epochs of the exhaustive grid."""
        return sum(len(curves[0].best) for curves in self.curves.values())

    @property
    def means(self) -> dict[Cell, float]:
        """Mean over the recorded seeds of what each cell showed in the end."""
        return {cell: float(np.mean([curve.best[-1] for curve in curves])) for cell, curves in self.curves.items()}

    @property
    def noise(self) -> float:
        """Standard deviation between seeds, pooled over the cells that were trained with all of them."""
        finals = [[c.best[-1] for c in curves] for curves in self.curves.values() if len(curves) == N_SEEDS]
        return float(np.sqrt(np.mean(np.var(finals, axis=1, ddof=1))))

    @cached_property
    def targets(self) -> set[Cell]:
        """The cells whose mean is within the noise of the best mean."""
        means = self.means
        return {cell for cell, mean in means.items() if mean <= min(means.values()) + self.noise}

    @cached_property
    def tables(self) -> set[Cell]:
        """The cells of the compared axes."""
        return {compared(cell) for cell in self.curves}

    def draw(self, seed: int) -> dict[Cell, Curve]:
        """Return one training of every cell, of those with several one by chance."""
        rng = np.random.default_rng(seed)
        return {cell: curves[rng.integers(len(curves))] for cell, curves in self.curves.items()}


@dataclass(frozen=True)
class Ask:
    """A training that is wanted: from its first epoch, or where an earlier one ended, to its last; None: to its end."""

    key: str
    cell: Cell
    first: int = 1
    last: int | None = None


class Strategy(Protocol):
    """What decides what is trained, and for how long."""

    def propose(self) -> Ask | None:
        """Return what to train next, None where there is nothing now."""
        ...

    def reported(self, ask: Ask, epoch: int, best: float) -> bool:
        """Hear of an epoch; say whether the training goes on."""
        ...

    def ended(self, ask: Ask, curve: Curve) -> None:
        """Hear of the end of a training, with what it showed; its status is empty where it was not trained out."""
        ...


@dataclass
class Outcome:
    """What a search took, in epochs of all cards together; None where it never came to that.

    found: until a target had been trained to its end; filled[n]: until every cell of the tables held a value of n
    epochs, or of a training that ended by itself.
    """

    n_epochs: int = 0
    found: int | None = None
    filled: dict[int, int] = field(default_factory=dict)


def read_recorded(path: Path) -> Recorded:
    """Read what benchmarks/replay_record.py wrote, today or in its first version."""
    curves = defaultdict[Cell, dict[int, Curve]](dict)
    for line in path.read_text().splitlines():
        row = _as_today(json.loads(line))
        if row["schedule"] == "cosine":
            shares = [np.inf if share is None else share for share in row["bytes_at_parity"]]
            best = tuple(float(share) for share in np.minimum.accumulate(shares))
            curves[tuple(row[name] for name in AXES)][row["seed"]] = Curve(best, row["status"])
    return Recorded({cell: [by_seed[seed] for seed in sorted(by_seed)] for cell, by_seed in curves.items()})


def _as_today(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the first version as one of today: what it maximised, a gain in dB, counts as its negative."""
    if "bytes_at_parity" in row:
        return row
    gains = row["psnr_gain_db"]
    is_whole = len(gains) == FIRST_EPOCHS
    return {
        **{name: row[name] for name in ("loss", "training_quality", "seed")},
        "architecture": f"{row['family']}.width{row['width']}.depth{row['depth']}",
        "rate": row["learning_rate"] / FIRST_USUAL_RATE,
        "schedule": "cosine",
        "status": COMPLETED if is_whole else "diverged",
        "bytes_at_parity": [None if gain is None else -gain for gain in gains],
    }


def compared(cell: Cell) -> Cell:
    """Return the cell of a table that a training belongs to."""
    return tuple(value for name, value in zip(AXES, cell, strict=True) if name in COMPARED)


def simulate(strategy: Strategy, recorded: Recorded, seed: int, levels: Sequence[int], most_epochs: int) -> Outcome:
    """Let a strategy have the cards until all is reached that Outcome counts, or most_epochs are used."""
    return _Simulation(strategy, recorded, seed, levels).run(most_epochs)


class _Simulation:
    def __init__(self, strategy: Strategy, recorded: Recorded, seed: int, levels: Sequence[int]) -> None:
        self.strategy, self.levels, self.targets, self.epochs = strategy, levels, recorded.targets, recorded.epochs
        self.drawn = recorded.draw(seed)
        self.reached = dict.fromkeys(recorded.tables, 0)  # epochs
        self.outcome = Outcome()
        self.training: dict[int, tuple[Ask, int]] = {}  # by card

    def run(self, most_epochs: int) -> Outcome:
        clock = [(0.0, card) for card in range(len(SPEEDS))]
        while clock and self.outcome.n_epochs < most_epochs and not self._is_done():
            now, card = heapq.heappop(clock)
            if card in self.training:
                self._end_epoch(card)
            if card not in self.training:
                ask = self.strategy.propose()
                if ask is None:
                    if self.training:  # another card's end may bring something
                        moment = min(moment for moment, other in clock if other in self.training)
                        heapq.heappush(clock, (moment + 1e-9, card))
                    continue
                self.training[card] = (ask, ask.first)
            heapq.heappush(clock, (now + 1 / SPEEDS[card], card))
        return self.outcome

    def _is_done(self) -> bool:
        return self.outcome.found is not None and len(self.outcome.filled) == len(self.levels)

    def _end_epoch(self, card: int) -> None:
        ask, epoch = self.training.pop(card)
        curve = self.drawn[ask.cell]
        epoch = min(epoch, len(curve.best))
        self.outcome.n_epochs += 1
        has_ended = epoch == len(curve.best)
        self._note(ask.cell, self.epochs if has_ended else epoch, has_ended)
        goes_on = self.strategy.reported(ask, epoch, curve.best[epoch - 1])
        if goes_on and epoch < (ask.last or self.epochs) and not has_ended:
            self.training[card] = (ask, epoch + 1)
        else:
            self.strategy.ended(ask, Curve(curve.best[:epoch], curve.status if has_ended else ""))

    def _note(self, cell: Cell, n_trained: int, has_ended: bool) -> None:
        if has_ended and cell in self.targets and self.outcome.found is None:
            self.outcome.found = self.outcome.n_epochs
        place = compared(cell)
        if n_trained > self.reached[place]:
            self.reached[place] = n_trained
            for level in self.levels:
                if level not in self.outcome.filled and min(self.reached.values()) >= level:
                    self.outcome.filled[level] = self.outcome.n_epochs
