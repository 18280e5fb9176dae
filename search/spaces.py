"""Spaces: the axes a search compares, their cells in an order whose every prefix is balanced, and Optuna's view."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any, Protocol

from models.names import ARCHITECTURES, LOSSES, OUTPUT_ACTIVATIONS
from search.spec import BASELINE, RANDOM, SCHEDULES

Cell = tuple[Any, ...]  # a value for each axis


class Suggests(Protocol):
    """The part of an Optuna trial that a space uses."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...


@dataclass(frozen=True)
class LogRange:
    """The numbers from low to high, drawn evenly on a logarithmic scale."""

    low: float
    high: float


@dataclass(frozen=True)
class Space:
    """What a search compares: the axes, field of TrialSpec -> values, whose every combination is a cell.

    only: where given, the cells are those that agree with one of these; sampled: fields that Optuna draws besides,
    while the first trial of a cell has the usual values; fields: what the space fixes of every spec, over the scale's;
    scale: the one that "auto" means; stops_early: whether weak trials are stopped.
    """

    name: str
    axes: Mapping[str, tuple[Any, ...]]
    only: tuple[Mapping[str, Any], ...] = ()
    sampled: Mapping[str, LogRange | tuple[Any, ...]] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    scale: str = "auto"
    stops_early: bool = True

    def cells(self) -> list[Cell]:
        """Return every combination of the axes' values, each prefix of the list as balanced as can be.

        The next cell is the one whose values, then whose pairs of values, have come up least; ties go to the declared
        order.
        """
        waiting = [cell for cell in product(*self.axes.values()) if self._has(cell)]
        seen: Counter[tuple[Any, ...]] = Counter()
        ordered: list[Cell] = []
        while waiting:
            cell = min(waiting, key=lambda cell: tuple(sum(seen[part] for part in _parts(cell, n)) for n in (1, 2)))
            waiting.remove(cell)
            seen.update(part for n in (1, 2) for part in _parts(cell, n))
            ordered.append(cell)
        return ordered

    def first_parameters(self) -> list[dict[str, Any]]:
        """Return the axes' values in each cell, in the order of `cells`."""
        return [dict(zip(self.axes, cell, strict=True)) for cell in self.cells()]

    def suggest(self, trial: Suggests) -> dict[str, Any]:
        """Draw a trial's parameters, define-by-run."""
        parameters = {axis: trial.suggest_categorical(axis, values) for axis, values in self.axes.items()}
        for name, values in self.sampled.items():
            if isinstance(values, LogRange):
                parameters[name] = trial.suggest_float(name, values.low, values.high, log=True)
            else:
                parameters[name] = trial.suggest_categorical(name, values)
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

    def _has(self, cell: Cell) -> bool:
        named = dict(zip(self.axes, cell, strict=True)).items()
        return not self.only or any(part.items() <= named for part in self.only)


def _parts(cell: Cell, n: int) -> list[tuple[Any, ...]]:
    return list(combinations(enumerate(cell), n))


# The thesis' choice comes first: where few trials are run, they start there.
TRAINED = ("jjnet", *(name for name in ARCHITECTURES if name not in (BASELINE.architecture, "jjnet")))
COMPARED_LOSSES = ("mse", *(name for name in LOSSES if name != "mse"))
APPENDIX_AXES = ("architecture", "training_quality", "output_activation")
APPENDIX = (  # the thesis' Tables 8 to 17: network, training quality, output activation
    ("jjnet", 75, "none"),
    ("denseunet", 75, "none"),
    ("smallxception", 75, "none"),
    ("unet", 75, "none"),
    ("denseunet", 50, "none"),
    ("denseunet", 25, "none"),
    ("resnet", 75, "none"),
    ("densenet", 75, "none"),
    ("memnet", 75, "none"),
    ("jjnet", 75, "tanh"),
)

SPACES: Mapping[str, Space] = {
    "full": Space(
        name="full",
        axes={
            "architecture": TRAINED,
            "loss": COMPARED_LOSSES,
            "training_quality": (RANDOM, 75, 50, 25),
            "output_activation": OUTPUT_ACTIVATIONS,
        },
        sampled={
            "learning_rate": LogRange(3e-4, 3e-3),  # around Adam's default
            "batch_size": (4, 8, 16),
            "schedule": SCHEDULES,
            "clip_norm": (None, 1.0),
        },
    ),
    "appendix": Space(
        name="appendix",
        axes={
            "architecture": tuple(dict.fromkeys(network for network, _, _ in APPENDIX)),
            "loss": LOSSES,
            "training_quality": (75, 50, 25),
            "output_activation": OUTPUT_ACTIVATIONS,
        },
        only=tuple(dict(zip(APPENDIX_AXES, row, strict=True)) for row in APPENDIX),
        fields={  # the thesis' section 3.4 and Table 5
            "split": "tiny",
            "crop_px": 192,
            "crop": "centre",
            "augmentation": "none",
            "learning_rate": 1e-3,
            "batch_size": 8,
            "epochs": 30,
            "epoch_images": None,
            "schedule": "constant",
            "start": "thesis",
            "restore_best": False,
        },
        scale="tiny",
        stops_early=False,
    ),
    "residual": Space(  # the thesis' section 5.1: networks that predict the image itself fail
        name="residual",
        axes={
            "architecture": ("resnet", *(name for name in TRAINED if name != "resnet")),
            "loss": ("mse",),
            "training_quality": (RANDOM,),
            "output_activation": ("none",),
            "global_residual": (True, False),
        },
        fields={"start": "thesis"},
        stops_early=False,
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
