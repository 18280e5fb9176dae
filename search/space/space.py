"""A space: the axes a search compares, their cells in an order whose every prefix is balanced, and Optuna's view."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import chain, combinations, product
from typing import Any

from search.space.values import By, Suggests, TableShapes, Values, drawn_as, suggest, values_from_facts

Cell = tuple[Any, ...]  # a value for each axis


@dataclass(frozen=True)
class Space:
    """What a search compares: the axes, field of TrialSpec -> values, whose every combination is a cell.

    only: where given, the cells are those that agree with one of these; sampled: fields that Optuna draws besides,
    while the first trial of a cell has the usual values; fields: what the space fixes of every spec, over the scale's;
    scale: the one that "auto" means; n_trials: how many there are where nobody says, None: the scale's; stops_early:
    whether weak trials are stopped; minimises_macs: whether multiply-accumulates a pixel are a second objective beside
    bytes at parity; tests_all: whether every trial that completes is scored on test images, or only the
    scale's few best; confirms: whether the best are trained again with other seeds. screens: families of encoders of
    which n_screened are tried with the closed-form filter first; the n_kept best of them become an axis.
    """

    name: str
    axes: Mapping[str, tuple[Any, ...]]
    only: tuple[Mapping[str, Any], ...] = ()
    sampled: Mapping[str, Values | By] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    scale: str = "auto"
    n_trials: int | None = None
    stops_early: bool = True
    minimises_macs: bool = False
    tests_all: bool = False
    confirms: bool = False
    screens: TableShapes | None = None
    n_screened: int = 48
    n_kept: int = 4

    @property
    def says_epochs(self) -> bool:
        """Whether the space itself says how many epochs its trials have, not the scale."""
        return "epochs" in self.fields or "epochs" in self.axes

    def cells(self) -> list[Cell]:
        """Return every combination of the axes' values, each prefix of the list as balanced as can be.

        The next cell is the one whose values, then whose pairs of values, have come up least; ties go to the declared
        order.
        """
        return list(self._ordered)

    def first_parameters(self) -> list[dict[str, Any]]:
        """Return the axes' values in each cell, in the order of `cells`."""
        return [dict(zip(self.axes, cell, strict=True)) for cell in self.cells()]

    def suggest(self, trial: Suggests) -> dict[str, Any]:
        """Draw a trial's parameters, define-by-run: field of TrialSpec -> value."""
        parameters = {axis: trial.suggest_categorical(axis, values) for axis, values in self.axes.items()}
        for name in self.sampled:
            parameters[name] = suggest(trial, *self._known_as(name, parameters))
        return parameters

    def drawn_from(self, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what Optuna would have drawn for these parameters, None where it never would.

        A field whose values depend on an axis is drawn under a name of its own for each case: Optuna wants the same
        values under the same name.
        """
        if not all(parameters[axis] in values for axis, values in self.axes.items()) or not self._has(parameters):
            return None
        drawn = {axis: parameters[axis] for axis in self.axes}
        for name in self.sampled:
            own = drawn_as(*self._known_as(name, parameters), parameters[name])
            if own is None:
                return None
            drawn |= own
        return drawn

    def choices(self, name: str, cell: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values that a field is drawn from in a cell; none where it is not drawn, or from a range."""
        values = self._known_as(name, cell)[1] if name in self.sampled else ()
        return values if isinstance(values, tuple) else ()

    def narrowed(self, axis: str, values: Sequence[Any] | None) -> "Space":
        """Return the space with fewer values on an axis (None: all). Raises ValueError for a value it does not have."""
        if values is None:
            return self
        for value in values:
            if value not in self.axes.get(axis, ()):
                known = ", ".join(map(str, self.axes.get(axis, ()))) or "none"
                raise ValueError(f"unknown {axis.replace('_', ' ')} {value!r} in space {self.name}; known: {known}")
        kept = tuple(value for value in self.axes[axis] if value in values)
        return replace(self, axes={**self.axes, axis: kept})

    def with_more(self, axis: str, values: Sequence[Any]) -> "Space":
        """Return the space with more values on an axis, before those that it has."""
        return replace(self, axes={**self.axes, axis: tuple(dict.fromkeys((*values, *self.axes[axis])))})

    def as_facts(self) -> dict[str, Any]:
        """Return the space as what JSON can hold; `space_from_facts` reads it."""
        return asdict(self)

    @cached_property
    def _ordered(self) -> tuple[Cell, ...]:
        parts = {cell: (_parts(cell, 1), _parts(cell, 2)) for cell in self._combinations()}
        seen = dict.fromkeys(chain.from_iterable(chain(*own) for own in parts.values()), 0)
        ordered = []
        while parts:
            cell = min(parts, key=lambda cell: [sum(map(seen.__getitem__, own)) for own in parts[cell]])
            for part in chain(*parts.pop(cell)):
                seen[part] += 1
            ordered.append(cell)
        return tuple(ordered)

    def _combinations(self) -> list[Cell]:
        rows = [
            product(*((part[axis],) if axis in part else values for axis, values in self.axes.items()))
            for part in self.only or ({},)
            if all(part[axis] in values for axis, values in self.axes.items() if axis in part)
        ]
        named = set(chain.from_iterable(rows))
        places = [{value: place for place, value in enumerate(values)} for values in self.axes.values()]
        return sorted(named, key=lambda cell: [place[value] for place, value in zip(places, cell, strict=True)])

    def _has(self, parameters: Mapping[str, Any]) -> bool:
        return not self.only or any(part.items() <= dict(parameters).items() for part in self.only)

    def _known_as(self, name: str, parameters: Mapping[str, Any]) -> tuple[str, Values]:
        values = self.sampled[name]
        if not isinstance(values, By):
            return name, values
        case = parameters[values.axis]
        return (f"{name} of {case}", values.cases[case]) if case in values.cases else (name, values.usual)


def space_from_facts(facts: Mapping[str, Any]) -> Space:
    """Return the space that as_facts described, read from JSON. Raises KeyError or TypeError when it is none."""
    return Space(
        **{
            **facts,
            "axes": {name: tuple(values) for name, values in facts["axes"].items()},
            "only": tuple(facts["only"]),
            "screens": values_from_facts(facts["screens"]) if facts.get("screens") else None,
            "sampled": {name: values_from_facts(values) for name, values in facts["sampled"].items()},
            "fields": {
                name: By(**value) if isinstance(value, dict) else value for name, value in facts["fields"].items()
            },
        }
    )


def _parts(cell: Cell, n: int) -> list[tuple[Any, ...]]:
    return list(combinations(enumerate(cell), n))
