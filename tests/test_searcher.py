"""The searcher: promising settings and new cells in turn, nothing twice, and Optuna told what became of every trial."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState

from search.engine.early_stopping import METRIC
from search.engine.mirror import Mirror
from search.engine.searcher import CELL_EVERY, LowqSearch
from search.records import TrialRecord
from search.space.scale import SCALES
from search.space.space import Space
from search.space.spaces import SPACES
from search.space.spec import TrialSpec, TrialStatus
from search.space.values import LogRange, resolve

SPACE = SPACES["full"]
CELLS = SPACE.cells()
Settle = Callable[[TrialSpec], TrialRecord | None]


def _record(spec: TrialSpec, status: TrialStatus = TrialStatus.COMPLETED, share: float | None = 0.5) -> TrialRecord:
    curve = ({"epoch": 1, "bytes_at_parity": share},)
    return TrialRecord(spec, status, 1, 0.1, 0.1, -1.5, 1.0, curve, bytes_at_parity=share)


def _make_spec(parameters: dict[str, Any]) -> TrialSpec:
    fixed = {**SCALES["demo"].fields, "epochs": 4, **SPACE.fields}
    return TrialSpec(**{**resolve(fixed, parameters), **parameters})


class Host:
    """Runs what is proposed in its mind."""

    def __init__(self, settle: Settle = _record, confirming: Sequence[TrialSpec] | None = ()) -> None:
        self.settled, self.confirming = settle, confirming
        self.announced: list[TrialSpec] = []
        self.crashes: list[bool] = []
        self.held: set[str] = set()

    def announce(self, spec: TrialSpec) -> bool:
        self.announced.append(spec)
        return True

    def settle(self, spec: TrialSpec, crashed: bool) -> TrialRecord | None:
        self.crashes.append(crashed)
        return None if spec.trial_id in self.held else self.settled(spec)

    def is_held(self, spec: TrialSpec) -> bool:
        return spec.trial_id in self.held

    def confirmations(self, n_left: int) -> Sequence[TrialSpec] | None:
        return self.confirming if not n_left else None


def _searcher(
    host: Host | None = None, seed: int = 0, n_trials: int = 1000, space: Space = SPACE, **options: Any
) -> tuple[LowqSearch, Host]:
    host = host or Host()
    searcher = LowqSearch(space, _make_spec, host, seed, n_trials, **options)
    searcher.continue_from([], [])
    return searcher, host


def _run(searcher: LowqSearch, n_trials: int, first: int = 0) -> list[TrialSpec]:
    specs = []
    for number in range(first, first + n_trials):
        configuration = searcher.suggest(f"t{number}")
        assert isinstance(configuration, dict)
        shown = searcher.host.settled(configuration["spec"])  # type: ignore[attr-defined]
        if shown is not None and shown.bytes_at_parity is not None:
            searcher.on_trial_result(f"t{number}", {METRIC: shown.bytes_at_parity, "epoch": 1})
        searcher.on_trial_complete(f"t{number}", {METRIC: 0.5, "epoch": 1})
        specs.append(configuration["spec"])
    return specs


def _cell(spec: TrialSpec) -> tuple[Any, ...]:
    return tuple(getattr(spec, axis) for axis in SPACE.axes)


def test_every_network_comes_first_and_then_cells_never_tried_in_turn_with_what_is_promising() -> None:
    searcher, host = _searcher()
    n_networks = len(SPACE.axes["architecture"])
    specs = _run(searcher, n_networks + 8 * CELL_EVERY)
    assert host.announced == specs
    firsts = [_make_spec(parameters) for parameters in SPACE.first_parameters()[:n_networks]]
    assert specs[:n_networks] == firsts
    assert len({spec.architecture for spec in firsts}) == n_networks
    assert any(_cell(spec) not in CELLS[: len(specs)] for spec in specs[n_networks:])
    tried: set[tuple[Any, ...]] = set()
    for place, spec in enumerate(specs):
        if place < n_networks or place % CELL_EVERY == 0:
            assert _cell(spec) == next(cell for cell in CELLS if cell not in tried)
        tried.add(_cell(spec))


def test_every_cell_is_tried_where_there_are_proposals_enough() -> None:
    sampled = {"batch_size": (2, 4, 8), "clip_norm": (None, 1.0)}
    space = replace(SPACES["smoke"], sampled=sampled, axes={**SPACES["smoke"].axes, "training_quality": (75, 50, 25)})
    for n_trials in (6, 7, 10):
        searcher, host = _searcher(
            Host(lambda spec: _record(spec, share=1 / spec.batch_size)), space=space, n_trials=n_trials
        )
        _run(searcher, n_trials)
        assert len({(spec.loss, spec.training_quality) for spec in host.announced}) == 6


def test_what_is_promising_is_like_what_was_good() -> None:
    good = "psnr-ssim"
    searcher, _ = _searcher(Host(lambda spec: _record(spec, share=0.5 if spec.loss == good else 0.9)))
    specs = _run(searcher, 60)
    guided = [spec for place, spec in enumerate(specs) if place % CELL_EVERY and place > 30]
    assert sum(spec.loss == good for spec in guided) > len(guided) / 2


def test_proposals_are_new_specs_and_the_same_for_the_same_seed() -> None:
    runs = []
    for seed in (7, 7, 8):
        searcher, _ = _searcher(seed=seed)
        specs = _run(searcher, 20)
        assert len({spec.trial_id for spec in specs}) == 20
        runs.append(specs)
    assert runs[0] == runs[1] != runs[2]


def test_a_resumed_search_proposes_what_it_would_have_proposed_without_a_crash() -> None:
    def settle(spec: TrialSpec) -> TrialRecord:
        status = TrialStatus.COMPLETED if spec.batch_size > 8 else TrialStatus.STOPPED
        return _record(spec, status, spec.learning_rate)

    searcher, _ = _searcher(Host(settle))
    specs = _run(searcher, 16)
    resumed, _ = _searcher(Host(settle))
    resumed.continue_from([settle(spec) for spec in reversed(specs[:9])], [])
    assert _run(resumed, 7) == specs[9:]


@pytest.mark.parametrize(
    ("status", "share", "state", "value"),
    [
        (TrialStatus.COMPLETED, 0.5, TrialState.COMPLETE, 0.5),
        (TrialStatus.STOPPED, 0.9, TrialState.PRUNED, 0.9),
        (TrialStatus.FAILED, None, TrialState.FAIL, None),
    ],
)
def test_optuna_is_told_how_a_trial_ended(
    status: TrialStatus, share: float | None, state: TrialState, value: float | None
) -> None:
    searcher, _ = _searcher(Host(lambda spec: _record(spec, status, share)))
    searcher.suggest("t0")
    if share is not None:
        searcher.on_trial_result("t0", {METRIC: share, "epoch": 1})
    searcher.on_trial_complete("t0", {"epoch": 1})
    (told,) = searcher.study.trials
    assert (told.state, told.value) == (state, value)


@pytest.mark.parametrize("status", [TrialStatus.DEAD, TrialStatus.DIVERGED])
def test_what_a_dead_or_diverged_trial_showed_does_not_speak_for_it(status: TrialStatus) -> None:
    searcher, _ = _searcher(Host(lambda spec: _record(spec, status, 0.5)))
    searcher.suggest("t0")
    searcher.on_trial_result("t0", {METRIC: 0.5, "epoch": 1})
    searcher.on_trial_complete("t0", {"epoch": 1})
    (told,) = [trial for trial in searcher.study.trials if trial.state is TrialState.PRUNED]
    assert (told.value, told.intermediate_values) == (None, {})
    resumed = LowqSearch(SPACE, _make_spec, Host(), 0, 9)
    resumed.continue_from([_record(_make_spec(SPACE.first_parameters()[0]), status, 0.5)], [])
    (remembered,) = resumed.study.trials
    assert (remembered.params, remembered.intermediate_values) == (told.params, {})


def test_a_crash_is_passed_on_to_who_settles() -> None:
    searcher, host = _searcher(Host(lambda spec: _record(spec, TrialStatus.FAILED, None)))
    searcher.suggest("t0")
    searcher.on_trial_complete("t0", None, error=True)
    assert host.crashes == [True]


def test_a_paused_trial_stays_open_and_one_that_was_held_is_proposed_again() -> None:
    searcher, host = _searcher(Host(lambda spec: None))
    searcher.suggest("t0")
    searcher.on_trial_complete("t0", {"epoch": 1})
    assert searcher.n_open == 1
    (second,) = (searcher.suggest("t1"),)
    assert isinstance(second, dict)
    host.held.add(second["spec"].trial_id)
    searcher.on_trial_complete("t1", {})
    assert searcher.suggest("t2") == second
    assert searcher.n_open == 2


def test_a_continued_search_takes_unfinished_specs_first_and_repeats_nothing() -> None:
    firsts = [_make_spec(parameters) for parameters in SPACE.first_parameters()]
    ended, unfinished = firsts[:3], firsts[5:7]
    searcher, host = _searcher()
    searcher.continue_from([_record(spec) for spec in ended], unfinished)
    _run(searcher, 20)
    assert host.announced[:2] == unfinished
    assert not {spec.trial_id for spec in host.announced} & {spec.trial_id for spec in ended}
    assert len({spec.trial_id for spec in host.announced}) == 20


def test_a_continued_search_knows_how_earlier_trials_ended() -> None:
    firsts = [_make_spec(parameters) for parameters in SPACE.first_parameters()]
    stopped = _record(firsts[1], TrialStatus.STOPPED)
    searcher, _ = _searcher()
    searcher.continue_from([_record(firsts[0]), stopped], [])
    known = [(trial.state, trial.value, trial.intermediate_values) for trial in searcher.study.trials]
    assert known == [(TrialState.COMPLETE, 0.5, {1: 0.5}), (TrialState.PRUNED, None, {1: 0.5})]


def test_records_of_versions_without_bytes_at_parity_teach_nothing_and_stop_nothing() -> None:
    searcher, _ = _searcher()
    old = replace(_record(_make_spec(SPACE.first_parameters()[0])), bytes_at_parity=None, curve=({"epoch": 1},))
    searcher.continue_from([old], [])
    assert [(trial.state, trial.intermediate_values) for trial in searcher.study.trials] == [(TrialState.PRUNED, {})]


def test_a_closed_search_proposes_nothing_more() -> None:
    searcher, host = _searcher()
    searcher.close()
    assert searcher.suggest("t0") == "FINISHED"
    assert host.announced == []


def test_a_space_without_values_to_draw_is_searched_to_its_end() -> None:
    smoke = replace(SPACES["smoke"], sampled={})
    searcher, host = _searcher(space=smoke)
    _run(searcher, len(smoke.cells()))
    assert searcher.suggest("one more") == "FINISHED"
    assert len(host.announced) == len(smoke.cells())


def test_a_space_that_can_be_counted_is_searched_to_its_end() -> None:
    sampled = {"batch_size": (2, 4, 8), "schedule": ("constant", "cosine"), "clip_norm": (None, 1.0)}
    space = replace(SPACES["smoke"], sampled=sampled)
    searcher, host = _searcher(Host(lambda spec: _record(spec, share=1 / spec.batch_size)), space=space)
    _run(searcher, 24)
    assert len({spec.trial_id for spec in host.announced}) == 24
    assert searcher.suggest("one more") == "FINISHED"


def test_no_proposal_costs_more_than_the_cap_and_optuna_knows_what_it_costs() -> None:
    searcher, host = _searcher(max_macs=10_000)
    _run(searcher, 30)
    assert all(spec.macs_per_pixel <= 10_000 for spec in host.announced)
    assert {spec.architecture for spec in host.announced} >= {"native1k", "native10k"}
    assert all(trial.constraints for trial in searcher.study.trials)


def test_where_cost_is_minimised_too_every_second_proposal_costs_no_more_than_one_by_chance() -> None:
    sampled = {"width": (8, 16, 24, 32, 48, 64), "learning_rate": LogRange(1e-3, 4e-3)}
    axes = {**SPACES["smoke"].axes, "architecture": ("native10k",)}
    means = {}
    for minimises_macs in (False, True):
        space = replace(SPACES["smoke"], axes=axes, sampled=sampled, minimises_macs=minimises_macs)
        host = Host(lambda spec: _record(spec, share=1 / spec.macs_per_pixel))
        searcher, _ = _searcher(host, space=space, n_trials=60)
        specs = _run(searcher, 60)[20:]
        means[minimises_macs] = [
            float(np.mean([spec.macs_per_pixel for spec in specs[parity::2]])) for parity in (0, 1)
        ]
        again, _ = _searcher(Host(host.settled), space=space, n_trials=60)
        assert _run(again, 60)[20:] == specs
    (free, as_free), (chosen, capped) = means[False], means[True]
    assert capped < 0.8 * min(chosen, free, as_free)


def test_nothing_is_proposed_that_finds_no_room() -> None:
    searcher, host = _searcher(has_room=lambda spec: spec.batch_size < 16)
    _run(searcher, 30)
    assert len(host.announced) == 30
    assert {spec.batch_size for spec in host.announced} <= {2, 4, 8}


def test_the_best_are_confirmed_when_the_others_have_ended() -> None:
    host = Host(confirming=None)
    searcher, _ = _searcher(host, n_trials=2)
    first, _second = searcher.suggest("t0"), searcher.suggest("t1")
    assert isinstance(first, dict)
    assert searcher.suggest("t2") is None  # the two are not known yet
    searcher.on_trial_complete("t0", {})
    searcher.on_trial_complete("t1", {})
    again = replace(first["spec"], seed=1)
    host.confirming = (again,)
    assert searcher.suggest("t2") == {"spec": again}
    n_told = len(searcher.study.trials)
    searcher.on_trial_complete("t2", {})
    assert len(searcher.study.trials) == n_told  # Optuna draws no seeds
    assert searcher.suggest("t3") == "FINISHED"


def test_a_trial_that_was_held_after_the_last_proposal_is_proposed_again() -> None:
    searcher, host = _searcher(n_trials=2)
    first = searcher.suggest("t0")
    assert isinstance(first, dict)
    assert isinstance(searcher.suggest("t1"), dict)
    searcher.on_trial_complete("t1", {})
    assert searcher.suggest("t2") is None  # it may come back
    host.held.add(first["spec"].trial_id)
    searcher.on_trial_complete("t0", {})
    assert searcher.suggest("t2") == first
    host.held.clear()
    searcher.on_trial_complete("t2", {})
    assert searcher.suggest("t3") == "FINISHED"


def test_the_study_is_mirrored_for_the_dashboard(tmp_path: Path) -> None:
    run = tmp_path / "50 % of #1?"
    run.mkdir()
    for _ in range(2):  # the second time as on another day: what ended is told again
        searcher, host = _searcher(mirror=Mirror(run))
        earlier = [_record(_make_spec(SPACE.first_parameters()[9]))]
        searcher.continue_from(earlier, [])
        _run(searcher, 2)
        study = optuna.load_study(study_name=run.name, storage=searcher.mirror.study._storage)  # type: ignore[union-attr]
        assert [trial.state for trial in study.trials] == 3 * [TrialState.COMPLETE]
        ids = [earlier[0].trial_id, *(spec.trial_id for spec in host.announced)]
        assert [trial.user_attrs["trial_id"] for trial in study.trials] == ids
    assert (run / "study.db").is_file()


def test_trials_of_other_fidelity_are_told_as_pruned_where_they_ended() -> None:
    searcher, host = _searcher()
    first = _make_spec(SPACE.first_parameters()[0])
    searcher.continue_from([], [], [_record(replace(first, epochs=9))])
    (told,) = searcher.study.trials
    assert (told.state, told.intermediate_values) == (TrialState.PRUNED, {1: 0.5})
    _run(searcher, 1)
    assert [_cell(spec) for spec in host.announced] == CELLS[:1]  # what another run tried there does not stand for it


def test_a_copy_of_the_study_that_cannot_be_made_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*asked: object, **named: object) -> None:
        raise sqlalchemy.exc.OperationalError("", {}, Exception("disk I/O error"))

    monkeypatch.setattr("optuna.storages.RDBStorage", broken)
    assert Mirror(tmp_path).is_broken
