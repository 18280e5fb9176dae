"""Nodes that come while a search runs: kept off until they answered, then let in or named with what is wrong."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from search.cluster import newcomers
from search.cluster.newcomers import Newcomers
from search.cluster.placement import NODE_LABEL, avoid_none, where
from search.cluster.preflight import NodeFacts
from search.space.plan import Machine
from search.space.spec import TrialSpec

MACHINE = Machine(n_slots=2, n_threads=1)
DRIVER = NodeFacts("head", {"CPU": 2.0}, {"python": "3.11"}, "code", memory_free_mb=9e3, disk_free_mb=9e3, node_id="h")
TASK = SimpleNamespace(machine=MACHINE, file_sets=[], smallest_specs=[TrialSpec("native1k", epochs=1)])


class Cluster:
    """Nodes by id, which answer when they are told to; said: what the user hears."""

    def __init__(self) -> None:
        self.names = {"h": "head"}
        self.answers: dict[str, NodeFacts] = {}
        self.said: list[str] = []

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": node, "Alive": True, "Resources": {"CPU": 2.0}} for node in self.names]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    one = Cluster()
    monkeypatch.setattr(newcomers, "alive_nodes", lambda: dict(one.names))
    monkeypatch.setattr(newcomers, "ask", lambda node, name, file_sets: node)
    monkeypatch.setattr(newcomers, "driver_facts", lambda file_sets: DRIVER)
    monkeypatch.setattr(newcomers.ray, "wait", lambda asked, timeout: ([a for a in asked if a in one.answers], []))
    monkeypatch.setattr("search.cluster.node_check.ray.get", lambda answer, timeout: one.answers[answer])
    monkeypatch.setattr("search.cluster.placement.ray.nodes", one.nodes)
    avoid_none()
    yield one
    avoid_none()


def _watching(cluster: Cluster) -> Newcomers:
    watching = Newcomers(TASK, cluster.said.append)  # type: ignore[arg-type]
    watching.setup()
    return watching


def test_a_node_that_is_fine_takes_part_once_it_has_answered(cluster: Cluster) -> None:
    watching = _watching(cluster)
    watching.look()
    assert where(MACHINE) == {}
    cluster.names["n"] = "pc2"
    watching.look()
    assert where(MACHINE) == {NODE_LABEL: "!in(n)"}
    assert cluster.said == []
    cluster.answers["n"] = replace(DRIVER, name="pc2", node_id="")
    watching.look()
    assert where(MACHINE) == {}
    assert cluster.said == ["pc2 has come and takes part"]
    watching.look()
    assert len(cluster.said) == 1


def test_nothing_starts_on_a_node_of_other_code_and_the_fix_is_said(cluster: Cluster) -> None:
    watching = _watching(cluster)
    cluster.names["n"] = "pc2"
    cluster.answers["n"] = replace(DRIVER, name="pc2", code="other", node_id="")
    watching.look()
    watching.look()
    assert where(MACHINE) == {NODE_LABEL: "!in(n)"}
    (said,) = cluster.said
    assert said.startswith("pc2 has come, and nothing is tried there:\n")
    assert "its lowq is not the driver's code" in said


def test_a_node_that_does_not_answer_is_left_out(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(answer: str, timeout: float) -> NodeFacts:
        raise newcomers.ray.exceptions.GetTimeoutError

    watching = _watching(cluster)
    cluster.names["n"] = "pc2"
    watching.look()
    monkeypatch.setattr(newcomers, "ANSWER_S", -1.0)
    monkeypatch.setattr("search.cluster.node_check.ray.get", late)
    watching.look()
    assert where(MACHINE) == {NODE_LABEL: "!in(n)"}
    assert "did not answer" in cluster.said[0]


def test_what_is_left_of_a_cluster_is_not_avoided(cluster: Cluster) -> None:
    watching = _watching(cluster)
    cluster.names = {"n": "head, started anew"}
    watching.look()
    assert where(MACHINE) == {}
