"""Spaces: the axes a search compares, their cells in an order whose every prefix is balanced, and Optuna's view."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any, Protocol

from models.names import ARCHITECTURES, LOSSES, OUTPUT_ACTIVATIONS
from search.spec import BASELINE, RANDOM

Cell = tuple[Any, ...]  # a value for each axis
LEARNING_RATES = (3e-4, 3e-3)  # around Adam's default, which every cell starts with
LEARNING_RATE = 1e-3


class Suggests(Protocol):
    """The part of an Optuna trial that a space uses."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...


@dataclass(frozen=True)
class Space:
    """The axes of the comparison, field of TrialSpec -> values; learning_rates is sampled besides, where given.

    fields: what the space fixes of every spec, over the scale's.
    """

    name: str
    axes: Mapping[str, tuple[Any, ...]]
    learning_rates: tuple[float, float] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def cells(self) -> list[Cell]:
        """Return every combination of the axes' values, each prefix of the list as balanced as can be.

        The next cell is the one whose values, then whose pairs of values, have come up least; ties go to the declared
        order.
        """
        waiting = list(product(*self.axes.values()))
        seen: Counter[tuple[Any, ...]] = Counter()
        ordered: list[Cell] = []
        while waiting:
            cell = min(waiting, key=lambda cell: tuple(sum(seen[part] for part in _parts(cell, n)) for n in (1, 2)))
            waiting.remove(cell)
            seen.update(part for n in (1, 2) for part in _parts(cell, n))
            ordered.append(cell)
        return ordered

    def first_parameters(self) -> list[dict[str, Any]]:
        """Return the parameters of each cell's first trial, in the order of `cells`."""
        sampled = {"learning_rate": LEARNING_RATE} if self.learning_rates else {}
        return [{**dict(zip(self.axes, cell, strict=True)), **sampled} for cell in self.cells()]

    def suggest(self, trial: Suggests) -> dict[str, Any]:
        """Draw a trial's parameters, define-by-run."""
        parameters = {axis: trial.suggest_categorical(axis, values) for axis, values in self.axes.items()}
        if self.learning_rates:
            low, high = self.learning_rates
            parameters["learning_rate"] = trial.suggest_float("learning_rate", low, high, log=True)
        return parameters

    def narrowed(self, axis: str, values: Sequence[Any] | None) -> "Space":
        """Return the space with fewer values on an axis (None: all). Raises ValueError for a value it does not have."""
        if values is None:
            return self
        for value in values:
            if value not in self.axes[axis]:
                known = ", ".join(map(str, self.axes[axis]))
                raise ValueError(f"unknown {axis.replace('_', ' ')} {value!r} in space {self.name}; known: {known}")
        kept = tuple(value for value in self.axes[axis] if value in values)
        return replace(self, axes={**self.axes, axis: kept})


def _parts(cell: Cell, n: int) -> list[tuple[Any, ...]]:
    return list(combinations(enumerate(cell), n))


# The thesis' choice comes first: where few trials are run, they start there.
TRAINED = ("jjnet", *(name for name in ARCHITECTURES if name not in (BASELINE.architecture, "jjnet")))
COMPARED_LOSSES = ("mse", *(name for name in LOSSES if name != "mse"))

SPACES: Mapping[str, Space] = {
    "full": Space(
        name="full",
        axes={
            "architecture": TRAINED,
            "loss": COMPARED_LOSSES,
            "training_quality": (RANDOM, 75, 50, 25),
            "output_activation": OUTPUT_ACTIVATIONS,
        },
        learning_rates=LEARNING_RATES,
    ),
    "smoke": Space(
        name="smoke",
        axes={
            "architecture": ("resnet",),
            "loss": ("mse", "mae"),
            "training_quality": (RANDOM,),
            "output_activation": ("none",),
        },
        fields={"epochs": 2, "epoch_images": 16, "crop_px": 32, "crop": "random", "start": "near_identity"},
    ),
}


def find_space(name: str) -> Space:
    """Return the space of a name. Raises ValueError for an unknown one, listing the known."""
    if name not in SPACES:
        raise ValueError(f"unknown space {name!r}; known: {', '.join(SPACES)}")
    return SPACES[name]
