"""The Ray cluster a search runs on: joined or started here, and what it offers to trials."""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import ray
from ray._raylet import Config

from datasets.errors import InputError
from search.cluster.cards import Card, offered_memory_mb, read_cards
from search.cluster.logs import keep_from_screen
from search.cluster.placement import GPU_MEMORY
from search.cluster.speed import core_macs_per_s
from search.engine.checkpoint_store import NAMESPACE
from search.space.plan import Machine

LOCAL_TRIALS = 4  # trials at a time on one machine without a GPU; each takes about 1 GB
CONNECT_S = 40.0  # for each of two tries; Ray takes 20 s to say that a token is wrong
ACCEPT_S = 5.0
SILENT = "it says nothing"
LATE = "timed out during startup"  # in what Ray says
OBJECT_STORE_BYTES = 256 * 1024**2  # weights pass through it, nothing larger
# Tune ends at the error of a worker that Ray ended for want of memory. Linux ends workers first, too (Ray gives them an
# oom_score_adj of 1000), and then the trial goes on in another.
NO_MEMORY_MONITOR = {"memory_monitor_refresh_ms": 0}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
CLIENT = "ray://"
FORWARDED = ("KERAS_BACKEND",)
AUTH_MODE = "RAY_AUTH_MODE"  # Ray's own: "token" has a process show the token of ~/.ray/auth_token, or of these
AUTH_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
ROOT = Path(__file__).resolve().parents[2]
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
# Joins a cluster in a process of its own, which can be given up: Ray itself tries for minutes.
PROBE = """
import logging, sys, ray
try:
    ray.init(sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
except BaseException as error:
    print(type(error).__name__, " ".join(str(error).split()), sep=": ")
    sys.exit(1)
"""


def connect(address: str | None, trials_per_gpu: int = 1) -> Machine:
    """Join the Ray cluster at an address (or RAY_ADDRESS), or start one on this machine; return what trials get.

    Raises InputError when no cluster answers at the address, or it is one of Ray's client, and where Ray cannot start.
    """
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # Tune's own tables of progress stay silent
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # records.jsonl and our scalars hold what they would
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # a trial that had only its scores left reports no epoch
    address = address or os.environ.get("RAY_ADDRESS")
    if address and address.startswith(CLIENT):
        raise InputError(f"{address} is for Ray's client, which cannot run a search: name the head as HOST:6379")
    environment = QUIET | {name: os.environ[name] for name in FORWARDED if name in os.environ}
    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "log_to_driver": True,  # into a file of the run, see `send_logs_to`
        "logging_level": logging.ERROR,
    }
    if address:
        _require_answer(address)
        try:
            _init(address, runtime_env={"env_vars": environment}, **options)
        except Exception as error:  # Ray raises bare ones
            raise InputError(_advice(address, f"{type(error).__name__}: {' '.join(str(error).split())}")) from error
        keep_from_screen()
        return machine(trials_per_gpu)
    _require_loopback()
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # workers run this checkout too
    cards = _usable_cards()
    offered = {GPU_MEMORY: offered_memory_mb(cards)} if cards else {}
    options |= {"runtime_env": {"env_vars": environment | {"PYTHONPATH": path}}, "resources": offered}
    try:
        _start(
            num_cpus=usable_cores(),
            num_gpus=len(cards),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _system_config=NO_MEMORY_MONITOR,
            **options,
        )
    except Exception as error:  # Ray raises bare ones, such as "timed out during startup"
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        advice = "it needs a home folder it can write, a TMPDIR of few letters, and a /tmp/ray of its own"
        raise InputError(f"Ray cannot start on this machine ({reason}): {advice}") from error
    keep_from_screen()
    return machine(trials_per_gpu)


def _init(address: str, **options: Any) -> None:
    """Connect Ray, so that no package of the working directory, which Ray has workers import from, hides lowq's.

    Ray takes SIGTERM for itself: what comes meanwhile raises KeyboardInterrupt, then it is the caller's again.
    """
    on_end = signal.getsignal(signal.SIGTERM)
    try:
        with chdir(ROOT):
            ray.init(address, **options)
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        signal.signal(signal.SIGTERM, on_end)


def _start(**options: Any) -> None:
    """Start Ray here; once more where its processes were not up in the 30 s that Ray gives them, as on a busy PC."""
    try:
        _init("local", **options)
    except Exception as error:  # Ray raises bare ones
        if LATE not in str(error):
            raise
        ray.shutdown()
        _init("local", **options)


def _require_answer(address: str) -> None:
    """Raise InputError, saying why, unless a process can join the cluster within CONNECT_S.

    One that asks for a token is joined with that of ~/.ray/auth_token, or of one of AUTH_TOKENS.
    """
    said = _probe(address, {})
    has_token = any(name in os.environ for name in AUTH_TOKENS) or (Path.home() / ".ray" / "auth_token").is_file()
    if said and said != SILENT and AUTH_MODE not in os.environ and has_token:
        with_token = _probe(address, {AUTH_MODE: "token"})
        if not with_token:
            os.environ[AUTH_MODE] = "token"
            Config.initialize("")  # Ray read its configuration when it was imported
            return
        said = with_token if "Authentication" in with_token else said
    if said:
        raise InputError(_advice(address, said))


def _probe(address: str, environment: Mapping[str, str]) -> str:
    """Return why a cluster cannot be joined; empty where it can."""
    if ":" in address and not _accepts(address):
        return "nothing listens there"  # Ray would try for a while
    command = [sys.executable, "-P", "-c", PROBE, address]
    try:
        answer = subprocess.run(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=CONNECT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return SILENT
    lines = answer.stdout.strip().splitlines()
    return (lines[-1] if lines else "Ray ended without a word") if answer.returncode else ""


def _advice(address: str, said: str) -> str:
    # Ray says of a wrong token no more than that it cannot connect; something does answer there, though.
    is_refused = said.startswith("ConnectionError") and _accepts(address)
    if is_refused or "Authentication" in said or "token" in said.lower():
        refuses = f"the Ray cluster at {address} refuses this machine's token: copy the head's ~/.ray/auth_token here"
        return refuses + ", if it is a Ray head that listens there" * is_refused
    if "ersion" in said and "Ray" in said:
        return f"the Ray cluster at {address} is of another version ({said[:160]}): install the same on both"
    elsewhere = ", or search on a PC that is a node of it, which this one may not be" * (said == SILENT)
    return f"no Ray cluster answers at {address} ({said[:160]}): start one, or leave --address out{elsewhere}"


def _require_loopback() -> None:
    """Raise InputError where this machine cannot reach itself, which Ray would wait for without an end."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), ACCEPT_S).close()
    except OSError as error:
        reason = f"Ray cannot start on this machine ({error.strerror or error} at 127.0.0.1)"
        raise InputError(f"{reason}: its processes talk over the loopback interface: ip link set lo up") from error


def _accepts(address: str) -> bool:
    """Say whether anything takes a connection at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ACCEPT_S).close()
    except (OSError, ValueError):
        return False
    return True


def _usable_cards() -> tuple[Card, ...]:
    """Return the cards of this machine; none where one is too old: hidden by CUDA_VISIBLE_DEVICES the others count."""
    cards, _ = read_cards()
    return cards if all(card.is_usable for card in cards) else ()


def usable_cores() -> int:
    """Return how many cores this process may use: those it is bound to, and no more than its group's quota."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text().split()
        return n_cores if quota == "max" else max(1, min(n_cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return n_cores


def machine(trials_per_gpu: int = 1, avoided: Collection[str] = ()) -> Machine:
    """Return what the connected cluster, but for nodes to avoid, offers to a trial: a GPU or a part, or cores.

    Raises InputError where trials are to share cards that are not there, or of unknown memory.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    nodes = [node["Resources"] for node in alive if node["NodeID"] not in avoided]
    gpus = [node for node in nodes if node.get("GPU")]
    if gpus:
        n_gpus = sum(node["GPU"] for node in gpus)
        threads = min(int(node.get("CPU", 0) // (node["GPU"] * trials_per_gpu)) for node in gpus)
        cards = [node.get(GPU_MEMORY, 0) / node["GPU"] for node in gpus]
        if trials_per_gpu > 1 and any(node["GPU"] > 1 for node in gpus):
            raise InputError("--trials-per-gpu needs a Ray node for each card, and one here has several: leave it out")
        if trials_per_gpu > 1 and not all(cards):
            raise InputError(f"--trials-per-gpu needs nodes that offer {GPU_MEMORY}: start Ray with it on every node")
        return Machine(
            n_slots=int(n_gpus * trials_per_gpu),
            n_threads=max(1, threads),
            n_gpus=n_gpus,
            gpu_mem_mb=max(cards) if all(cards) else 0,
            trials_per_gpu=trials_per_gpu,
            avoided=tuple(avoided),
            n_without_gpu=len(nodes) - len(gpus),
        )
    if trials_per_gpu > 1:
        raise InputError("--trials-per-gpu lets trials share cards, and there is none here: leave it out")
    cores = [int(node.get("CPU", 0)) for node in nodes]
    if not any(cores):
        raise InputError("the cluster has no cores yet: start Ray on the other nodes, then search again")
    n_threads = max(1, min(n for n in cores if n) // LOCAL_TRIALS)
    memory_mb = max(node.get("memory", 0) for node in nodes) / 1e6
    n_slots = sum(n // n_threads for n in cores)
    return Machine(n_slots, n_threads, memory_mb=memory_mb, avoided=tuple(avoided), core_macs_per_s=core_macs_per_s())


def disconnect() -> None:
    """Leave the cluster; one that was started here ends."""
    ray.shutdown()
