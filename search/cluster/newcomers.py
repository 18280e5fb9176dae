"""Nodes that come while a search runs: nothing starts there until they were found fine."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
from ray import tune

from search.cluster.node_check import ANSWER_S, alive_nodes, answer_of, ask, driver_facts, find_node_faults
from search.cluster.placement import admit, avoid
from search.cluster.preflight import NodeFacts, fault_table
from search.task import Task

LOOK_S = 5.0


class Newcomers(tune.Callback):  # type: ignore[misc]
    """Checks nodes that were not there when trials began, as those of the start were; say: hears what came of it."""

    def __init__(self, task: Task, say: Callable[[str], None]) -> None:
        self.task, self.say = task, say
        self.known = set[str]()
        self.asked: dict[str, tuple[str, float, Any]] = {}  # by id: name, when, the facts to come
        self.looked = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes its callbacks into its own files, and nobody reads them."""
        return {}

    def setup(self, **info: Any) -> None:
        self.known = set(alive_nodes())

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if time.monotonic() - self.looked >= LOOK_S:
            self.looked = time.monotonic()
            self.look()

    def look(self) -> None:
        """Ask nodes that have come, and let those take part, or keep off them, that have answered; never waits."""
        for node, name in alive_nodes().items():
            if node not in self.known:
                self.known.add(node)
                if avoid([node], self.task.machine):  # else it is the only one
                    self.asked[node] = (name, time.time(), ask(node, name, self.task.file_sets))
        for node, (name, sent, answer) in list(self.asked.items()):
            if ray.wait([answer], timeout=0)[0] or time.time() - sent > ANSWER_S:
                del self.asked[node]
                self._judge(replace(answer_of(name, sent, answer, 0.0), node_id=node))

    def _judge(self, node: NodeFacts) -> None:
        driver = driver_facts(self.task.file_sets)
        found = find_node_faults([node, driver], driver, self.task)
        faults = [fault for fault in found if fault.is_fatal and fault.node == node.name]
        if faults:
            self.say(f"{node.name} has come, and nothing is tried there:\n{fault_table(faults)}")
        else:
            admit(node.node_id)
            self.say(f"{node.name} has come and takes part")
