"""The Ray cluster a search runs on: joined or started here, and what it offers to trials."""

import logging
import os
import socket
from collections.abc import Collection
from pathlib import Path

import ray
from ray.exceptions import AuthenticationError

from datasets.errors import InputError
from search.cluster.placement import GPU_MEMORY
from search.engine.checkpoint_store import NAMESPACE
from search.space.plan import Machine

LOCAL_TRIALS = 4  # trials at a time on one machine without a GPU; each takes about 1 GB
CONNECT_S = 10
OBJECT_STORE_BYTES = 256 * 1024**2  # weights pass through it, nothing larger
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
CLIENT = "ray://"
FORWARDED = ("KERAS_BACKEND",)


def connect(address: str | None, trials_per_gpu: int = 1) -> Machine:
    """Join the Ray cluster at an address (or RAY_ADDRESS), or start one on this machine; return what trials get.

    Raises InputError when no cluster answers at the address, or where it is one of Ray's client.
    """
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # Tune's own tables of progress stay silent
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # records.jsonl and our scalars hold what they would
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # a trial that had only its scores left reports no epoch
    address = address or os.environ.get("RAY_ADDRESS")
    if address and address.startswith(CLIENT):
        raise InputError(f"{address} is for Ray's client, which cannot run a search: name the head as HOST:6379")
    environment = QUIET | {name: os.environ[name] for name in FORWARDED if name in os.environ}
    options = {
        "namespace": NAMESPACE,
        "runtime_env": {"env_vars": environment},
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if not address:
        ray.init("local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **options)
        return machine(trials_per_gpu)
    try:
        _reach(address)
        ray.init(address, **options)
    except (OSError, ValueError, AuthenticationError) as error:
        advice = "start one or leave --address out; where it asks for a token, ~/.ray/auth_token must be the cluster's"
        raise InputError(f"no Ray cluster answers at {address}: {advice}") from error
    return machine(trials_per_gpu)


def _reach(address: str) -> None:
    """Open a connection to a HOST:PORT and close it: Ray itself tries for ten minutes. Raises OSError or ValueError."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), CONNECT_S).close()


def machine(trials_per_gpu: int = 1, avoided: Collection[str] = ()) -> Machine:
    """Return what the connected cluster, but for nodes to avoid, offers to a trial: a GPU or a part, or cores.

    Raises InputError where trials are to share cards that are not there, or of unknown memory.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    nodes = [node["Resources"] for node in alive if node["NodeID"] not in avoided]
    gpus = [node for node in nodes if node.get("GPU")]
    if gpus:
        n_gpus = sum(node["GPU"] for node in gpus)
        threads = min(int(node["CPU"] // (node["GPU"] * trials_per_gpu)) for node in gpus)
        cards = [node.get(GPU_MEMORY, 0) / node["GPU"] for node in gpus]
        if trials_per_gpu > 1 and not all(cards):
            raise InputError(f"--trials-per-gpu needs nodes that offer {GPU_MEMORY}: start Ray with it on every node")
        return Machine(
            n_slots=int(n_gpus * trials_per_gpu),
            n_threads=max(1, threads),
            n_gpus=n_gpus,
            gpu_mem_mb=max(cards) if all(cards) else 0,
            trials_per_gpu=trials_per_gpu,
            avoided=tuple(avoided),
        )
    if trials_per_gpu > 1:
        raise InputError("--trials-per-gpu lets trials share cards, and there is none here: leave it out")
    cores = [int(node.get("CPU", 0)) for node in nodes]
    n_threads = max(1, min(n for n in cores if n) // LOCAL_TRIALS)
    memory_mb = max(node.get("memory", 0) for node in nodes) / 1e6
    n_slots = sum(n // n_threads for n in cores)
    return Machine(n_slots, n_threads, memory_mb=memory_mb, avoided=tuple(avoided))


def send_logs_to(folder: Path) -> None:
    """Put Ray's and Python's warnings, which a user cannot act on, into a file of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "driver.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.captureWarnings(True)
    for name in ("ray", "optuna", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False


def disconnect() -> None:
    """Leave the cluster; one that was started here ends."""
    ray.shutdown()
