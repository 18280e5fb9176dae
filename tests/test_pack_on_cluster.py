"""Packing on a Ray cluster: the same bytes as on this machine alone, and one line where a cluster cannot be used."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.packed import open_pack
from tests.pack_fixture import write_source_folder

SMALL = ("--size", "32", "--qualities", "25", "75")


def _pack(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datasets", "pack", *map(str, arguments), *SMALL]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of two processes' cores on this machine, which ends with the tests."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()


def test_a_pack_made_on_two_nodes_has_the_bytes_of_one_made_here(address: str, tmp_path: Path) -> None:
    source = write_source_folder(tmp_path / "source")
    (tmp_path / "encoders").write_text("jpeg-q45-c0.6\n")
    more = ("--encoders", tmp_path / "encoders")
    here = _pack(source, tmp_path / "here", *more)
    there = _pack(source, tmp_path / "there", *more, "--address", address)
    again = _pack(source, tmp_path / "again", *more, RAY_ADDRESS=address)
    assert (here.returncode, there.returncode, again.returncode) == (0, 0, 0), there.stderr
    assert f"packing on the Ray cluster at {address}, 2 cores" in there.stderr
    assert f"packing on the Ray cluster at {address}, 2 cores" in again.stderr
    assert "cluster" not in here.stderr
    fingerprints = {open_pack(tmp_path / name, check_hashes=True).fingerprint for name in ("here", "there", "again")}
    assert len(fingerprints) == 1
    assert (tmp_path / "here" / "manifest.json").read_bytes() == (tmp_path / "there" / "manifest.json").read_bytes()


def test_where_no_cluster_answers_one_line_says_so_and_nothing_is_left(tmp_path: Path) -> None:
    source = write_source_folder(tmp_path / "source")
    done = _pack(source, tmp_path / "out", "--address", "127.0.0.1:1")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "lowq: no Ray cluster lets this machine in at 127.0.0.1:1: start one, or leave --address out"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
