"""What is checked where a run is read: the error that says what to do, and whether a value from JSON is of a type."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from datasets.errors import InputError


class RunError(InputError):
    """What was asked for cannot be done; the message says in one line what to do."""


def one_line(error: Exception) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def fits(value: Any, kind: Any) -> bool:
    """Say whether a value read from JSON is of a kind: int | None, list[str], Mapping[str, float], tuple[int, ...].

    A whole number is a float too, True is no number, and a list may become a tuple.
    """
    if isinstance(kind, UnionType):
        return any(fits(value, option) for option in get_args(kind))
    origin, inside = get_origin(kind) or kind, get_args(kind)
    if origin in (list, tuple):
        return isinstance(value, list) and all(fits(item, inside[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(fits(item, inside[1]) for item in value.values())
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, NoneType if kind is None else origin)


def describe(kind: Any) -> str:
    """Name a kind as a reader of a message understands it."""
    return str(getattr(kind, "__name__", kind) if not get_args(kind) else kind).replace("collections.abc.", "")
