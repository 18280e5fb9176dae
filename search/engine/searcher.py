"""What is tried next, by Ray Tune's searcher interface: promising settings and cells never tried, in turn."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search.engine.early_stopping import METRIC
from search.engine.mirror import Mirror
from search.engine.optuna_states import SPEAKS_NOT, bests_by_epoch, rank, state_and_value
from search.engine.surrogate import Settings, draw, sample
from search.records import TrialRecord
from search.space.space import Cell, Space
from search.space.spec import TrialSpec

CELL_EVERY = 3  # every so many proposals one is a cell that was never tried
N_CANDIDATES, N_DRAWS = 100, 1000  # settings that the surrogate chooses from, and draws until so many are new
MACS = "macs_per_pixel"


class Host(Protocol):
    """Who runs what is proposed."""

    def announce(self, spec: TrialSpec) -> bool:
        """Hear of a proposal before it starts; False ends the search."""
        ...

    def settle(self, spec: TrialSpec, crashed: bool) -> TrialRecord | None:
        """Return the record of a trial that ended, None where it only paused."""
        ...

    def is_held(self, spec: TrialSpec) -> bool:
        """Say whether a trial without a record could not start where it was put, and is to be proposed again."""
        ...

    def confirmations(self, n_left: int) -> Sequence[TrialSpec] | None:
        """Return the trials that confirm the best ones, None while it is too early for them.

        n_left: how many others can still be proposed.
        """
        ...


class LowqSearch(Searcher):  # type: ignore[misc]
    """Proposes what a surrogate finds most promising, and every CELL_EVERY-th time a cell that was never tried.

    As many cells as the longest axis has values come first, with the usual values, so that each was seen once, and
    cells until a trial has ended; when as many are left as there are proposals, these are all that is proposed.
    Optuna's study keeps what was tried.
    make_spec(parameters) completes what the space draws; n_trials: how many are proposed besides what is unfinished;
    max_macs: multiply-accumulates a pixel that no proposal exceeds; has_room: whether a trial finds the memory that it
    needs. Nothing is proposed twice.
    """

    def __init__(
        self,
        space: Space,
        make_spec: Callable[[dict[str, Any]], TrialSpec],
        host: Host,
        seed: int,
        n_trials: int,
        mirror: Mirror | None = None,
        max_macs: int | None = None,
        has_room: Callable[[TrialSpec], bool] = lambda spec: True,
    ) -> None:
        super().__init__(metric=METRIC, mode="min")
        self.space, self.make_spec, self.host, self.mirror, self.max_macs = space, make_spec, host, mirror, max_macs
        self.has_room = has_room
        self.n_left = n_trials
        self.seed = seed
        self.study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed))
        self.unfinished: deque[TrialSpec] = deque()
        self.cells: deque[dict[str, Any]] = deque()  # in balanced order; tried ones are passed over
        self.n_cells = 0
        self.tried_cells: set[Cell] = set()
        self.open: dict[str, tuple[TrialSpec, optuna.trial.Trial | None]] = {}  # by Tune's trial id
        self.known: set[str] = set()
        self.paused: list[TrialSpec] = []
        self.is_closed = False

    def continue_from(
        self, records: Iterable[TrialRecord], unfinished: Iterable[TrialSpec], earlier: Iterable[TrialRecord] = ()
    ) -> None:
        """Learn from ended trials and propose unfinished ones first, then the cells that were never tried.

        earlier: trials of other runs, at other fidelity: known to Optuna as pruned where they ended.
        """
        records, self.unfinished = list(records), deque(unfinished)
        self.known = {record.trial_id for record in records} | {spec.trial_id for spec in self.unfinished}
        told = [self._remembered(record, *state_and_value(record)) for record in records]
        told += [self._remembered(record, TrialState.PRUNED, None) for record in earlier]
        for trial in filter(None, told):
            self._add(trial)
        self.tried_cells = {self._cell(spec) for spec in (*(record.spec for record in records), *self.unfinished)}
        firsts = self.space.first_parameters()
        self.cells = deque(first for first in firsts if self._fits(self.make_spec(first)))
        self.n_cells = len(self.cells)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        spec, trial = self._next()
        if spec is None and self.open and not self.is_closed:
            return None  # what is open may be held and proposed again, and tells what is to be confirmed
        if spec is None or not self.host.announce(spec):
            return str(Searcher.FINISHED)
        self.known.add(spec.trial_id)
        self.tried_cells.add(self._cell(spec))
        if trial is not None:
            trial.set_user_attr("trial_id", spec.trial_id)
        self.open[trial_id] = (spec, trial)
        return {"spec": spec}

    def _next(self) -> tuple[TrialSpec | None, optuna.trial.Trial | None]:
        if self.is_closed:
            return None, None
        if self.unfinished:
            spec = self.unfinished.popleft()
            return spec, self._drawn_again(spec)
        confirming = self.host.confirmations(self.n_left)
        if confirming is not None:
            return next((spec for spec in confirming if spec.trial_id not in self.known), None), None
        if self.n_left:
            proposal = self._propose()
            if proposal is not None:
                self.n_left -= 1
                return proposal
            self.n_left = 0
        return None, None

    def _propose(self) -> tuple[TrialSpec, optuna.trial.Trial | None] | None:
        """Return a spec that was not proposed before, None where the space has no more."""
        self.cells = deque(cell for cell in self.cells if tuple(cell.values()) not in self.tried_cells)
        takes_turn = len(self.known) % CELL_EVERY == 0 or len(self.cells) == self.n_left
        is_first = self.n_cells - len(self.cells) < max(len(values) for values in self.space.axes.values())
        if not self.space.sampled or (self.cells and (is_first or not self._ended())):
            spec = self.make_spec(self.cells.popleft()) if self.cells else None
        elif self.cells and takes_turn:
            spec = self._promising(self.cells.popleft()) or self._promising({})
        else:
            spec = self._promising({})
        return None if spec is None else (spec, self._drawn_again(spec))

    def _ended(self) -> list[optuna.trial.FrozenTrial]:
        """Return what the surrogate learns from, in an order that does not depend on when trials ended."""
        ended = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        return sorted(ended, key=lambda trial: str(trial.user_attrs.get("trial_id")))

    def _promising(self, cell: Mapping[str, Any]) -> TrialSpec | None:
        """Return what the surrogate expects most of, in a cell where one is given; None where there is nothing new."""
        rng = np.random.default_rng((self.seed, len(self.known)))  # the same after a crash
        most_macs = self._most_macs(cell, rng)
        candidates: dict[TrialSpec, Settings] = {}
        for _ in range(N_DRAWS):
            parameters, settings = draw(self.space, cell, rng)
            spec = self.make_spec(parameters)
            is_new = spec not in candidates and spec.trial_id not in self.known
            if is_new and spec.macs_per_pixel <= most_macs and self._fits(spec):
                candidates[spec] = settings
            if len(candidates) == N_CANDIDATES:
                break
        ended = self._ended()
        if not candidates or not ended:
            return next(iter(candidates), None)
        tried = [draw(self.space, trial.params, rng)[1] for trial in ended]
        promise = sample(tried, [rank(trial) for trial in ended], list(candidates.values()), rng)
        return list(candidates)[int(np.argmin(promise))]

    def _most_macs(self, cell: Mapping[str, Any], rng: np.random.Generator) -> float:
        """Return what the next proposal costs at most, where multiply-accumulates are minimised too.

        Every second one is to be the best of those that cost no more than one drawn by chance: the constraint method
        (Haimes et al. 1971), which finds every point of a front with one objective at a time.
        """
        if not self.space.minimises_macs or len(self.known) % 2 == 0:
            return math.inf
        return self.make_spec(draw(self.space, cell, rng)[0]).macs_per_pixel

    def _ask(self, drawn: dict[str, Any]) -> optuna.trial.Trial:
        self.study.enqueue_trial(drawn)
        return self.study.ask()

    def _drawn_again(self, spec: TrialSpec) -> optuna.trial.Trial | None:
        """Return the trial of Optuna that draws this spec, None where its space or seed is another's."""
        values = _values(self.space, spec)
        drawn = self.space.drawn_from(values)
        if drawn is None or self.make_spec(values) != spec:
            return None
        trial = self._ask(drawn)
        self._suggested(trial)
        return trial

    def _suggested(self, trial: optuna.trial.Trial) -> dict[str, Any]:
        """Have the space draw from a trial of Optuna, which then knows what the network costs."""
        drawn = self.space.suggest(trial)
        if self.max_macs is not None:
            trial.set_constraint(MACS, self.make_spec(drawn).macs_per_pixel - self.max_macs)
        return drawn

    def _cell(self, spec: TrialSpec) -> Cell:
        return tuple(getattr(spec, axis) for axis in self.space.axes)

    def _fits(self, spec: TrialSpec) -> bool:
        return (self.max_macs is None or spec.macs_per_pixel <= self.max_macs) and self.has_room(spec)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        _, trial = self.open[trial_id]
        if METRIC in result and trial is not None:
            trial.report(result[METRIC], result["epoch"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        spec, trial = self.open.pop(trial_id)
        record = self.host.settle(spec, error)
        if record is None:
            (self.unfinished if self.host.is_held(spec) else self.paused).append(spec)
        elif trial is not None:
            self._tell(trial, record)

    def _tell(self, trial: optuna.trial.Trial, record: TrialRecord) -> None:
        """Tell Optuna how a trial ended; of a dead or diverged one nothing that it showed before."""
        if record.status in SPEAKS_NOT:
            # FAIL is forgotten, and COMPLETE would rank it; pruned without a value it is the worst that is known
            self.study.tell(trial, state=TrialState.FAIL)
            remembered = self._remembered(record, TrialState.PRUNED, None)
            if remembered is not None:
                self._add(remembered)
            return
        state, value = state_and_value(record)
        told = self.study.tell(trial, value, state=state)
        if self.mirror:
            self.mirror.add(told)

    def _add(self, trial: optuna.trial.FrozenTrial) -> None:
        self.study.add_trial(trial)
        if self.mirror:
            self.mirror.add(trial)

    def close(self) -> None:
        """Propose nothing more."""
        self.is_closed = True

    @property
    def n_open(self) -> int:
        """How many proposed trials have no record."""
        return len(self.open) + len(self.paused) + len(self.unfinished)

    def save(self, checkpoint_path: str) -> None:
        """Leave an empty file for Tune: a run is continued from its records, never from Tune's state."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes the searcher into its own files, and this one knows the whole pack."""
        return {}

    def _remembered(
        self, record: TrialRecord, state: TrialState, value: float | None
    ) -> optuna.trial.FrozenTrial | None:
        """Return an ended trial as Optuna's, None where the space could not have drawn it, or not with its seed."""
        drawn = self.space.drawn_from(_values(self.space, record.spec))
        if drawn is None or record.spec.seed != self.make_spec(_values(self.space, record.spec)).seed:
            return None
        fixed = optuna.trial.FixedTrial(drawn)
        self.space.suggest(fixed)
        return optuna.trial.create_trial(
            state=state,
            value=value,
            params=drawn,
            distributions=fixed.distributions,
            intermediate_values=bests_by_epoch(record),
            user_attrs={"trial_id": record.trial_id},
        )


def _values(space: Space, spec: TrialSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in (*space.axes, *space.sampled)}
