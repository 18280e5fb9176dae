"""What a field of a spec is drawn from: choices, a range of numbers, or JPEG's quantisation tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from datasets.encoders.encoder import Encoder
from datasets.encoders.family import EncoderFamily, find_family
from datasets.encoders.step_tables import BOUNDS, RadialTables, ScaledTables
from datasets.errors import InputError

MIDDLE = 50  # whatever quality stands for a family while it is made
DECIMALS = 2  # of the numbers of tables, so that names can be read
NUMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(  # of tables, beside the scale of chroma
    {"scaled": ("dc",), "radial": ("slope", "exponent", "chroma_slope", "dc")}
)
TABLES = tuple(NUMBERS)


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
class TableShapes:
    """The families of JPEG encoders that differ in their tables: the standard's, chroma and DC scaled, or radial ones.

    tables: those of TABLES that are drawn; known: families that are tried first; trellis: whether coefficients are left
    out by a trellis. The value is a family's name, see `datasets.encoders.family`.
    """

    tables: tuple[str, ...] = TABLES
    known: tuple[str, ...] = ()
    trellis: tuple[bool, ...] = (False,)


Values = LogRange | TableShapes | tuple[Any, ...]


@dataclass(frozen=True)
class By:
    """What depends on the value of an axis: cases[value of the axis] where it is there, else the usual.

    Values to draw from, or where a field is fixed, its value.
    """

    axis: str
    usual: Any
    cases: Mapping[str, Any]

    def of(self, parameters: Mapping[str, Any]) -> Any:
        """Return what holds where the axes have these values."""
        return self.cases.get(str(parameters.get(self.axis)), self.usual)


def resolve(fields: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return fixed fields where the axes have these values."""
    return {name: value.of(parameters) if isinstance(value, By) else value for name, value in fields.items()}


def suggest(trial: Suggests, name: str, values: Values) -> Any:
    """Draw a value; name: what Optuna knows it by."""
    if isinstance(values, LogRange):
        return trial.suggest_float(name, values.low, values.high, log=True)
    if isinstance(values, TableShapes):
        return _suggest_family(trial, name, values)
    return trial.suggest_categorical(name, values)


def drawn_as(name: str, values: Values, value: Any) -> dict[str, Any] | None:
    """Return what Optuna would have drawn for a value, None where it never would."""
    if isinstance(values, LogRange):
        return {name: value} if values.low <= value <= values.high else None
    if isinstance(values, TableShapes):
        return _drawn_family(name, values, value)
    return {name: value} if value in values else None


def are_alike(shapes: TableShapes, one: str, other: str, within: float) -> bool:
    """Say whether two families of tables differ in none of their numbers by more than a share of its bounds."""
    first, second = (_drawn_family("", shapes, name) for name in (one, other))
    if first is None or second is None or first.keys() != second.keys():
        return one == other
    return all(_distance(name, first[name], second[name]) <= within for name in first)


def _distance(name: str, one: Any, other: Any) -> float:
    """Return how far two numbers of tables are apart, as a share of their bounds, as they are drawn."""
    number = name.removeprefix(": ")
    if number not in BOUNDS:
        return float(one != other)
    low, high = BOUNDS[number]
    if number == "chroma_scale":
        return abs(math.log(float(one) / float(other))) / math.log(high / low)
    return abs(float(one) - float(other)) / (high - low)


def values_from_facts(facts: Any) -> Any:
    """Return values as `dataclasses.asdict` and JSON describe them."""
    if not isinstance(facts, dict):
        return tuple(facts)
    if "low" in facts:
        return LogRange(**facts)
    if "tables" in facts:
        return TableShapes(**{name: tuple(values) for name, values in facts.items()})
    cases = {name: values_from_facts(values) for name, values in facts["cases"].items()}
    return By(facts["axis"], values_from_facts(facts["usual"]), cases)


def _suggest_family(trial: Suggests, name: str, shapes: TableShapes) -> str:
    kind = trial.suggest_categorical(f"{name}: tables", shapes.tables)
    drawn = {"chroma_scale": trial.suggest_float(f"{name}: chroma_scale", *BOUNDS["chroma_scale"], log=True)}
    for number in NUMBERS[kind]:
        drawn[number] = trial.suggest_float(f"{name}: {number}", *BOUNDS[number])
    trellis = trial.suggest_categorical(f"{name}: trellis", shapes.trellis)
    return _family(kind, {number: round(value, DECIMALS) for number, value in drawn.items()}, trellis).name


def _drawn_family(name: str, shapes: TableShapes, value: Any) -> dict[str, Any] | None:
    try:
        family = find_family(str(value))
    except InputError:
        return None
    tables = family.middle.tables
    kind = "radial" if isinstance(tables, RadialTables) else "scaled"
    drawn = {number: getattr(tables, number, 1.0) for number in ("chroma_scale", *NUMBERS[kind])}
    trellis = family.middle.trellis
    if kind not in shapes.tables or trellis not in shapes.trellis or _family(kind, drawn, trellis) != family:
        return None
    chosen = {"tables": kind, "trellis": trellis, **drawn}
    return {f"{name}: {part}": value for part, value in chosen.items()}


def _family(kind: str, numbers: Mapping[str, float], trellis: bool) -> EncoderFamily:
    """Return the family of tables; the standard's with nothing scaled are those of a quality."""
    if kind == "radial":
        radial = EncoderFamily(Encoder(tables=RadialTables(MIDDLE, **numbers), trellis=trellis))
        return find_family(radial.name)
    if set(numbers.values()) == {1}:
        return EncoderFamily(Encoder(quality=MIDDLE, trellis=trellis))
    return EncoderFamily(Encoder(tables=ScaledTables(MIDDLE, **numbers), trellis=trellis))
