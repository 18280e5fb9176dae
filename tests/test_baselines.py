"""Where the parts of baselines are put: slots of their own, of which others may have some; and what becomes of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from search.cluster import baselines
from search.cluster.baselines import MAX_TRIES, Baselines, Part
from search.records import TrialRecord
from search.space.plan import Machine
from search.space.spec import BASELINE, TrialSpec, TrialStatus

PARTS = tuple(Part("test", (quality,), (0,)) for quality in (25, 50, 60, 75))


@dataclass
class Cluster:
    """Ray with room for so many slots; whoever holds a started part gets its answer when it is waited for.

    answer: what a part returns, or raises; started: the options and arguments of each part, in order.
    """

    room: int
    answer: Callable[[Any], Any]
    started: list[tuple[dict[str, Any], tuple[Any, ...]]] = field(default_factory=list)
    slots: list[Any] = field(default_factory=list)
    removed: list[Any] = field(default_factory=list)
    cancelled: list[Any] = field(default_factory=list)

    def remote(self, **options: Any) -> Callable[[Callable[..., Any]], Any]:
        def kind(function: Callable[..., Any]) -> Any:
            def start(*arguments: Any) -> int:
                self.started.append((options, arguments))
                return len(self.started) - 1

            return SimpleNamespace(remote=start)

        return kind

    def placement_group(self, bundles: list[Any], **options: Any) -> Any:
        place = len(self.slots)
        self.slots.append(SimpleNamespace(place=place, ready=lambda: ("slot", place)))
        return self.slots[-1]

    def wait(self, references: list[Any], **options: Any) -> tuple[list[Any], list[Any]]:
        done = [item for item in references if not isinstance(item, tuple) or item[1] < self.room]
        return done, [item for item in references if item not in done]

    def get(self, reference: int) -> Any:
        answer = self.answer(self.started[reference][1])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, reference: int, force: bool) -> None:
        self.cancelled.append(reference)


def _answer(arguments: tuple[Any, ...]) -> Any:
    """Return what preparing a baseline does, or the row of one of its parts."""
    if len(arguments) == 3:
        return _record(arguments[1]), b"pictures", PARTS
    return [{"quality": arguments[2].qualities[0]}]


def _record(spec: TrialSpec) -> TrialRecord:
    return TrialRecord(spec, TrialStatus.COMPLETED, 0, 0.1, 1.0, -1.5, 1.0)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Cluster], Cluster]:
    """Have a cluster stand in for Ray."""

    def put(cluster: Cluster) -> Cluster:
        for name in ("remote", "wait", "get", "cancel"):
            monkeypatch.setattr(baselines.ray, name, getattr(cluster, name))
        monkeypatch.setattr(baselines.ray, "nodes", lambda: [{"Alive": True}] * 2)
        monkeypatch.setattr(baselines, "placement_group", cluster.placement_group)
        monkeypatch.setattr(baselines, "remove_placement_group", cluster.removed.append)
        monkeypatch.setattr(baselines, "PlacementGroupSchedulingStrategy", lambda slot: slot.place)
        monkeypatch.setattr(baselines, "where", lambda machine: None)
        monkeypatch.setattr(baselines, "find_checkpoint_store", lambda name: None)
        monkeypatch.setattr(baselines, "RemoteStore", lambda handle: SimpleNamespace(save=lambda *kept: None))
        monkeypatch.setattr(baselines, "POLL_S", 0.0)
        return cluster

    return put


def _scored(machine: Machine) -> list[TrialRecord]:
    taken: list[TrialRecord] = []
    workers: Any = SimpleNamespace(checkpoints="store")
    Baselines(workers, [BASELINE], machine, taken.append).finish(print)
    return taken


def test_where_others_have_half_of_the_slots_the_rest_are_enough(on: Callable[[Cluster], Cluster]) -> None:
    cluster = on(Cluster(room=2, answer=_answer))
    assert _scored(Machine(n_slots=10, n_threads=1)) == [_record(BASELINE)]
    assert len(cluster.slots) == 5
    assert {options["scheduling_strategy"] for options, _ in cluster.started} <= {0, 1}
    assert len(cluster.started) == 1 + len(PARTS)
    assert cluster.removed == cluster.slots  # none is kept from the trials


def test_beside_cards_a_part_takes_neither_a_card_nor_a_core(on: Callable[[Cluster], Cluster]) -> None:
    cluster = on(Cluster(room=0, answer=_answer))
    assert _scored(Machine(n_slots=4, n_threads=2, n_gpus=1)) == [_record(BASELINE)]
    assert cluster.slots == []
    for options, _ in cluster.started:
        assert options["num_cpus"] == 0
        assert options["runtime_env"] == {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}


def test_a_part_that_cannot_be_scored_is_tried_again_and_then_by_another_sitting(
    on: Callable[[Cluster], Cluster],
) -> None:
    lost = OSError("the pack is gone")
    cluster = on(Cluster(room=2, answer=lambda arguments: lost if len(arguments) == 4 else _answer(arguments)))
    (record,) = _scored(Machine(n_slots=4, n_threads=1))
    assert (record.status, record.is_outside, record.error) == (TrialStatus.FAILED, True, "the pack is gone")
    assert not record.has_ended
    assert max([arguments for _, arguments in cluster.started].count(each) for _, each in cluster.started) == MAX_TRIES


def test_what_is_left_is_cancelled_and_its_slots_are_given_back(on: Callable[[Cluster], Cluster]) -> None:
    cluster = on(Cluster(room=2, answer=_answer))
    workers: Any = SimpleNamespace(checkpoints="store")
    left = Baselines(workers, [BASELINE], Machine(n_slots=4, n_threads=1), lambda record: None)
    left.cancel()
    assert cluster.cancelled == [0]
    assert cluster.removed == cluster.slots
    assert not left.move_on()
    assert len(cluster.started) == 1
