"""The preflight on a cluster: every node tells its facts, all at once."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import ray
from ray.exceptions import GetTimeoutError, RayError

from datasets.errors import InputError
from search.cluster.configuration import ClusterConfiguration, read_configuration
from search.cluster.connection import machine
from search.cluster.delivery import on_node
from search.cluster.file_set import FileSet
from search.cluster.missing_nodes import find_missing_nodes
from search.cluster.placement import memory_mb
from search.cluster.preflight import Fault, NodeFacts, fault_table, find_faults, gather_facts
from search.task import Task

ANSWER_S = 60.0


@dataclass(frozen=True)
class Check:
    """What the nodes of the cluster have and what is wrong; avoided: the ids of those where nothing can run."""

    nodes: list[NodeFacts]
    faults: list[Fault]

    @property
    def avoided(self) -> list[str]:
        bad = {fault.node for fault in self.faults if fault.is_fatal}
        return [node.node_id for node in self.nodes if node.name in bad]

    @property
    def n_fatal(self) -> int:
        return sum(fault.is_fatal for fault in self.faults)


def check_nodes(task: Task) -> Check:
    """Ask every node what it has, and compare it with what the task needs."""
    nodes, driver = inspect_nodes(task.file_sets)
    return Check(nodes, absent_nodes(read_configuration()) + find_node_faults(nodes, driver, task))


def find_node_faults(nodes: Sequence[NodeFacts], driver: NodeFacts, task: Task) -> list[Fault]:
    """Compare nodes with the driver's, and with what a task needs."""
    least_mb = min(memory_mb(spec, task.machine) for spec in task.smallest_specs)
    return find_faults(nodes, driver, least_mb, computes_on_gpus=task.machine.n_gpus > 0)


def without_bad_nodes(task: Task, check: Check, min_nodes: int | None) -> Task:
    """Return the task for the nodes that are fine.

    Raises InputError, with a table of what is wrong, unless all are or min_nodes were said to be enough and are there.
    """
    if not check.n_fatal:
        return task
    n_fine = len(check.nodes) - len(check.avoided)
    table = fault_table(check.faults)
    if min_nodes is None:
        others = f", or go on with --min-nodes {n_fine}" if n_fine else ""
        raise InputError(f"mend these nodes{others}:\n{table}")
    if n_fine < min_nodes:
        raise InputError(f"{n_fine} nodes are fine, --min-nodes asks for {min_nodes}:\n{table}")
    return replace(task, machine=machine(task.machine.trials_per_gpu, check.avoided))


def alive_nodes(avoided: Collection[str] = ()) -> dict[str, str]:
    """Return the nodes of the connected cluster but for those avoided, id -> name.

    A part of the id is added to a name that several have.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    names = [node["NodeManagerHostname"] for node in nodes]
    return {
        node["NodeID"]: name if names.count(name) == 1 else f"{name} ({node['NodeID'][:8]})"
        for node, name in zip(nodes, names, strict=True)
        if node["NodeID"] not in avoided
    }


def inspect_nodes(file_sets: Sequence[FileSet]) -> tuple[list[NodeFacts], NodeFacts]:
    """Return the facts of every alive node, and those of the driver's; clocks are in seconds off the driver's."""
    here, names = ray.get_runtime_context().get_node_id(), alive_nodes()
    asked = {node: (time.time(), ask(node, name, file_sets)) for node, name in names.items() if node != here}
    driver, end = driver_facts(file_sets), time.monotonic() + ANSWER_S
    answers = [
        replace(answer_of(names[node], sent, answer, end), node_id=node) for node, (sent, answer) in asked.items()
    ]
    return [driver, *answers], driver


def driver_facts(file_sets: Sequence[FileSet]) -> NodeFacts:
    """Return the facts of the node that the driver runs on."""
    here = ray.get_runtime_context().get_node_id()
    return replace(gather_facts(alive_nodes()[here], _offered(here), file_sets), clock_s=0.0, node_id=here)


def ask(node: str, name: str, file_sets: Sequence[FileSet]) -> "ray.ObjectRef[NodeFacts]":
    """Ask a node for its facts."""
    answer: ray.ObjectRef[NodeFacts] = on_node(gather_facts, node).remote(name, _offered(node), file_sets)
    return answer


def absent_nodes(configuration: ClusterConfiguration | None) -> list[Fault]:
    """Return a fault for each PC of the configuration with which `ray up` formed this cluster, and is no node."""
    present = [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]
    if configuration is None or configuration.head not in present:
        return []  # another cluster's, or none
    return find_missing_nodes(configuration, present)


def answer_of(name: str, sent: float, answer: "ray.ObjectRef[NodeFacts]", end: float) -> NodeFacts:
    """Return the facts of a node that was asked at time `sent`; with an error where there are none at `end`."""
    try:
        facts: NodeFacts = ray.get(answer, timeout=max(0.0, end - time.monotonic()))
    except GetTimeoutError:
        return NodeFacts(name, error=f"not within {ANSWER_S:.0f} s")
    except (RayError, OSError) as error:
        return NodeFacts(name, error=str(error).strip().splitlines()[-1])
    return replace(facts, clock_s=_offset(facts.clock_s, sent, time.time()))


def _offered(node: str) -> dict[str, float]:
    """Return the resources that a node offers to Ray."""
    return next((dict(known["Resources"]) for known in ray.nodes() if known["NodeID"] == node), {})


def _offset(there: float, sent: float, received: float) -> float:
    """Return by how much a clock is off at least, when it was read between two moments of ours."""
    return min(there - sent, 0.0) if there < sent else max(there - received, 0.0)
