"""What does sharing cards bring, and do large trials wait without idling small cards? On five simulated cards.

Ray places real processes on five nodes that only claim to have cards; a trial is so many seconds of a card's time, and
trials on one card each run at a stated share of its speed. Speeds are relative peaks of the cards' data sheets.
"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray import tune
from ray.cluster_utils import Cluster
from ray.tune.schedulers import FIFOScheduler

from models.footprint import FOOTPRINTS
from search.cluster.connection import machine
from search.cluster.placement import GPU_MEMORY, N_WAITING, needs
from search.engine.checkpoint_store import NAMESPACE
from search.engine.early_stopping import METRIC
from search.engine.searcher import LowqSearch
from search.engine.tune import Job, run_trials
from search.records import TrialRecord
from search.space.scale import SCALES
from search.space.spaces import SPACES
from search.space.spec import TrialSpec, TrialStatus
from search.space.values import resolve


@dataclass(frozen=True)
class Card:
    """A card: what it has of memory, MB of 10^6 bytes, and its speed beside the first's."""

    name: str
    memory_mb: int
    speed: float


CARDS = (
    Card("GTX 1660 Ti", 6_442, 1.0),
    Card("GTX 1650", 4_294, 0.55),
    Card("GTX 1650", 4_294, 0.55),
    Card("GTX 1050 Ti", 4_294, 0.39),
    Card("GTX 1050 Ti", 4_294, 0.39),
)
# Of a card's speed, for each of so many trials on it: even parts, and what small networks might reach together.
EVEN, OVERLAPPING = {1: 1.0, 2: 1 / 2, 3: 1 / 3}, {1: 1.0, 2: 0.7, 3: 0.5}
N_TRIALS = 50
LONGEST_S = 60.0  # of the network with the most arithmetic, alone on the fastest card
TICK_S = 0.1
N_CPUS = 4  # of each node
RESULT = Path(__file__).resolve().parent / "results" / "placement.json"


def simulate(trials_per_gpu: int, shares: dict[int, float], n_waiting: int) -> dict[str, float]:
    """Run the trials and return finished trials an hour and the share of all cards' memory that was asked for.

    Between the first start and the last, when every card could have work.
    """
    with tempfile.TemporaryDirectory() as folder:
        offered = machine(trials_per_gpu)
        cards = _cards_by_node()
        host = Host()
        searcher = LowqSearch(SPACES["full"], _spec, host, seed=0, n_trials=N_TRIALS)
        searcher.continue_from([], [])
        trainable = _trainable(Path(folder), cards, shares)
        job = Job(N_TRIALS, offered, Path(folder, "logs"), n_waiting)
        run_trials(trainable, job, searcher, FIFOScheduler(), [])
        lines = [json.loads(line) for line in Path(folder, "trace").read_text().splitlines()]
    asks = {spec.trial_id: needs(spec, offered)[GPU_MEMORY] for spec in host.announced}
    start, end = (pick(line["start"] for line in lines) for pick in (min, max))
    inside = [min(line["end"], end) - line["start"] for line in lines]
    used = sum(asks[line["trial"]] * seconds for line, seconds in zip(lines, inside, strict=True))
    finished = sum(line["end"] <= end for line in lines)
    return {
        "trials_per_hour": round(3600 * finished / (end - start)),
        "memory_in_use": round(used / (sum(card.memory_mb for card in CARDS) * (end - start)), 3),
        "busy_share_of_cards": round(_busy_s(lines, end) / (len(CARDS) * (end - start)), 3),
    }


def _trainable(folder: Path, cards: dict[str, Card], shares: dict[int, float]) -> Callable[[dict[str, Any]], None]:
    most = max(footprint.macs_per_pixel for footprint in FOOTPRINTS.values())
    work = {name: LONGEST_S * footprint.macs_per_pixel / most for name, footprint in FOOTPRINTS.items()}

    def train(config: dict[str, Any]) -> None:
        node = ray.get_runtime_context().get_node_id()
        trial = config["spec"].trial_id
        here = folder / node
        here.mkdir(exist_ok=True)
        (here / trial).touch()
        start, left_s = time.time(), work[config["spec"].architecture]
        while left_s > 0:
            time.sleep(TICK_S)
            left_s -= TICK_S * cards[node].speed * shares[max(1, len(list(here.iterdir())))]
        (here / trial).unlink()
        with (folder / "trace").open("a") as file:
            file.write(json.dumps({"trial": trial, "node": node, "start": start, "end": time.time()}) + "\n")
        tune.report({METRIC: 0.0, "epoch": 1})

    return train


def _busy_s(lines: list[dict[str, Any]], end: float) -> float:
    """Return the seconds, summed over cards, in which a card had at least one trial."""
    busy = 0.0
    for node in {line["node"] for line in lines}:
        until = -np.inf
        for line in sorted((line for line in lines if line["node"] == node), key=lambda line: line["start"]):
            last = min(line["end"], end)
            busy += max(0.0, last - max(line["start"], until))
            until = max(until, last)
    return busy


def _spec(parameters: dict[str, Any]) -> TrialSpec:
    return TrialSpec(**{**resolve({**SCALES["full"].fields, **SPACES["full"].fields}, parameters), **parameters})


class Host:
    """Hears what is proposed, and has every trial complete."""

    def __init__(self) -> None:
        self.announced: list[TrialSpec] = []

    def announce(self, spec: TrialSpec) -> bool:
        self.announced.append(spec)
        return True

    def settle(self, spec: TrialSpec, crashed: bool) -> TrialRecord:
        return TrialRecord(spec, TrialStatus.COMPLETED, 1, 0.0, 0.0, -1.5, 1.0, bytes_at_parity=1.0)

    def is_held(self, spec: TrialSpec) -> bool:
        return False

    def confirmations(self, n_left: int) -> tuple[TrialSpec, ...] | None:
        return None if n_left else ()


def _cards_by_node() -> dict[str, Card]:
    numbers = {node["NodeID"]: node["Resources"] for node in ray.nodes()}
    return {
        node: card
        for node, resources in numbers.items()
        for place, card in enumerate(CARDS)
        if f"card_{place}" in resources
    }


def main() -> None:
    """Simulate, print and write benchmarks/results/placement.json."""
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    cluster = Cluster()
    for place, card in enumerate(CARDS):
        resources = {GPU_MEMORY: card.memory_mb, f"card_{place}": 1}
        cluster.add_node(num_cpus=N_CPUS, num_gpus=1, resources=resources, include_dashboard=False)
    ray.init(cluster.address, namespace=NAMESPACE, log_to_driver=False, logging_level="ERROR")
    settings = {
        "one a card": (1, EVEN, N_WAITING),
        "one a card, none may wait": (1, EVEN, 0),
        "two a card, even parts": (2, EVEN, N_WAITING),
        "two a card, overlapping": (2, OVERLAPPING, N_WAITING),
        "three a card, overlapping": (3, OVERLAPPING, N_WAITING),
    }
    numbers = {}
    for name, setting in settings.items():
        numbers[name] = simulate(*setting)
        print(f"{name}: {numbers[name]}", flush=True)
    alone = numbers["one a card"]["trials_per_hour"]
    for row in numbers.values():
        row["trials_per_hour_over_one_a_card"] = round(row["trials_per_hour"] / alone, 3)
    ray.shutdown()
    cluster.shutdown()
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("ray", "optuna")},
        "settings": {
            "cards": [vars(card) for card in CARDS],
            "shares": {"even": EVEN, "overlapping": OVERLAPPING},
            "n_trials": N_TRIALS,
            "longest_s": LONGEST_S,
            "n_waiting": N_WAITING,
        },
        "numbers": numbers,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
