"""The preflight: each thing that can be wrong with a node is a line that names it and the fix."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datasets.errors import InputError
from datasets.packed import PackedDataset
from search.cluster.cards import Card
from search.cluster.file_set import file_set_of_pack
from search.cluster.node_check import Check, without_bad_nodes
from search.cluster.placement import GPU_MEMORY
from search.cluster.preflight import Fault, NodeFacts, fault_table, find_faults, gather_facts, node_table

GTX = Card("GTX 1660 Ti", 7.5, "550.1", 6442.0)
GOOD = NodeFacts(
    name="lab-1",
    resources={"CPU": 4.0, "GPU": 1.0, GPU_MEMORY: 6442.0},
    versions={"python": "3.11.2", "ray": "2.60.0", "lowq": "0.1.0"},
    code="abc",
    memory_free_mb=8000.0,
    disk_free_mb=50_000.0,
    gpus=(GTX,),
    cudnn="9.10.2",
)
LAPTOP = replace(GOOD, resources={"CPU": 4.0}, gpus=(), smi_error="there is no nvidia-smi", cudnn=None)


def _faults(node: NodeFacts, driver: NodeFacts = GOOD, computes_on_gpus: bool = True) -> list[Fault]:
    return find_faults([driver, node], driver, least_mb=1500.0, computes_on_gpus=computes_on_gpus)


@pytest.mark.parametrize("node", [GOOD, LAPTOP, replace(GOOD, lacks={"pack": 23_000.0}), replace(GOOD, clock_s=-2.0)])
def test_a_good_node_has_no_fault(node: NodeFacts) -> None:
    assert _faults(node) == []


WRONG = {
    "silent": (replace(GOOD, error="not within 60 s"), "did not answer: not within 60 s", "look at its Ray logs"),
    "python": (
        replace(GOOD, versions={**GOOD.versions, "python": "3.12.1"}),
        "python 3.12.1, the driver has 3.11.2",
        "install the same from constraints.txt",
    ),
    "ray": (replace(GOOD, versions={"python": "3.11.2", "lowq": "0.1.0"}), "ray missing, the driver has 2.60.0", ""),
    "code": (replace(GOOD, code="def"), "its lowq is not the driver's code", "Hugging Face's datasets"),
    "clock": (replace(GOOD, clock_s=90.0), "its clock is +90 s off the driver's", "set its clock"),
    "disk": (
        replace(GOOD, lacks={"pack": 60_000.0}),
        "50000 MB of disk free, it lacks pack (60000 MB)",
        "name another place with LOWQ_CACHE",
    ),
    "driver": (
        replace(GOOD, gpus=(), smi_error="nvidia-smi says: NVIDIA-SMI has failed"),
        "offers a GPU, but nvidia-smi says: NVIDIA-SMI has failed",
        "install the driver",
    ),
    "old card": (
        replace(GOOD, gpus=(Card("GTX 970", 5.2, "550.1", 4294.0),)),
        "GTX 970 has compute capability 5.2, TensorFlow needs 6",
        "start Ray there with 0 GPUs",
    ),
    "cuDNN": (
        replace(GOOD, gpus=(Card("GTX 1050 Ti", 6.1, "550.1", 4294.0),), cudnn="9.11.0"),
        "cuDNN 9.11.0 has no kernels for GTX 1050 Ti",
        "install lowq[gpu] there",
    ),
    "silent memory": (
        replace(GOOD, resources={"CPU": 4.0, "GPU": 1.0}),
        "does not offer gpu_mem_mb, as other nodes do",
        "start Ray there with --resources '{\"gpu_mem_mb\": MB}'",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named_with_the_fix(wrong: str) -> None:
    node, what, fix = WRONG[wrong]
    (fault,) = _faults(replace(node, name="lab-2"))
    assert (fault.node, fault.what) == ("lab-2", what)
    assert fix in fault.fix
    assert fault.is_fatal is (wrong != "clock")


UNUSED = {
    "driver": (
        replace(LAPTOP, smi_error="nvidia-smi says: NVIDIA-SMI has failed"),
        "nvidia-smi says: NVIDIA-SMI has failed",
        "install the driver again, then restart it",
    ),
    "old card": (
        replace(LAPTOP, gpus=(GTX, Card("GTX 970", 5.2, "550.1", 4294.0)), smi_error=None),
        "GTX 970 has compute capability 5.2, TensorFlow needs 6: none of its cards is used",
        "take that card out",
    ),
}


@pytest.mark.parametrize("wrong", UNUSED)
def test_a_node_that_offers_no_gpu_for_want_of_something_is_named_and_may_run(wrong: str) -> None:
    node, what, fix = UNUSED[wrong]
    assert _faults(node) == [Fault("lab-1", what, fix, is_fatal=False)]


def test_a_pascal_card_runs_with_an_older_cudnn() -> None:
    assert _faults(replace(GOOD, gpus=(Card("GTX 1050 Ti", 6.1, "550.1", 4294.0),))) == []


def test_memory_counts_where_trials_run_on_processors() -> None:
    full = replace(LAPTOP, memory_free_mb=900.0)
    (fault,) = _faults(full, LAPTOP, computes_on_gpus=False)
    assert fault.what == "900 MB of memory free, the smallest trial needs 1500 MB"
    assert _faults(full, LAPTOP) == []


def test_where_no_node_is_fine_nothing_is_said_of_going_on() -> None:
    task: Any = None
    bad = Fault(GOOD.name, "its lowq is not the driver's code", "copy this lowq there")
    with pytest.raises(InputError, match=r"^mend these nodes:\n"):
        without_bad_nodes(task, Check([GOOD], [bad]), None)
    other = replace(GOOD, name="lab-9")
    with pytest.raises(InputError, match=r"^mend these nodes, or go on with --min-nodes 1:\n"):
        without_bad_nodes(task, Check([GOOD, other], [bad]), None)


def test_the_table_has_a_line_for_each_fault() -> None:
    head, first, second = fault_table([Fault("a", "long enough", "x"), Fault("lab-2", "b", "y")]).splitlines()
    assert head.split("  ")[0] == "node"
    assert first == "a      long enough    x"
    assert second == "lab-2  b              y"


def test_a_node_tells_its_versions_code_memory_and_what_it_lacks(small_pack: PackedDataset) -> None:
    file_set = file_set_of_pack(small_pack)
    facts = gather_facts(
        "here", {"CPU": 1.0}, [file_set, replace(file_set, folder=Path("/not/there"), key="packs/none")]
    )
    assert {"python", "ray", "lowq"} <= facts.versions.keys()
    assert len(facts.code) == 64
    assert facts.memory_free_mb > 100
    assert facts.disk_free_mb > 1
    assert list(facts.lacks) == ["there"]
    assert abs(facts.clock_s) > 1e9


SMI = """#!/bin/sh
{answer}
"""


@pytest.mark.parametrize(
    ("answer", "gpus", "error"),
    [
        (
            "echo 'NVIDIA GeForce GTX 1660 Ti, 7.5, 550.120, 6144'",
            (Card("NVIDIA GeForce GTX 1660 Ti", 7.5, "550.120", 6144 * 2**20 / 1e6),),
            None,
        ),
        ("echo 'NVIDIA-SMI has failed'; exit 9", (), "nvidia-smi says: NVIDIA-SMI has failed"),
        ("echo 'what, is, this'", (), "nvidia-smi cannot be understood"),
    ],
)
def test_cards_are_read_from_nvidia_smi(
    answer: str, gpus: tuple[Card, ...], error: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia-smi").write_text(SMI.format(answer=answer))
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    facts = gather_facts("here", {}, [])
    assert facts.gpus == gpus
    assert (facts.smi_error or "").startswith(error or "")
    assert (facts.smi_error is None) == (error is None)


def test_the_table_of_nodes_shows_what_each_has() -> None:
    silent = NodeFacts("lab-3", error="not within 60 s")
    head, good, laptop, broken = node_table([GOOD, replace(LAPTOP, lacks={"pack": 1.0}), silent]).splitlines()
    assert head.split()[:2] == ["node", "cores"]
    assert "GTX 1660 Ti 6442 MB  550.1   3.11.2" in good
    assert "none" in laptop
    assert "to be brought" in laptop
    assert broken.split() == ["lab-3", *9 * "?"]
