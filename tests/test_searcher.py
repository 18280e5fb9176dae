"""The searcher: cells first, nothing twice, and Optuna told what became of every trial."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search.engine.searcher import LowqSearch, Mirror
from search.records import TrialRecord
from search.space.scale import SCALES
from search.space.spaces import SPACES, resolve
from search.space.spec import TrialSpec, TrialStatus

SPACE = SPACES["full"]
N_CELLS = len(SPACE.cells())


def _record(spec: TrialSpec, status: TrialStatus = TrialStatus.COMPLETED, margin: float | None = 0.5) -> TrialRecord:
    curve = ({"epoch": 1, "margin": margin},)
    return TrialRecord(spec, status, 1, margin, 0.1, -1.5, 1.0, curve)


def _make_spec(parameters: dict[str, Any]) -> TrialSpec:
    fixed = {**SCALES["demo"].fields, "epochs": 4, **SPACE.fields}
    return TrialSpec(**{**resolve(fixed, parameters), **parameters})


def _searcher(
    settle: Callable[[TrialSpec, bool], TrialRecord | None] = lambda spec, crashed: _record(spec), seed: int = 0
) -> tuple[LowqSearch, list[TrialSpec]]:
    announced: list[TrialSpec] = []
    searcher = LowqSearch(SPACE, _make_spec, announced.append, settle, seed)
    return searcher, announced


def _run(searcher: LowqSearch, n_trials: int) -> list[dict[str, Any]]:
    configurations = []
    for number in range(n_trials):
        configuration = searcher.suggest(f"t{number}")
        assert isinstance(configuration, dict)
        searcher.on_trial_complete(f"t{number}", {"best_margin": 0.5, "epoch": 1})
        configurations.append(configuration)
    return configurations


def test_every_cell_is_proposed_once_in_the_order_of_the_space_before_any_is_drawn() -> None:
    searcher, announced = _searcher()
    searcher.continue_from([], [])
    _run(searcher, N_CELLS)
    axes = [tuple(getattr(spec, axis) for axis in SPACE.axes) for spec in announced]
    assert axes == SPACE.cells()


def test_a_proposal_is_announced_before_it_is_returned_and_is_a_whole_spec() -> None:
    searcher, announced = _searcher()
    searcher.continue_from([], [])
    assert TrialSpec(**searcher.suggest("t0")) == announced[0]  # type: ignore[arg-type]


def test_drawn_proposals_are_new_specs_and_the_same_for_the_same_seed() -> None:
    runs = []
    for _ in range(2):
        searcher, announced = _searcher(seed=7)
        searcher.continue_from([], [])
        _run(searcher, N_CELLS + 5)
        assert len({spec.trial_id for spec in announced}) == N_CELLS + 5
        runs.append(announced)
    assert runs[0] == runs[1]
    other, announced = _searcher(seed=8)
    other.continue_from([], [])
    _run(other, N_CELLS + 5)
    assert announced != runs[0]


@pytest.mark.parametrize(
    ("status", "margin", "state", "value"),
    [
        (TrialStatus.COMPLETED, 0.5, TrialState.COMPLETE, 0.5),
        (TrialStatus.DEAD, -1.5, TrialState.COMPLETE, -1.5),
        (TrialStatus.STOPPED, -0.5, TrialState.PRUNED, -0.5),
        (TrialStatus.FAILED, None, TrialState.FAIL, None),
    ],
)
def test_optuna_is_told_how_a_trial_ended(
    status: TrialStatus, margin: float | None, state: TrialState, value: float | None
) -> None:
    searcher, _ = _searcher(lambda spec, crashed: _record(spec, status, margin))
    searcher.continue_from([], [])
    searcher.suggest("t0")
    if margin is not None:
        searcher.on_trial_result("t0", {"best_margin": margin, "epoch": 1})
    searcher.on_trial_complete("t0", {"epoch": 1})
    (told,) = [trial for trial in searcher._ot_study.trials if trial.number == 0]
    assert told.state is state
    assert told.value == value


def test_what_a_diverged_trial_showed_before_does_not_speak_for_it() -> None:
    searcher, _ = _searcher(lambda spec, crashed: _record(spec, TrialStatus.DIVERGED, 0.5))
    searcher.continue_from([], [])
    searcher.suggest("t0")
    searcher.on_trial_result("t0", {"best_margin": 0.5, "epoch": 1})
    searcher.on_trial_complete("t0", {"epoch": 1})
    (told,) = [trial for trial in searcher._ot_study.trials if trial.state is TrialState.PRUNED]
    assert (told.value, told.intermediate_values) == (None, {})
    resumed, _ = _searcher()
    resumed.continue_from([_record(_make_spec(SPACE.first_parameters()[0]), TrialStatus.DIVERGED, 0.5)], [])
    (remembered,) = [trial for trial in resumed._ot_study.trials if trial.state is TrialState.PRUNED]
    assert (remembered.params, remembered.intermediate_values) == (told.params, {})


def test_a_crash_is_passed_on_to_who_settles() -> None:
    crashes = []

    def settle(spec: TrialSpec, crashed: bool) -> TrialRecord:
        crashes.append(crashed)
        return _record(spec, TrialStatus.FAILED, None)

    searcher, _ = _searcher(settle)
    searcher.continue_from([], [])
    searcher.suggest("t0")
    searcher.on_trial_complete("t0", None, error=True)
    assert crashes == [True]


def test_a_paused_trial_stays_open() -> None:
    searcher, _ = _searcher(lambda spec, crashed: None)
    searcher.continue_from([], [])
    searcher.suggest("t0")
    searcher.on_trial_complete("t0", {"epoch": 1})
    assert searcher.n_open == 1


def test_a_continued_search_takes_unfinished_specs_first_and_repeats_nothing() -> None:
    firsts = [_make_spec(parameters) for parameters in SPACE.first_parameters()]
    ended, unfinished = firsts[:3], firsts[5:7]
    searcher, announced = _searcher()
    searcher.continue_from([_record(spec) for spec in ended], unfinished)
    _run(searcher, N_CELLS - 3)
    assert announced[:2] == unfinished
    assert {spec.trial_id for spec in announced} == {spec.trial_id for spec in firsts} - {s.trial_id for s in ended}


def test_a_continued_search_knows_how_earlier_trials_ended() -> None:
    searcher, _ = _searcher()
    firsts = [_make_spec(parameters) for parameters in SPACE.first_parameters()]
    stopped = replace(_record(firsts[1]), status=TrialStatus.STOPPED)
    searcher.continue_from([_record(firsts[0]), stopped], [])
    known = [(trial.state, trial.value, trial.intermediate_values) for trial in searcher._ot_study.trials[:2]]
    assert known == [(TrialState.COMPLETE, 0.5, {1: 0.5}), (TrialState.PRUNED, None, {1: 0.5})]


def test_a_closed_search_proposes_nothing_more() -> None:
    searcher, announced = _searcher()
    searcher.continue_from([], [])
    searcher.close()
    assert searcher.suggest("t0") == "FINISHED"
    assert announced == []


def test_an_exhausted_space_proposes_nothing_more() -> None:
    smoke = replace(SPACES["smoke"], sampled={})
    announced: list[TrialSpec] = []
    searcher = LowqSearch(smoke, _make_spec, announced.append, lambda spec, crashed: _record(spec), 0)
    searcher.continue_from([], [])
    _run(searcher, len(smoke.cells()))
    assert searcher.suggest("one more") == "FINISHED"
    assert len(announced) == len(smoke.cells())


def test_a_space_that_can_be_counted_is_searched_to_its_end() -> None:
    space = replace(
        SPACES["smoke"], sampled={"batch_size": (2, 4, 8), "schedule": ("constant", "cosine"), "clip_norm": (None, 1.0)}
    )
    best = TrialSpec("resnet", batch_size=8)

    def settle(spec: TrialSpec, crashed: bool) -> TrialRecord:
        return _record(spec, margin=1.0 if spec.batch_size == best.batch_size else -1.0)

    searcher = LowqSearch(space, lambda drawn: TrialSpec(epochs=4, **drawn), lambda spec: None, settle, 0)
    searcher.continue_from([], [])
    _run(searcher, 24)
    assert len({spec.trial_id for spec in searcher.proposed.values()}) == 24


def test_the_study_is_mirrored_for_the_dashboard(tmp_path: Path) -> None:
    for _ in range(2):  # the second time as on another day: what ended is told again
        mirror = Mirror(tmp_path)
        searcher = LowqSearch(SPACE, _make_spec, lambda spec: None, lambda spec, crashed: _record(spec), 0, mirror)
        earlier = [_record(_make_spec(SPACE.first_parameters()[9]))]
        searcher.continue_from(earlier, [])
        _run(searcher, 2)
        study = optuna.load_study(study_name=tmp_path.name, storage=f"sqlite:///{tmp_path / 'study.db'}")
        assert [trial.state for trial in study.trials] == 3 * [TrialState.COMPLETE]
        assert [trial.user_attrs["trial_id"] for trial in study.trials] == [
            earlier[0].trial_id,
            *(spec.trial_id for spec in searcher.proposed.values()),
        ]


def test_trials_of_other_fidelity_are_told_as_pruned_where_they_ended() -> None:
    searcher, announced = _searcher()
    first = _make_spec(SPACE.first_parameters()[0])
    searcher.continue_from([], [], [_record(replace(first, epochs=9))])
    (told,) = [trial for trial in searcher._ot_study.trials if trial.state is not TrialState.WAITING]
    assert (told.state, told.intermediate_values) == (TrialState.PRUNED, {1: 0.5})
    _run(searcher, 1)
    assert announced == [first]
