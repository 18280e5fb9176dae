"""A task: a search as asked for, checked and planned, before anything of it exists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.packed import PackedDataset
from models.plugins import Plugin
from search.cluster.file_set import FileSet, file_set_of_file, file_set_of_pack
from search.cluster.placement import fits
from search.space.continuation import Continuation
from search.space.earlier import Earlier
from search.space.plan import Machine, Plan, Workload, epochs_within, make_plan
from search.space.scale import Scale, TrialSetup
from search.space.space import Space
from search.space.spec import BASELINE, FILTER, TrialSpec
from search.space.values import resolve


@dataclass(frozen=True)
class Task:
    """A search as asked for, checked and planned.

    n_trials: how many are tried, besides those that train the best again; began: when the command did, by the monotonic
    clock; options: what --resume needs to ask for the same again; computing: how every trial computes, field of
    TrialSpec -> value; left_out: what was asked for and cannot be run, each with why; max_macs: the most
    multiply-accumulates a pixel that a network may take; least_viewable_ssim: see `search.space.scale.Protocol`;
    reports: whether what the report alone needs is made; mlflow: the address of a tracking server, where there is one.
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
    max_macs: int | None = None
    least_viewable_ssim: float | None = None
    began: float | None = None
    reports: bool = True
    mlflow: str | None = None

    def starting_from(self, earlier: Earlier) -> "Task":
        """Return the task that starts from what earlier runs know."""
        return replace(self, earlier=earlier)

    def with_epochs(self, epochs: int) -> "Task":
        """Return the task whose trials have so many epochs at most, which --resume remembers."""
        return replace(self, scale=self.scale.with_epochs(epochs), options={**self.options, "epochs": epochs})

    def within_budget(self) -> "Task":
        """Return the task with fewer epochs, where the time budget wants that and the scale allows it."""
        if self.budget_s is None or not self.scale.fits_budget or self.space.says_epochs:
            return self
        specs = self._planned_specs(self.n_trials)
        epochs = epochs_within(self.budget_s, self.space, self.scale, specs, self.machine, self.workload)
        return self.with_epochs(epochs) if epochs < self.epochs else self

    @property
    def fields(self) -> dict[str, Any]:
        """What the scale, the space and the machine fix of every spec, for some by the values of an axis."""
        return {**self.scale.fields, "seed": self.seed, **self.computing, **self.space.fields}

    @property
    def smallest_specs(self) -> list[TrialSpec]:
        """The trials of each cell that take the least memory."""
        specs = []
        for first in self.first_parameters:
            sizes = self.space.choices("batch_size", first)
            specs.append(self.make_spec({**first, **({"batch_size": min(sizes)} if sizes else {})}))
        return specs

    @property
    def epochs(self) -> int:
        """The most epochs that a trial may have."""
        return max(self.make_spec(first).epochs for first in self.first_parameters)

    @cached_property
    def first_parameters(self) -> list[dict[str, Any]]:
        """The first parameters of each cell whose network max_macs allows; of every cell where it allows none."""
        every = self.space.first_parameters()
        if self.max_macs is None:
            return every
        return [first for first in every if self.make_spec(first).macs_per_pixel <= self.max_macs] or every

    def make_spec(self, parameters: dict[str, Any]) -> TrialSpec:
        """Complete what the space draws to a spec; where nobody drew its batch size, the usual or what fits a card."""
        fields = {**resolve(self.fields, parameters), **parameters}
        spec = TrialSpec(**{**fields, "crop_px": min(fields["crop_px"], self.pack.size_px)})
        if "batch_size" in parameters or self.fits(spec):
            return spec
        sizes = sorted(self.space.choices("batch_size", parameters), reverse=True)
        smaller = (replace(spec, batch_size=size) for size in sizes if size < spec.batch_size)
        return next(filter(self.fits, smaller), spec)

    def fits(self, spec: TrialSpec) -> bool:
        """Say whether the largest card, or without cards the largest node, has the memory that a trial needs."""
        return fits(spec, self.machine)

    @property
    def plan(self) -> Plan:
        """What the search will take."""
        specs = self._planned_specs(self.n_trials + self.n_confirming)
        return make_plan(self.space, self.scale, specs, self.machine, self.workload, self.n_confirming)

    def _planned_specs(self, n_trials: int) -> list[TrialSpec]:
        first = self.first_parameters
        return [self.make_spec(first[place % len(first)]) for place in range(n_trials)]

    @property
    def workload(self) -> Workload:
        """What of the pack the search works on."""
        return Workload(
            n_train=len(self.pack.images_of(self.splits[0], "train")),
            n_scored=len(self.scored_images(self.splits[0], "validation")),
            n_tested=len(self.scored_images(self.splits[0], "test")),
            size_px=self.pack.size_px,
            n_qualities=len(self.pack.qualities),
            n_finalists=self.n_finalists,
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that trials are trained on."""
        return tuple(self.space.axes.get("split", (self.fields["split"],)))

    def scored_images(self, split: str, subset: str) -> NDArray[np.int64]:
        """Return the images of a split's subset that scores are about."""
        return self.setup.protocol.images_to_score(self.pack, split, subset)

    @property
    def n_confirming(self) -> int:
        """How many trials train the best again, with other seeds."""
        return self.scale.n_confirmed * self.scale.n_seeds if self.space.confirms else 0

    def confirming(self, spec: TrialSpec) -> list[TrialSpec]:
        """Return the trials that train a spec again."""
        return [replace(spec, seed=self.seed + place) for place in range(1, self.scale.n_seeds + 1)]

    def confirms(self, spec: TrialSpec) -> bool:
        """Say whether a trial trains another again."""
        return self.space.confirms and spec.seed != self.seed

    @property
    def n_pretrained(self) -> int:
        """How many networks are trained on files of several encoders before the trials."""
        return len(self.space.axes["architecture"]) if self.space.screens else 0

    @property
    def n_finalists(self) -> int:
        """How many trials are scored on test images."""
        return self.n_trials if self.space.tests_all else self.scale.n_finalists

    @cached_property
    def file_sets(self) -> list[FileSet]:
        """What every node needs: the pack, and VGG16's weights if any."""
        weights = [file_set_of_file(self.vgg16_weights)] if self.vgg16_weights else []
        return [file_set_of_pack(self.pack), *weights]

    @property
    def setup(self) -> TrialSetup:
        protocol = self.scale.protocol.for_images(self.pack.size_px)
        protocol = replace(protocol, least_viewable_ssim=self.least_viewable_ssim)
        return TrialSetup(protocol, self.machine.n_threads, self.vgg16_weights, self.plugin)

    def baselines_of(self, specs: Iterable[TrialSpec]) -> list[TrialSpec]:
        """Return what trials with encoders of their own are held against: their files as they are, and the filter."""
        own = [spec for spec in specs if spec.encoder is not None]
        baselines = [
            replace(baseline, split=spec.split, encoder=spec.encoder)
            for spec in own
            for baseline in (BASELINE, replace(FILTER, training_quality=spec.training_quality))
        ]
        return list(dict.fromkeys(baselines))

    @property
    def baselines(self) -> list[TrialSpec]:
        """What every network is held against, on each split: JPEG as it is, and the filter of each training quality."""
        fixed = self.fields.get("training_quality")
        qualities = self.space.axes.get("training_quality", () if fixed is None else (fixed,))
        filters = [replace(FILTER, training_quality=quality) for quality in qualities]
        return [replace(spec, split=split) for split in self.splits for spec in (BASELINE, *filters)]
