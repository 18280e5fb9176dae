"""Optuna inside Ray Tune: proposes specs, cells first, and is told what became of them."""

import logging
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from search.records import TrialRecord
from search.space.spaces import Space
from search.space.spec import TrialSpec, TrialStatus

logger = logging.getLogger("optuna.lowq")  # where Optuna's own goes
METRIC = "best_margin"
# To draw a spec that was not proposed before: first guided, then by chance, where TPE would only repeat itself.
N_GUIDED, N_BY_CHANCE = 10, 50


class LowqSearch(OptunaSearch):  # type: ignore[misc]
    """Proposes each cell of the space once, in balanced order, then what Optuna's TPE thinks best.

    make_spec(parameters) completes what the space draws; announce(spec) hears of every proposal before it starts, and
    settle(spec, crashed) gives the record of one that ended, None where it only paused.
    """

    def __init__(
        self,
        space: Space,
        make_spec: Callable[[dict[str, Any]], TrialSpec],
        announce: Callable[[TrialSpec], None],
        settle: Callable[[TrialSpec, bool], TrialRecord | None],
        seed: int,
        mirror: "Mirror | None" = None,
    ) -> None:
        self.make_spec, self.announce, self.settle = make_spec, announce, settle
        self.axes, self.mirror = space, mirror
        self.proposed: dict[str, TrialSpec] = {}  # Tune's trial id -> spec
        self.known: set[str] = set()
        self.closed = False
        self.n_settled = 0
        self.by_chance = optuna.samplers.RandomSampler(seed)
        super().__init__(space=space.suggest, metric=METRIC, mode="max", sampler=_sampler(seed))

    def continue_from(
        self, records: Iterable[TrialRecord], unfinished: Iterable[TrialSpec], earlier: Iterable[TrialRecord] = ()
    ) -> None:
        """Learn from ended trials and propose unfinished ones first, then the cells that were never tried.

        earlier: trials of other runs, at other fidelity: known to Optuna as pruned where they ended.
        """
        records, unfinished = list(records), list(unfinished)
        self.known = {record.trial_id for record in records}
        told = [self._remembered(record, *_told(record)) for record in records]
        told += [self._remembered(record, TrialState.PRUNED, None) for record in earlier]
        for trial in filter(None, told):
            self._ot_study.add_trial(trial)
            if self.mirror:
                self.mirror.add(trial)
        queued = [self._parameters(spec) for spec in unfinished]
        firsts = [self.make_spec(first) for first in self.axes.first_parameters()]
        untried = [self._parameters(spec) for spec in firsts if spec.trial_id not in self.known]
        for parameters in queued + [first for first in untried if first not in queued]:
            self._ot_study.enqueue_trial(parameters)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        guided = self._ot_study.sampler
        try:
            for sampler in () if self.closed else N_GUIDED * [guided] + N_BY_CHANCE * [self.by_chance]:
                self._ot_study.sampler = sampler
                spec = self._draw(trial_id)
                if spec is not None:
                    self.announce(spec)
                    return str(Searcher.FINISHED) if self.closed else vars(spec)  # it could not be announced
        finally:
            self._ot_study.sampler = guided
        return str(Searcher.FINISHED)

    def _draw(self, trial_id: str) -> TrialSpec | None:
        """Draw a spec, None where it was proposed before."""
        drawn = super().suggest(trial_id)  # Optuna's own names too
        spec = self.make_spec({name: drawn[name] for name in (*self.axes.axes, *self.axes.sampled)})
        if spec.trial_id in self.known:
            self._ot_study.tell(self._ot_trials.pop(trial_id), state=TrialState.FAIL)  # a repetition teaches nothing
            return None
        self.known.add(spec.trial_id)
        self.proposed[trial_id] = spec
        self._ot_trials[trial_id].set_user_attr("trial_id", spec.trial_id)
        return spec

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if METRIC in result:
            self._ot_trials[trial_id].report(result[METRIC], result["epoch"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        record = self.settle(self.proposed[trial_id], error)
        if record is not None:
            self.n_settled += 1
            told = self._tell(self._ot_trials[trial_id], record)
            if self.mirror:
                self.mirror.add(told)

    def _tell(self, trial: optuna.trial.Trial, record: TrialRecord) -> optuna.trial.FrozenTrial:
        """Tell Optuna how a trial ended, and return what it knows of it then."""
        study: optuna.Study = self._ot_study
        state, value = _told(record)
        if record.status is not TrialStatus.DIVERGED:
            return study.tell(trial, value, state=state)
        study.tell(trial, state=TrialState.FAIL)  # what it showed before would rank it above trials that were weak
        remembered = self._remembered(record, state, value)
        assert remembered is not None, "a trial that was drawn can be drawn"
        study.add_trial(remembered)
        return remembered

    def close(self) -> None:
        """Propose nothing more."""
        self.closed = True

    @property
    def n_open(self) -> int:
        """How many proposed trials have no record."""
        return len(self.proposed) - self.n_settled

    def save(self, checkpoint_path: str) -> None:
        """Leave an empty file for Tune: a run is continued from its records, never from Tune's state."""
        Path(checkpoint_path).touch()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes the searcher into its own files, and this one knows the whole pack."""
        return {}

    def _parameters(self, spec: TrialSpec) -> dict[str, Any]:
        drawn = self.axes.drawn_from(_values(self.axes, spec))
        if drawn is None:
            raise ValueError(f"space {self.axes.name} could not have drawn {spec.trial_id}")
        return drawn

    def _remembered(
        self, record: TrialRecord, state: TrialState, value: float | None
    ) -> optuna.trial.FrozenTrial | None:
        """Return an ended trial as Optuna's, None where the space could not have drawn it."""
        drawn = self.axes.drawn_from(_values(self.axes, record.spec))
        if drawn is None:
            return None
        fixed = optuna.trial.FixedTrial(drawn)
        self.axes.suggest(fixed)
        seen = [(int(row["epoch"] or 0), row["margin"]) for row in record.curve if row["margin"] is not None]
        bests = {epoch: max(margin for _, margin in seen[: place + 1]) for place, (epoch, _) in enumerate(seen)}
        is_told = record.status is not TrialStatus.DIVERGED
        return optuna.trial.create_trial(
            state=state,
            value=value,
            params=drawn,
            distributions=fixed.distributions,
            intermediate_values=bests if is_told else {},
            user_attrs={"trial_id": record.trial_id},
        )


class Mirror:
    """A copy of the study in RUN/study.db, for optuna-dashboard. Nothing reads it back; the driver alone writes it."""

    def __init__(self, run: Path) -> None:
        database = run / "study.db"
        database.unlink(missing_ok=True)  # what ended before is told again
        self.study = optuna.create_study(storage=f"sqlite:///{database}", study_name=run.name, direction="maximize")

    def add(self, trial: optuna.trial.FrozenTrial) -> None:
        """Add an ended trial; a copy that cannot be written is no reason to end a search."""
        try:
            self.study.add_trial(trial)
        except optuna.exceptions.StorageInternalError as error:
            logger.warning("study.db lacks trial %s: %s", trial.user_attrs, error)


def _values(space: Space, spec: TrialSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in (*space.axes, *space.sampled)}


def _told(record: TrialRecord) -> tuple[TrialState, float | None]:
    """Return what Optuna is told: a failed trial is forgotten, so only a crash is one; a weak trial was pruned."""
    match record.status:
        case TrialStatus.COMPLETED | TrialStatus.DEAD if record.margin is not None:
            return TrialState.COMPLETE, record.margin
        case TrialStatus.FAILED:
            return TrialState.FAIL, None
        case _:
            return TrialState.PRUNED, None


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
