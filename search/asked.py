"""Where a search comes from: the space that options ask for, or the run or trial that they go on with."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datasets.errors import InputError
from models.plugins import Plugin
from search.space.continuation import Continuation, find_continuation
from search.space.earlier import read_trained, require_run
from search.space.final import final_space
from search.space.plugin import extended_space
from search.space.scale import choose_scale
from search.space.space import Space, space_from_facts
from search.space.spaces import FINAL, find_space

DEFAULT_SPACE = "full"
NARROWED = {  # option -> axis
    "networks": "architecture",
    "losses": "loss",
    "qualities": "training_quality",
    "activations": "output_activation",
}
CONTINUES = ("from_run", "trial", "more_epochs")  # belong together


@dataclass(frozen=True)
class Asked:
    """Where a search comes from: its space, what that lacks, the trial or runs it starts from, the run it resumes."""

    space: Space
    left_out: list[dict[str, str]] = field(default_factory=list)
    continuation: Continuation | None = None
    earlier: tuple[Path, ...] = ()
    facts: dict[str, Any] | None = None
    plugin: Plugin | None = None


def of_run(facts: dict[str, Any]) -> Asked:
    """Return what a run to resume was asked for; its space is the one it was made with, whatever lowq's is today."""
    try:
        return Asked(space_from_facts(facts["space_definition"]), facts["left_out"], facts=facts)
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(f"the space in run.json cannot be read by this version of lowq: {error}") from error


def of_options(options: argparse.Namespace, plugin: Plugin | None) -> Asked:
    """Return what a new run is asked for."""
    if options.trial is not None or options.more_epochs is not None:
        continuation = _continuation(options)
        return Asked(continuation.space, continuation=continuation)
    if options.space == FINAL:
        if not options.from_run or len(options.from_run) != 1:
            raise InputError("the space final takes the best of one run: name it with --from RUN")
        (run,) = options.from_run
        facts = require_run(run)
        options.data = options.data or facts["dataset"]["path"]
        if options.least_viewable_ssim is None:
            options.least_viewable_ssim = facts.get("options", {}).get("least_viewable_ssim")
        try:
            scale = choose_scale(facts["scale"], 0)[0]
            space = final_space(read_trained(run), scale, options.top, options.seed, options.networks)
        except ValueError as error:
            raise InputError(f"{run} cannot be finished: {error}") from error
        return Asked(_narrowed(space, options))
    runs = tuple(options.from_run or ())
    for run in runs:
        options.data = options.data or require_run(run)["dataset"]["path"]
    space = extended_space(plugin, options.space) if plugin else find_space(options.space)
    return Asked(_with_normalisation(_narrowed(space, options), options), earlier=runs)


def path_or_none(name: str | Path | None) -> Path | None:
    return Path(name) if name else None


def _continuation(options: argparse.Namespace) -> Continuation:
    """Return what --from, --trial and --more-epochs ask for, and take the rest of what that run was asked for."""
    if any(getattr(options, name) is None for name in CONTINUES) or len(options.from_run) != 1:
        raise InputError("--from RUN, --trial ID and --more-epochs N belong together: give all three")
    if options.space != DEFAULT_SPACE or any(getattr(options, option) for option in NARROWED):
        raise InputError("--from goes on with one trial as it is: leave out --space and what narrows it")
    if options.least_viewable_ssim is not None:
        raise InputError("--from goes on with one trial as it was judged: leave out --least-viewable-ssim")
    continuation = find_continuation(options.from_run[0], options.trial, options.more_epochs)
    options.scale, options.seed = continuation.scale, continuation.child.seed
    options.data = options.data or continuation.options["data"]
    options.least_viewable_ssim = continuation.options.get("least_viewable_ssim")  # what its epochs were judged by
    options.vgg16_weights = options.vgg16_weights or path_or_none(continuation.options.get("vgg16_weights"))
    return continuation


def _narrowed(space: Space, options: argparse.Namespace) -> Space:
    for option, axis in NARROWED.items():
        space = space.narrowed(axis, _values(axis, getattr(options, option)))
    if not space.cells():
        raise InputError(f"nothing is left of space {space.name}: it never combines these values")
    return space


def _values(axis: str, names: Sequence[str] | None) -> list[Any] | None:
    if names is None or axis != "training_quality":
        return None if names is None else list(names)
    return [int(name) if name.isdigit() else name for name in names]


def _with_normalisation(space: Space, options: argparse.Namespace) -> Space:
    """Return the space with re-estimated statistics where they are asked for, whatever its protocol says."""
    if not options.re_estimate_normalisation:
        return space
    return replace(space, fields={**space.fields, "normalisation": "re-estimated"})
