"""Encoders screened with the filter: each once, the known first, the best of them an axis, gone on with on resume."""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from datasets.encoders.family import find_family
from datasets.encoders.step_tables import RadialTables, ScaledTables
from datasets.errors import InputError
from search.cluster import waiting
from search.engine import screening as screening_module
from search.engine.screening import (
    DRAWN_APART,
    KEPT_APART,
    Screening,
    filter_of,
    screened_of,
    shapes_here,
    with_encoders,
)
from search.records import TrialRecord
from search.space.plan import Machine
from search.space.spaces import SPACES
from search.space.spec import TrialStatus
from search.space.values import TableShapes, are_alike, suggest

SPACE = SPACES["encoder"]
KNOWN = ("jpeg", "jpeg-c0.6")
Outcome = Callable[[str], float | None]


def _share(name: str) -> float:
    """Return bytes at parity that are least where chroma's steps are twice luma's."""
    tables = find_family(name).middle.tables
    scale = tables.chroma_scale if isinstance(tables, RadialTables | ScaledTables) else 1.0
    return 0.6 + abs(math.log(scale / 2)) / 10 + (0.01 if isinstance(tables, RadialTables) else 0.0)


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A task on a cluster that answers at once: whatever is started, its record is there."""
    monkeypatch.setattr(screening_module.ray, "wait", lambda started, **asked: (started[:1], started[1:]))
    monkeypatch.setattr(screening_module.ray, "get", lambda started: started())
    machine = Machine(n_slots=2, n_threads=1)
    space = SimpleNamespace(**{**vars(SPACE), "n_screened": 20, "n_kept": 3})
    return SimpleNamespace(space=space, machine=machine, seed=0, splits=("tiny",))


def _screening(task: Any, known: dict[str, TrialRecord] | None = None, outcome: Outcome = _share) -> Screening:
    found = Screening(task, None, TableShapes(known=KNOWN), dict(known or {}))  # type: ignore[arg-type]
    found._start = lambda name: lambda: _record(task, name, outcome(name))  # type: ignore[method-assign]
    return found


def _record(task: Any, name: str, share: float | None) -> TrialRecord:
    spec = filter_of(task, name)
    return TrialRecord(spec, TrialStatus.COMPLETED, 0, -1.0, 1.0, -3.0, 1.0, bytes_at_parity=share)


def test_each_family_is_screened_once_the_known_first(task: Any) -> None:
    written: list[TrialRecord] = []
    screening = _screening(task)
    screening.run(written.append, lambda: True, print)
    names = [str(record.spec.encoder) for record in written]
    assert names[:2] == list(KNOWN)
    assert len(names) == 20
    assert not any(are_alike(TableShapes(), one, other, DRAWN_APART) for one, other in combinations(names, 2))
    assert screened_of(written, task) == screening.known
    best = tuple(screening.best())
    assert (best[0], len(best)) == (min(names, key=_share), 3)
    assert not any(are_alike(TableShapes(), one, other, KEPT_APART) for one, other in combinations(best, 2))


def test_optuna_looks_where_the_filter_did_well(task: Any) -> None:
    task.space.n_screened = 60
    written: list[TrialRecord] = []
    _screening(task).run(written.append, lambda: True, print)
    above = [_share(str(record.spec.encoder)) - 0.6 for record in written]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    by_chance = [_share(suggest(study.ask(), "encoder", TableShapes())) - 0.6 for _ in range(58)]
    assert sum(sorted(above[2:])[:10]) < sum(sorted(by_chance)[:10]) * 0.8


def test_what_was_screened_before_is_not_screened_again(task: Any) -> None:
    first: list[TrialRecord] = []
    _screening(task).run(first.append, iter([True] * 10 + [False] * 99).__next__, print)
    assert 0 < len(first) < 20
    later: list[TrialRecord] = []
    _screening(task, screened_of(first, task)).run(later.append, lambda: True, print)
    assert len(first) + len(later) == 20
    assert not set(screened_of(first, task)) & set(screened_of(later, task))


def test_filters_that_were_not_fitted_in_screening_or_failed_are_screened(task: Any) -> None:
    ours = _record(task, "jpeg", 0.8)
    of_finalist = replace(ours, spec=replace(ours.spec, training_quality="40-70"))
    failed = replace(_record(task, "jpeg-c0.6", None), status=TrialStatus.FAILED)
    assert screened_of([ours, of_finalist, failed], task) == {"jpeg": ours}


def test_a_worker_that_dies_costs_one_family_and_three_in_a_row_end_it(task: Any) -> None:
    def dies(name: str) -> float:
        if name in failing:
            raise OSError("the disk is full")
        return _share(name)

    failing = {"jpeg-c0.6"}
    written: list[TrialRecord] = []
    _screening(task, outcome=dies).run(written.append, lambda: True, print)
    assert len(written) == 19
    failing |= {str(record.spec.encoder) for record in written}
    with pytest.raises(InputError, match="no encoder can be screened: the disk is full"):
        _screening(task, outcome=dies).run(written.append, lambda: True, print)


def test_while_other_jobs_have_the_cores_it_is_said_what_is_waited_for(
    task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([False, False, *99 * [True]])
    monkeypatch.setattr(
        screening_module.ray,
        "wait",
        lambda started, **asked: (started[:1], started[1:]) if next(looks) else ([], started),
    )
    monkeypatch.setattr(waiting, "WAITING_S", 0.0)
    monkeypatch.setattr(waiting, "what_is_free", lambda: "0 of 2 CPU are free")
    said: list[str] = []
    _screening(task).run(lambda record: None, lambda: True, said.append)
    assert said == 2 * ["waiting for an encoder to be screened: 0 of 2 CPU are free"]


def test_sigterm_ends_the_waiting_for_an_encoder(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    ended.set()
    monkeypatch.setattr(waiting, "told_to_end", ended)
    with pytest.raises(KeyboardInterrupt):
        _screening(task).run(lambda record: None, lambda: True, print)


def test_a_family_without_a_value_is_never_the_best(task: Any) -> None:
    task.space.n_screened = 2
    screening = _screening(task, outcome=lambda name: None if name == "jpeg" else 0.9)
    screening.run(lambda record: None, lambda: True, print)
    assert screening.best() == {"jpeg-c0.6": screening.known["jpeg-c0.6"]}


def test_networks_are_trained_on_files_that_any_viewer_opens(task: Any) -> None:
    screening = _screening(task)
    for name, share in {"avif": 0.5, "jpeg-trellis": 0.7, "webp": 0.6, "jpeg": 0.8}.items():
        screening.known[name] = _record(task, name, share)
    assert list(screening.best()) == ["jpeg-trellis", "jpeg"]


def test_where_nothing_writes_a_trellis_no_encoder_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = SPACE.screens
    assert shapes is not None
    assert any("trellis" in name for name in shapes.known)
    assert shapes_here(shapes) == shapes
    monkeypatch.setattr("datasets.encoders.mozjpeg.is_installed", lambda: False)
    here = shapes_here(shapes)
    assert "jpeg" in here.known
    assert not any("trellis" in name for name in here.known)
    assert here.trellis == (False,)


def test_families_are_alike_where_no_number_is_far_apart() -> None:
    shapes = TableShapes()
    pairs = {
        ("jpeg", "jpeg-c1.2"): True,  # of the logarithms from 0.3 to 4 a tenth is a factor of 1.296
        ("jpeg", "jpeg-c1.31"): False,
        ("jpeg-flat", "jpeg-radial-a0.09-dc0.96"): True,
        ("jpeg-flat", "jpeg-radial-a0.11"): False,
        ("jpeg", "jpeg-flat"): False,
        ("jpeg", "jpeg-trellis"): False,
        ("avif", "avif"): True,
        ("avif", "jpeg"): False,
    }
    assert {pair: are_alike(shapes, *pair, KEPT_APART) for pair in pairs} == pairs


def test_the_best_become_an_axis_of_the_space(task: Any) -> None:
    space = with_encoders(SPACE, {name: _record(task, name, 0.8) for name in ("jpeg-c0.6", "jpeg")})
    assert space.axes["encoder"] == ("jpeg-c0.6", "jpeg")
    assert "encoder" not in space.fields
    assert space.screens is None
    assert len(space.cells()) == 2 * len(SPACE.cells())


@pytest.mark.parametrize(
    ("given", "at_parity", "qualities"),
    [
        (("20-80",), (61.0, 68.9), ("40-75", "20-80")),
        (("20-80", 75), (30.0, 31.0), ("20-35", "20-80", 75)),
        (("20-80",), (95.0, 95.0), ("75-80", "20-80")),
        (("20-80",), (None, 68.9), ("50-75", "20-80")),
        (("20-80",), (None, None), ("20-80",)),
        ((75,), (61.0, 68.9), (75,)),  # as the user asked for
    ],
)
def test_networks_train_on_qualities_around_parity_too(
    task: Any, given: tuple[Any, ...], at_parity: tuple[float | None, ...], qualities: tuple[Any, ...]
) -> None:
    asked = replace(SPACE, axes={**SPACE.axes, "training_quality": given})
    best = {
        name: replace(_record(task, name, 0.8), quality_at_parity=quality)
        for name, quality in zip(KNOWN, at_parity, strict=True)
    }
    assert with_encoders(asked, best).axes["training_quality"] == qualities
