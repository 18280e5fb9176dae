"""The plan of a search before anything runs: how many trials, how many epochs, how long it should take, and why."""

import math
from dataclasses import dataclass, field, replace

from models.footprint import footprint
from models.names import PERCEPTUAL
from search.space.scale import Protocol, Scale
from search.space.space import Space
from search.space.spec import TrialSpec

CPU_MACS_PER_S = 2e10  # of one core, where it was not measured (`search.cluster.speed`); the run corrects it as it goes
# Assumed: a third of the single-precision peak of a GTX 1650 (1.5e12 MACs a second).
GPU_MACS_PER_S = 5e11
VGG16_MACS_PER_PIXEL = (
    305_856  # of its convolutions; the perceptual loss takes it forward twice, back to its input once
)
BACKWARD_FACTOR = 3  # forward once, backward about twice that
# Estimates from single runs on the same machine; the time left that a search shows is soon its own.
READING_S = 0.004  # a sample: decoding, or compressing and decoding
SCORING_S = 0.06  # an image at a quality: both regions' metrics
SCREENING_S = 5.0  # an encoder, on one core: its files, the filter fitted to them, scores
CODECS_S = 4.0  # an image in every setting of the other codecs
TRIAL_S = 6.0  # a trial, before and after its epochs: building, compiling, its files
START_S = 20.0  # Ray, and the workers' imports
END_S = 30.0  # the finalists' workers and the report
N_IN_A_BUDGET = 3  # trials that follow each other: two of the search, and one that trains the best again


@dataclass(frozen=True)
class Machine:
    """What trials run on: how many at a time, with how many threads each, on GPUs or not.

    memory_mb: of the largest node, for trials without a GPU; gpu_mem_mb: of the largest card, where every node with a
    card says how much it has. 0: unknown, nothing is asked for. trials_per_gpu: how many may share a card. avoided: the
    ids of nodes where nothing may run; n_without_gpu: nodes that have no card where trials run on cards.
    core_macs_per_s: multiply-accumulates a second of one core.
    """

    n_slots: int
    n_threads: int
    n_gpus: float = 0
    memory_mb: float = 0
    gpu_mem_mb: float = 0
    trials_per_gpu: int = 1
    avoided: tuple[str, ...] = ()
    n_without_gpu: int = 0
    core_macs_per_s: float = field(default=CPU_MACS_PER_S, compare=False)

    @property
    def macs_per_s(self) -> float:
        """Multiply-accumulates a second for one trial."""
        return GPU_MACS_PER_S if self.n_gpus else self.core_macs_per_s * self.n_threads


@dataclass(frozen=True)
class Workload:
    """Numbers of images, their side, and of finalists and the qualities at which these are tested."""

    n_train: int
    n_scored: int
    n_tested: int
    size_px: int
    n_qualities: int
    n_finalists: int


@dataclass(frozen=True)
class Plan:
    """A search about to run; the share of epochs that early stopping leaves is an estimate.

    n_confirming: trials besides, which train the best again. trials_s, finish_s: seconds expected of the trials and
    what comes before them, and of the finalists and the report after them.
    """

    n_trials: int
    n_confirming: int
    n_cells: int
    epochs: int
    stops_early: bool
    n_epochs_expected: float
    trials_s: float
    finish_s: float

    def describe(self) -> str:
        """Return the plan in words, a line each."""
        in_all = (
            f"about {self.n_epochs_expected:.0f} in all after early stopping" if self.stops_early else "all of them"
        )
        n_cells = min(self.n_trials, self.n_cells)
        cells = f"{'' if n_cells == self.n_cells else 'up to '}{n_cells} of {self.n_cells} cells tried"
        again = f" and {self.n_confirming} that train the best again" if self.n_confirming else ""
        return (
            f"plan: {self.n_trials} trials ({cells}){again}, up to {self.epochs} epochs each, {in_all}\n"
            f"expected time: about {math.ceil((self.trials_s + self.finish_s) / 60)} min"
        )


def make_plan(
    space: Space, scale: Scale, specs: list[TrialSpec], machine: Machine, workload: Workload, n_confirming: int = 0
) -> Plan:
    """Plan a search whose trials will be like specs (one for each trial, cells first; the last n_confirming again)."""
    epochs = max(spec.epochs for spec in specs)
    share = expected_share(epochs, scale.grace_epochs, scale.reduction_factor) if space.stops_early else 1.0
    shares = [share] * (len(specs) - n_confirming) + [1.0] * n_confirming  # what confirms is not stopped
    protocol = scale.protocol.for_images(workload.size_px)
    working_s = sum(
        _trial_seconds(spec, share, protocol, machine, workload) for spec, share in zip(specs, shares, strict=True)
    )
    largest = max(specs, key=_macs_per_pixel)
    tested = workload.n_tested * workload.n_qualities * workload.n_finalists
    testing_s = tested * _restoring_seconds(largest, workload.size_px, machine)
    codecs_s = CODECS_S * min(workload.n_tested, protocol.n_compared) / machine.n_slots / machine.n_threads
    return Plan(
        n_trials=len(specs) - n_confirming,
        n_confirming=n_confirming,
        n_cells=len(space.cells()),
        epochs=epochs,
        stops_early=space.stops_early,
        n_epochs_expected=sum(share * spec.epochs for spec, share in zip(specs, shares, strict=True)),
        trials_s=_start_s(space, machine) + working_s / min(machine.n_slots, len(specs)),
        finish_s=END_S + testing_s / machine.n_slots + codecs_s,
    )


def epochs_within(
    budget_s: float, space: Space, scale: Scale, specs: list[TrialSpec], machine: Machine, workload: Workload
) -> int:
    """Return with how many epochs at most trials can be trained to their end within a time budget.

    All of specs, or where the weak stop early, N_IN_A_BUDGET like the first of them one after the other. No fewer
    epochs than it takes to compare trials for the first time, and no more than specs have.
    """
    protocol, epochs = scale.protocol.for_images(workload.size_px), max(spec.epochs for spec in specs)
    if space.stops_early:
        specs, n_at_once = specs[:1] * N_IN_A_BUDGET, 1
    else:
        n_at_once = min(machine.n_slots, len(specs))
    short_s, whole_s = (
        sum(_trial_seconds(replace(spec, epochs=n), 1.0, protocol, machine, workload) for spec in specs) / n_at_once
        for n in (1, epochs)
    )
    left_s = budget_s - _start_s(space, machine)
    if whole_s <= left_s:
        return epochs
    n_fitting = 1 + math.floor((left_s - short_s) * (epochs - 1) / (whole_s - short_s))
    return min(max(n_fitting, scale.grace_epochs), epochs)


def expected_share(epochs: int, grace_epochs: int, reduction_factor: int) -> float:
    """Return the share of epochs that ASHA lets run when at each rung one in reduction_factor trials goes on.

    The first trials at a rung go on whatever they show, so short searches run more.
    """
    rung, alive, run = min(grace_epochs, epochs), 1.0, 0.0
    done = 0
    while done < epochs:
        run += alive * (rung - done)
        done, rung, alive = rung, min(rung * reduction_factor, epochs), alive / reduction_factor
    return run / epochs


def _start_s(space: Space, machine: Machine) -> float:
    """Return the seconds before the first trial."""
    screened = space.n_screened if space.screens else 0
    return START_S + SCREENING_S * screened / machine.n_slots / machine.n_threads


def _trial_seconds(spec: TrialSpec, share: float, protocol: Protocol, machine: Machine, workload: Workload) -> float:
    macs = _macs_per_pixel(spec) / machine.macs_per_s
    n_images = spec.epoch_images or workload.n_train
    loss_macs = 3 * VGG16_MACS_PER_PIXEL / machine.macs_per_s if spec.loss == PERCEPTUAL else 0
    training_s = n_images * (READING_S / machine.n_threads + spec.crop_px**2 * (macs * BACKWARD_FACTOR + loss_macs))
    monitored = protocol.n_monitored * len(protocol.scored_qualities)
    watching_s = monitored * protocol.monitor_px**2 * macs
    scoring_s = workload.n_scored * len(protocol.scored_qualities) * _restoring_seconds(spec, workload.size_px, machine)
    return TRIAL_S + share * spec.epochs * (training_s + watching_s) + scoring_s


def _restoring_seconds(spec: TrialSpec, size_px: int, machine: Machine) -> float:
    return SCORING_S + size_px**2 * _macs_per_pixel(spec) / machine.macs_per_s


def _macs_per_pixel(spec: TrialSpec) -> int:
    return footprint(spec.architecture, spec.size).macs_per_pixel
