"""A task: a search as asked for, checked and planned, before anything of it exists."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.packed import PackedDataset
from models.plugins import Plugin
from search.cluster.file_set import Parcel, file_parcel, pack_parcel
from search.space.continuation import Continuation
from search.space.earlier import Earlier
from search.space.plan import Machine, Plan, Workload, make_plan
from search.space.scale import Bench, Scale
from search.space.spaces import Space, resolve
from search.space.spec import BASELINE, FILTER, TrialSpec


@dataclass(frozen=True)
class Task:
    """A search as asked for, checked and planned.

    options: what --resume needs to ask for the same again; computing: how every trial computes, field of TrialSpec ->
    value; left_out: what was asked for and cannot be run, each with why.
    """

    space: Space
    scale: Scale
    pack: PackedDataset
    seed: int
    machine: Machine
    n_trials: int
    command: str
    options: dict[str, Any]
    budget_s: float | None = None
    computing: Mapping[str, Any] = field(default_factory=dict)
    vgg16_weights: Path | None = None
    left_out: tuple[dict[str, str], ...] = ()
    continuation: Continuation | None = None
    earlier: Earlier = field(default_factory=Earlier)
    mirror: bool = False
    plugin: Plugin | None = None

    def starting_from(self, earlier: Earlier) -> "Task":
        """Return the task that starts from what earlier runs know."""
        return replace(self, earlier=earlier)

    @property
    def fields(self) -> dict[str, Any]:
        """What the scale, the space and the machine fix of every spec, for some by the values of an axis."""
        return {**self.scale.fields, "seed": self.seed, **self.computing, **self.space.fields}

    @property
    def largest_specs(self) -> list[TrialSpec]:
        """The trials of each cell that take the most memory."""
        specs = []
        for first in self.space.first_parameters():
            batch_size = self.space.largest("batch_size", first)
            specs.append(self.make_spec({**first, **({"batch_size": batch_size} if batch_size else {})}))
        return specs

    @property
    def epochs(self) -> int:
        """The most epochs that a trial may have."""
        return max(self.make_spec(first).epochs for first in self.space.first_parameters())

    def make_spec(self, parameters: dict[str, Any]) -> TrialSpec:
        """Complete what the space draws to a spec."""
        fields = {**resolve(self.fields, parameters), **parameters}
        return TrialSpec(**{**fields, "crop_px": min(fields["crop_px"], self.pack.size_px)})

    @property
    def plan(self) -> Plan:
        """What the search will take."""
        first = self.space.first_parameters()
        specs = [self.make_spec(first[place % len(first)]) for place in range(self.n_trials)]
        workload = Workload(
            n_train=len(self.pack.images_of(self.splits[0], "train")),
            n_scored=len(self.scored_images(self.splits[0], "validation")),
            n_tested=len(self.scored_images(self.splits[0], "test")),
            size_px=self.pack.size_px,
            n_qualities=len(self.pack.qualities),
        )
        return make_plan(self.space, self.scale, specs, self.machine, workload)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that trials are trained on."""
        return tuple(self.space.axes.get("split", (self.fields["split"],)))

    def scored_images(self, split: str, subset: str) -> NDArray[np.int64]:
        """Return the images of a split's subset that scores are about."""
        return self.bench.protocol.images_to_score(self.pack, split, subset)

    @property
    def n_finalists(self) -> int:
        """How many trials are scored on test images."""
        return self.n_trials if self.space.tests_all else self.scale.n_finalists

    @cached_property
    def parcels(self) -> list[Parcel]:
        """What every node needs: the pack, and VGG16's weights if any."""
        weights = [file_parcel(self.vgg16_weights)] if self.vgg16_weights else []
        return [pack_parcel(self.pack), *weights]

    @property
    def bench(self) -> Bench:
        protocol = self.scale.protocol.for_images(self.pack.size_px)
        return Bench(protocol, self.machine.n_threads, self.vgg16_weights, self.plugin)

    @property
    def baselines(self) -> list[TrialSpec]:
        """What every network is held against, on each split: JPEG as it is, and the filter of each training quality."""
        qualities = self.space.axes.get("training_quality", ())
        filters = [replace(FILTER, training_quality=quality) for quality in qualities]
        return [replace(spec, split=split) for split in self.splits for spec in (BASELINE, *filters)]
