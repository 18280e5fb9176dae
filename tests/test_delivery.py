"""Files come to the nodes of a Ray cluster that lack them, whole and once; every node tells its facts."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from datasets.errors import InputError
from datasets.packed import PackedDataset
from search.cluster.connection import machine
from search.cluster.delivery import deliver, on_node
from search.cluster.file_set import FileSet, file_set_of_pack, find
from search.cluster.node_check import Check, alive_nodes, inspect_nodes
from search.cluster.placement import where
from search.cluster.preflight import Fault
from search.engine.checkpoint_store import NAMESPACE
from search.space.plan import Machine

N_NODES = 3


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """A connected cluster of three nodes; the folders of their own copies, the driver's first."""
    folders = [tmp_path_factory.mktemp(f"node{place}") for place in range(N_NODES)]
    cluster = Cluster()
    for folder in folders:
        cluster.add_node(num_cpus=1, include_dashboard=False, env_vars={"LOWQ_CACHE": str(folder)})
    ray.init(cluster.address, namespace=NAMESPACE, log_to_driver=False)
    yield folders
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def file_set(small_pack: PackedDataset) -> Iterator[FileSet]:
    """A pack at a path that leads there in this process alone."""
    descriptor = os.open(small_pack.folder, os.O_RDONLY)
    yield replace(file_set_of_pack(small_pack), folder=Path(f"/proc/self/fd/{descriptor}"))
    os.close(descriptor)


def _others() -> dict[str, str]:
    here = ray.get_runtime_context().get_node_id()
    return {node: name for node, name in alive_nodes().items() if node != here}


def _found(file_set: FileSet) -> Path | None:
    return find(file_set)


def test_a_pack_comes_to_every_node_that_lacks_it_once(caches: list[Path], file_set: FileSet) -> None:
    others = _others()
    assert len(set(others.values())) == N_NODES - 1
    assert sorted(deliver(file_set, others, print)) == sorted(others.values())
    assert deliver(file_set, others, print) == []
    found = ray.get([on_node(_found, node).remote(file_set) for node in others])
    assert sorted(found) == [folder / file_set.key for folder in caches[1:]]


def test_a_shared_path_needs_no_delivery(caches: list[Path], small_pack: PackedDataset) -> None:
    assert deliver(file_set_of_pack(small_pack), alive_nodes(), print) == []


def test_what_a_node_cannot_take_in_is_named_and_nothing_is_left(caches: list[Path], file_set: FileSet) -> None:
    find.cache_clear()
    *first, last = file_set.files
    spoilt = replace(file_set, key="packs/spoilt", files=(replace(first[0], sha256="0" * 64), *first[1:], last))
    others = _others()
    with pytest.raises(InputError, match=rf"cannot take in the data: {first[0].name} did not arrive as it was sent"):
        deliver(spoilt, others, print)
    for folder in caches[1:]:
        assert not [path for path in (folder / "packs").iterdir() if "spoilt" in path.name]


def test_a_folder_that_cannot_be_written_is_named(caches: list[Path], file_set: FileSet) -> None:
    for folder in caches[1:]:
        (folder / "file").touch()
    with pytest.raises(InputError, match="cannot take in the data: "):
        deliver(replace(file_set, key="file/x"), _others(), print)


def test_every_node_tells_its_facts(caches: list[Path], small_pack: PackedDataset, file_set: FileSet) -> None:
    facts, driver = inspect_nodes([file_set_of_pack(small_pack), replace(file_set, key="packs/elsewhere")])
    assert len(facts) == N_NODES
    for node in facts:
        assert node.error is None
        assert (node.code, node.versions) == (driver.code, driver.versions)
        assert abs(node.clock_s) < 5
    assert sorted(len(node.lacks) for node in facts) == [0, 1, 1]


def test_a_bad_node_is_left_out_when_told_to(caches: list[Path], small_pack: PackedDataset) -> None:
    here = ray.get_runtime_context().get_node_id()
    bad = next(node for node in alive_nodes() if node != here)
    _, driver = inspect_nodes([])
    facts = [replace(driver, name=name, node_id=node) for node, name in alive_nodes().items()]
    check = Check(
        facts, [Fault(alive_nodes()[bad], "is broken", "mend it"), Fault("10.0.0.9", "is absent", "start it")]
    )
    assert check.avoided == [bad]
    seen = {ray.get(_node_of(machine(avoided=check.avoided))) for _ in range(6)}
    assert bad not in seen
    assert bad not in alive_nodes(check.avoided)
    assert machine(avoided=check.avoided).n_slots == N_NODES - 1


def _node_of(machine: Machine) -> "ray.ObjectRef[str]":
    def node_id() -> str:
        return str(ray.get_runtime_context().get_node_id())

    return ray.remote(num_cpus=1, label_selector=where(machine))(node_id).remote()
