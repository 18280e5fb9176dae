"""Early stopping: rungs by hand, learned from stored curves, and heard of by the trial alone."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from search.engine.early_stopping import METRIC, EarlyStopping, Rungs, brackets_of
from search.records import Row
from search.space.scale import SCALES
from search.space.spec import TrialSpec

SPEC = TrialSpec("resnet", epochs=8)


def _curve(*shares: float | None) -> list[Row]:
    return [{"epoch": place, "bytes_at_parity": share} for place, share in enumerate(shares, 1)]


class Handle:
    """Stands in for the checkpoint store's handle: remembers who was ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.end = SimpleNamespace(remote=self.ended.append)


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Handle:
    monkeypatch.setattr("search.engine.early_stopping.ray.get", lambda answer: answer)
    return Handle()


def _trial(spec: TrialSpec) -> Any:
    return SimpleNamespace(trial_id="t", config={"spec": spec})


def test_one_in_two_goes_on_from_a_rung() -> None:
    rungs = Rungs(2, 2, 8)
    assert list(rungs.shown) == [2, 4]
    assert not rungs.is_weak("first", 2, 0.9)  # alone
    assert rungs.is_weak("second", 2, 0.95)
    assert not rungs.is_weak("third", 2, 0.8)
    assert not rungs.is_weak("fourth", 2, 0.85)  # the median of 0.8, 0.9 and 0.95 is 0.9
    assert rungs.is_weak("fifth", 2, 0.89)  # of 0.8, 0.85, 0.9, 0.95 it is 0.875


def test_a_trial_is_judged_once_a_rung_and_between_rungs_not_at_all() -> None:
    rungs = Rungs(2, 2, 8)
    rungs.is_weak("first", 2, 0.5)
    assert not rungs.is_weak("second", 3, 9.0)
    assert rungs.is_weak("second", 2, 9.0)
    assert not rungs.is_weak("second", 2, 9.0)  # heard of already


def test_one_in_three_and_what_shows_nothing_is_the_weakest() -> None:
    rungs = Rungs(1, 3, 9)
    assert not rungs.is_weak("first", 1, math.inf)
    assert not rungs.is_weak("second", 1, 0.9)
    assert not rungs.is_weak("third", 1, 0.8)
    assert rungs.is_weak("fourth", 1, 0.88)  # a third of the way from 0.8 over 0.9 to nothing is 0.8667
    assert rungs.is_weak("fifth", 1, math.inf)


def test_where_cost_is_minimised_too_a_trial_is_compared_with_those_that_cost_no_more() -> None:
    brackets = brackets_of(SCALES["demo"], 8, [], minimises_macs=True)
    dear, cheap = TrialSpec("native10k", epochs=8), TrialSpec("native1k", epochs=8)
    assert not brackets.is_weak(dear, 2, 0.7)
    assert not brackets.is_weak(cheap, 2, 0.9)  # nothing as cheap is better
    assert brackets.is_weak(replace(cheap, seed=1), 2, 0.95)
    assert brackets.is_weak(replace(dear, seed=1), 2, 0.92)
    alone = brackets_of(SCALES["demo"], 8, [(dear, _curve(0.7, 0.7))])
    assert alone.is_weak(cheap, 2, 0.9)


def test_what_stored_curves_showed_has_its_cost_too() -> None:
    dear, cheap = TrialSpec("native10k", epochs=8), TrialSpec("native1k", epochs=8)
    brackets = brackets_of(SCALES["demo"], 8, [(dear, _curve(0.7, 0.7))], minimises_macs=True)
    assert not brackets.is_weak(cheap, 2, 0.9)
    assert brackets.is_weak(replace(dear, seed=1), 2, 0.85)


def test_rungs_hold_what_a_stored_curve_showed_there_and_not_later() -> None:
    earlier, short = replace(SPEC, seed=1), replace(SPEC, seed=2)
    rungs = brackets_of(SCALES["demo"], 8, [(earlier, _curve(None, 0.8, 0.5)), (short, _curve(0.1))]).of(SPEC)
    assert rungs.shown == {2: {earlier.trial_id: 0.8}, 4: {}}
    assert rungs.is_weak("new", 2, 0.81)
    assert not rungs.is_weak("better", 2, 0.79)


def test_trials_are_compared_with_those_of_the_same_schedule(handle: Handle) -> None:
    falling = replace(SPEC, schedule="cosine")
    stopping = EarlyStopping(handle, brackets_of(SCALES["demo"], 8, []), seed=0)  # type: ignore[arg-type]
    for spec, share in ((SPEC, 0.8), (falling, 0.9), (replace(falling, batch_size=2), 0.95)):
        stopping.on_trial_result(None, _trial(spec), {"epoch": 2, METRIC: share})
    assert handle.ended == [replace(falling, batch_size=2).trial_id]


def test_a_weak_trial_hears_stop_while_tune_is_told_to_go_on(handle: Handle) -> None:
    stopping = EarlyStopping(handle, brackets_of(SCALES["demo"], 8, []), seed=0)  # type: ignore[arg-type]
    for batch_size, share in ((1, 0.8), (2, 0.9)):
        spec = replace(SPEC, batch_size=batch_size)
        assert stopping.on_trial_result(None, _trial(spec), {"epoch": 2, METRIC: share}) == "CONTINUE"
    assert handle.ended == [replace(SPEC, batch_size=2).trial_id]


def test_what_confirms_another_is_never_stopped_and_neither_is_anything_without_brackets(handle: Handle) -> None:
    good = replace(SPEC, batch_size=1)
    stopping = EarlyStopping(handle, brackets_of(SCALES["demo"], 8, [(good, _curve(0.1, 0.1))]), seed=0)  # type: ignore[arg-type]
    stopping.on_trial_result(None, _trial(replace(SPEC, seed=1)), {"epoch": 2, METRIC: 0.9})
    EarlyStopping(handle, None, seed=0).on_trial_result(None, _trial(SPEC), {"epoch": 2, METRIC: 0.9})  # type: ignore[arg-type]
    assert handle.ended == []
