"""What is tried next: Optuna asked and told by Ray Tune's searcher interface."""

import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import optuna
import sqlalchemy
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search.engine.early_stopping import METRIC
from search.records import TrialRecord
from search.space.spaces import Space
from search.space.spec import TrialSpec, TrialStatus

logger = logging.getLogger("optuna.lowq")  # where Optuna's own goes
# To draw a spec that was not proposed before: first guided, then by chance, where TPE would only repeat itself.
N_GUIDED, N_BY_CHANCE = 10, 300
CELLS_FIRST = 2  # how often each value of the longest axis is seen before Optuna proposes
MACS = "macs_per_pixel"
LOCKED_S = 1.0  # for which a copy that somebody else has locked is waited for
SPEAKS_NOT = (TrialStatus.DEAD, TrialStatus.DIVERGED)  # what these showed before says nothing of where to look


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
    """Proposes cells in balanced order first, then in turn what Optuna's TPE thinks best and the cells that are left.

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
        mirror: "Mirror | None" = None,
        max_macs: int | None = None,
        has_room: Callable[[TrialSpec], bool] = lambda spec: True,
    ) -> None:
        super().__init__(metric=METRIC, mode="min")
        self.space, self.make_spec, self.host, self.mirror, self.max_macs = space, make_spec, host, mirror, max_macs
        self.has_room = has_room
        self.n_left = n_trials
        self.study = optuna.create_study(direction="minimize", sampler=_sampler(seed))
        self.by_chance = optuna.samplers.RandomSampler(seed)
        self.unfinished: deque[TrialSpec] = deque()
        self.cells: deque[dict[str, Any]] = deque()
        self.n_cells_first = 0
        self.takes_cell = False  # or Optuna's proposal, in turn
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
        told = [self._remembered(record, *_told(record)) for record in records]
        told += [self._remembered(record, TrialState.PRUNED, None) for record in earlier]
        for trial in filter(None, told):
            self._add(trial)
        firsts = [first for first in self.space.first_parameters() if self._fits(self.make_spec(first))]
        untried = [first for first in firsts if self.make_spec(first).trial_id not in self.known]
        self.cells = deque(untried)
        n_first = CELLS_FIRST * max(len(values) for values in self.space.axes.values())
        n_first = n_first if self.space.sampled else len(firsts)  # without values to draw a cell is one trial
        self.n_cells_first = max(0, n_first - (len(firsts) - len(untried)))

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        spec, trial = self._next()
        if self.is_closed or (spec is None and not self._awaits_confirmation()):
            return str(Searcher.FINISHED)
        if spec is None:
            return None  # what confirms the best is known when the others have ended
        if not self.host.announce(spec):
            return str(Searcher.FINISHED)
        self.known.add(spec.trial_id)
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

    def _awaits_confirmation(self) -> bool:
        return bool(self.open) and not self.n_left and self.host.confirmations(0) is None

    def _propose(self) -> tuple[TrialSpec, optuna.trial.Trial | None] | None:
        """Return a spec that was not proposed before, None where the space has no more."""
        takes_cell = self.cells and (self.n_cells_first > 0 or self.takes_cell or not self.space.sampled)
        self.takes_cell = not self.takes_cell if self.n_cells_first <= 0 else False
        if takes_cell:
            self.n_cells_first -= 1
            spec = self.make_spec(self.cells.popleft())
            return spec, self._drawn_again(spec)
        guided = self.study.sampler
        try:
            for sampler in N_GUIDED * [guided] + N_BY_CHANCE * [self.by_chance]:
                self.study.sampler = sampler
                trial = self.study.ask()
                spec = self.make_spec(self._suggested(trial))
                if spec.trial_id not in self.known and self._fits(spec):
                    return spec, trial
                # a repetition teaches nothing; what costs too much is known to be so by its constraint
                repeats = spec.trial_id in self.known
                self.study.tell(trial, state=TrialState.FAIL if repeats else TrialState.PRUNED)
        finally:
            self.study.sampler = guided
        return None

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
        state, value = _told(record)
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
        bests: dict[int, float] = {}
        for row in record.curve if record.status not in SPEAKS_NOT else ():
            shown = row.get("bytes_at_parity")
            if shown is not None:
                bests[int(row["epoch"] or 0)] = min([shown, *bests.values()])
        return optuna.trial.create_trial(
            state=state,
            value=value,
            params=drawn,
            distributions=fixed.distributions,
            intermediate_values=bests,
            user_attrs={"trial_id": record.trial_id},
        )


class Mirror:
    """A copy of the study in RUN/study.db, for optuna-dashboard. Nothing reads it back; the driver alone writes it."""

    def __init__(self, run: Path) -> None:
        database = run / "study.db"
        database.unlink(missing_ok=True)  # what ended before is told again
        address = sqlalchemy.URL.create("sqlite", database=str(database)).render_as_string()
        waiting = {"connect_args": {"timeout": LOCKED_S}}
        storage = optuna.storages.RDBStorage(address, engine_kwargs=waiting)
        self.study = optuna.create_study(storage=storage, study_name=run.name, direction="minimize")
        self.is_broken = False

    def add(self, trial: optuna.trial.FrozenTrial) -> None:
        """Add an ended trial; a copy that cannot be written is no reason to end a search, or to hold it up again."""
        if self.is_broken:
            return
        try:
            self.study.add_trial(trial)
        except optuna.exceptions.StorageInternalError as error:
            self.is_broken = True
            logger.warning("study.db lacks trial %s and those after it: %s", trial.user_attrs, error)


def _values(space: Space, spec: TrialSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in (*space.axes, *space.sampled)}


def _told(record: TrialRecord) -> tuple[TrialState, float | None]:
    """Return what Optuna is told: a failed trial is forgotten, so only a crash is one; a weak trial was pruned."""
    match record.status:
        case TrialStatus.COMPLETED if record.bytes_at_parity is not None:
            return TrialState.COMPLETE, record.bytes_at_parity
        case TrialStatus.FAILED:
            return TrialState.FAIL, None
        case _:
            return TrialState.PRUNED, None


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
