"""The way of files to the nodes that lack them: through Ray's object store, part by part, each part to all at once."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from datasets.errors import InputError, last_line
from search.cluster.file_set import PART_BYTES, FileSet, begin, discard, find, finish, take
from search.cluster.waiting import Patience, wait_for_all

DISCARD_S = 10.0  # for nodes to remove what came, where one of them cannot take it


def on_node(work: Callable[..., Any], node_id: str) -> Any:
    """Return the Ray task that does some work, which takes no core, on one node."""
    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return ray.remote(num_cpus=0, max_retries=0)(work).options(scheduling_strategy=there)


def deliver(file_set: FileSet, nodes: Mapping[str, str], say: Callable[[str], None]) -> list[str]:
    """Bring a file set to the nodes, id -> name, that lack it; return their names. say: hears what is waited for.

    Raises InputError, naming the node, where one cannot take it in; nothing of it is left there.
    """
    patience = Patience(f"{file_set.folder.name} to come to the nodes", say, lambda: "a network or a disk is slow")
    found = _all({node: on_node(_has, node).remote(file_set) for node in nodes}, nodes, patience)
    lacking = {node: name for node, name in nodes.items() if not found[node]}
    if not lacking:
        return []
    token = uuid.uuid4().hex

    def everywhere(work: Callable[..., Any], *arguments: Any) -> None:
        _all({node: on_node(work, node).remote(file_set, token, *arguments) for node in lacking}, nodes, patience)

    try:
        everywhere(begin)
        for file in file_set.files:
            with (file_set.folder / file.name).open("rb") as source:
                for offset in range(0, max(1, file.n_bytes), PART_BYTES):
                    everywhere(take, file.name, offset, ray.put(source.read(PART_BYTES)))
        everywhere(finish)
    except BaseException:  # Ctrl-C too
        discarded = [on_node(discard, node).remote(file_set, token) for node in lacking]
        ray.wait(discarded, num_returns=len(lacking), timeout=DISCARD_S)
        raise
    return list(lacking.values())


def _has(file_set: FileSet) -> bool:
    find.cache_clear()  # a worker may remember another day
    return find(file_set) is not None


def _all(answers: "dict[str, ray.ObjectRef[Any]]", names: Mapping[str, str], patience: Patience) -> dict[str, Any]:
    """Wait for every node's answer. Raises InputError for the first that is an error."""
    wait_for_all(list(answers.values()), patience)
    results = {}
    for node, answer in answers.items():
        try:
            results[node] = ray.get(answer)
        except (RayError, OSError) as error:
            cause = getattr(error, "cause", None) or error
            reason = getattr(cause, "strerror", None) or last_line(error)
            raise InputError(f"{names[node]} cannot take in the data: {reason}") from error
    return results
