"""What does a search lose when one of its five nodes is killed in the middle?

The nodes are Ray nodes of one core each on this machine; trials, checkpoint store and search are the real ones.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import ray
from ray._private import state
from ray.cluster_utils import Cluster

from datasets.pack import PackSettings, write_pack
from datasets.smear import synthesize
from search.records import read_records

N_NODES, N_TRIALS, N_IMAGES, SIZE_PX = 5, 10, 60, 96
SEARCH = ["--space", "full", "--scale", "demo", "--networks", "resnet", "jjnet", "--losses", "mse", "hf"]
KILLED_AT = "epoch 3/"  # of any trial
EPOCH = re.compile(r"\s(\S+)  epoch (\d+)/")
RUN_PY = Path(__file__).resolve().parent.parent / "search" / "run.py"
RESULT = Path(__file__).resolve().parent / "results" / "recovery.json"


def search_and_kill(cluster: Cluster, folder: Path) -> tuple[list[str], int]:
    """Run a search, kill a node that is not the head's when trials have gone some way.

    Returns the search's lines and how many trials ran on that node.
    """
    nodes = [cluster.add_node(num_cpus=1, include_dashboard=False) for _ in range(N_NODES)]
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    command = [sys.executable, str(RUN_PY), *SEARCH, "--data", str(folder / "pack"), "--out", str(folder / "run")]
    command += ["--trials", str(N_TRIALS), "--address", cluster.address]
    lines: list[str] = []
    n_there = -1
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as search:
        assert search.stdout is not None
        for line in search.stdout:
            print(line, end="", flush=True)
            lines.append(line)
            if KILLED_AT in line and n_there < 0:
                victim = max(nodes[1:], key=lambda node: _n_actors(node.node_id))
                n_there = _n_actors(victim.node_id)
                cluster.remove_node(victim, allow_graceful=False)
                print(f"killed a node with {n_there} trial(s)", flush=True)
    assert search.returncode == 0, "the search failed"
    return lines, n_there


def _n_actors(node_id: str) -> int:
    alive = (actor for actor in state.actors().values() if actor["State"] == "ALIVE")
    return sum(actor["Address"]["NodeID"] == node_id for actor in alive)


def main() -> None:
    """Measure, print and write benchmarks/results/recovery.json."""
    cluster = Cluster()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pack(synthesize(N_IMAGES, 0), folder / "pack", PackSettings(SIZE_PX))
        lines, n_there = search_and_kill(cluster, folder)
        records = [record for record in read_records(folder / "run") if record.spec.is_trained]
    ray.shutdown()
    cluster.shutdown()
    reported = Counter(match.groups() for line in lines if (match := EPOCH.search(line)))
    numbers = {
        "n_trials_asked_for": N_TRIALS,
        "n_trials_with_a_record": len({record.trial_id for record in records}),
        "n_records": len(records),
        "n_failed": sum(record.status == "failed" for record in records),
        "n_trials_on_the_killed_node": n_there,
        "n_epochs_reported_twice": sum(count - 1 for count in reported.values()),
    }
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("ray", "tensorflow")},
        "settings": {"n_nodes": N_NODES, "search": SEARCH, "size_px": SIZE_PX, "killed_at": KILLED_AT},
        "numbers": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(numbers, indent=2))
    print("besides epochs reported twice, the epoch a trial was in when its node ended is run again")


if __name__ == "__main__":
    main()
