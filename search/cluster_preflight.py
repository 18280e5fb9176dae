"""The preflight on a cluster: every node tells its facts, all at once."""

import time
from collections.abc import Sequence
from dataclasses import replace

import ray
from ray.exceptions import GetTimeoutError, RayError

from search.cluster_delivery import on_node
from search.parcel import Parcel
from search.preflight import NodeFacts, gather_facts

ANSWER_S = 60.0


def alive_nodes() -> dict[str, str]:
    """Return the nodes of the connected cluster, id -> name; a part of the id is added where names are not unique."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    names = [node["NodeManagerHostname"] for node in nodes]
    return {
        node["NodeID"]: name if names.count(name) == 1 else f"{name} ({node['NodeID'][:8]})"
        for node, name in zip(nodes, names, strict=True)
    }


def inspect_nodes(parcels: Sequence[Parcel]) -> tuple[list[NodeFacts], NodeFacts]:
    """Return the facts of every alive node, and those of the driver's; clocks are in seconds off the driver's."""
    here, names = ray.get_runtime_context().get_node_id(), alive_nodes()
    offered = {node["NodeID"]: node["Resources"] for node in ray.nodes()}
    asked = {
        node: (time.time(), on_node(gather_facts, node).remote(name, offered[node], parcels))
        for node, name in names.items()
        if node != here
    }
    driver = replace(gather_facts(names[here], offered[here], parcels), clock_s=0.0)
    end = time.monotonic() + ANSWER_S
    answers = [_answer(names[node], sent, answer, end) for node, (sent, answer) in asked.items()]
    return [driver, *answers], driver


def _answer(name: str, sent: float, answer: "ray.ObjectRef[NodeFacts]", end: float) -> NodeFacts:
    try:
        facts: NodeFacts = ray.get(answer, timeout=max(0.0, end - time.monotonic()))
    except GetTimeoutError:
        return NodeFacts(name, error=f"not within {ANSWER_S:.0f} s")
    except (RayError, OSError) as error:
        return NodeFacts(name, error=str(error).strip().splitlines()[-1])
    return replace(facts, clock_s=_offset(facts.clock_s, sent, time.time()))


def _offset(there: float, sent: float, received: float) -> float:
    """Return by how much a clock is off at least, when it was read between two moments of ours."""
    return min(there - sent, 0.0) if there < sent else max(there - received, 0.0)
