"""What a cluster offers to trials, read off the resources of its nodes."""

from typing import Any

import pytest

from datasets.errors import InputError
from search.cluster.connection import machine
from search.cluster.placement import GPU_MEMORY
from search.space.plan import Machine


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The resources of the cluster's nodes, to be filled in."""
    resources: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "search.cluster.connection.ray.nodes",
        lambda: (
            [{"Alive": True, "NodeID": str(n), "Resources": node} for n, node in enumerate(resources)]
            + [{"Alive": False, "Resources": {}}]
        ),
    )
    return resources


def test_without_a_card_trials_share_the_cores(nodes: list[dict[str, Any]]) -> None:
    nodes += [{"CPU": 8.0, "memory": 4e9}, {"CPU": 12.0, "memory": 9e9}]
    assert machine() == Machine(n_slots=10, n_threads=2, memory_mb=9000)


def test_each_card_has_a_trial(nodes: list[dict[str, Any]]) -> None:
    nodes += [{"CPU": 8.0, "GPU": 1.0, GPU_MEMORY: 6442.0}, {"CPU": 4.0, "GPU": 1.0, GPU_MEMORY: 4294.0}]
    assert machine() == Machine(n_slots=2, n_threads=4, n_gpus=2, gpu_mem_mb=6442)


def test_cards_of_one_node_have_a_share_of_its_memory_each(nodes: list[dict[str, Any]]) -> None:
    nodes += [{"CPU": 8.0, "GPU": 2.0, GPU_MEMORY: 12884.0}, {"CPU": 4.0, "GPU": 1.0, GPU_MEMORY: 4294.0}]
    assert machine() == Machine(n_slots=3, n_threads=4, n_gpus=3, gpu_mem_mb=6442)


def test_cards_are_shared_when_asked_for_and_the_cores_with_them(nodes: list[dict[str, Any]]) -> None:
    nodes += 2 * [{"CPU": 8.0, "GPU": 1.0, GPU_MEMORY: 6442.0}]
    assert machine(2) == Machine(n_slots=4, n_threads=4, n_gpus=2, gpu_mem_mb=6442, trials_per_gpu=2)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"CPU": 8.0, "GPU": 1.0}, "--trials-per-gpu needs nodes that offer gpu_mem_mb"),
        ({"CPU": 8.0}, "--trials-per-gpu lets trials share cards, and there is none here"),
        ({"CPU": 8.0, "GPU": 2.0, GPU_MEMORY: 12884.0}, "a Ray node for each card, and one here has several"),
    ],
)
def test_sharing_needs_cards_of_known_memory(
    resources: dict[str, Any], message: str, nodes: list[dict[str, Any]]
) -> None:
    nodes.append(resources)
    with pytest.raises(InputError, match=message):
        machine(2)


def test_one_card_of_unknown_memory_has_none_asked_for(nodes: list[dict[str, Any]]) -> None:
    nodes += [{"CPU": 8.0, "GPU": 1.0, GPU_MEMORY: 6442.0}, {"CPU": 4.0, "GPU": 1.0}]
    assert machine().gpu_mem_mb == 0


def test_what_is_to_be_avoided_offers_nothing(nodes: list[dict[str, Any]]) -> None:
    nodes += [{"CPU": 8.0, "memory": 9e9}, {"CPU": 4.0, "memory": 4e9}]
    assert machine(avoided=["0"]) == Machine(n_slots=4, n_threads=1, memory_mb=4000, avoided=("0",))
