"""Packing on a Ray cluster: this machine reads and crops the images, all nodes compress them, to the same bytes.

Nodes get this lowq's code of the room with each task, and must have the same Pillow and JPEG library.
"""

import logging
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import ray
from numpy.typing import NDArray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from datasets.cores import n_cores
from datasets.errors import InputError
from datasets.jpeg import codec_versions
from datasets.pack import Crop, Encoded, PackSettings, encode_crop, read_crop
from datasets.pack_files import Prepared
from datasets.prefetch import map_ahead
from datasets.sources.source import SourceImage

ROOM = Path(__file__).resolve().parent
ANSWER_S, JOIN_S = 5.0, 40.0
IMAGES_A_TASK, TASKS_AHEAD = 4, 2  # for each core of the cluster: what waits takes some MB
# Joins a cluster in a process of its own, which can be given up: Ray itself tries for minutes.
PROBE = "import logging, sys, ray; ray.init(sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)"


def join(address: str) -> int:
    """Join the Ray cluster at an address and return its cores.

    Raises InputError where none answers, or a node's JPEG library would write other bytes.
    """
    if not _lets_in(address):
        raise InputError(f"no Ray cluster lets this machine in at {address}: start one, or leave --address out")
    environment = {"py_modules": [str(ROOM)]}
    ray.init(address, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR)
    ours = codec_versions()
    asked = {node["NodeManagerHostname"]: _ask(node["NodeID"]) for node in ray.nodes() if node["Alive"]}
    try:
        for name, answer in asked.items():
            theirs = ray.get(answer)
            if theirs != ours:
                raise InputError(f"{name} has {_said(theirs)}, this machine {_said(ours)}: install the same on both")
    except RayError as error:
        raise InputError(f"the cluster cannot run lowq: {_reason(error)}") from error
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _lets_in(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdigit():
            socket.create_connection((host, int(port)), ANSWER_S).close()
        command = [sys.executable, "-c", PROBE, address]
        return subprocess.run(command, capture_output=True, timeout=JOIN_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def leave() -> None:
    """Leave the cluster."""
    ray.shutdown()


def prepare_on_cluster(images: Sequence[SourceImage], settings: PackSettings) -> Iterator[Prepared]:
    """Yield the images prepared, in order: read by this machine, compressed by all nodes of the joined cluster.

    Raises InputError where a node fails for good; a task whose node is lost is done by another.
    """
    encode = ray.remote(num_cpus=1)(_encode)
    n_ahead = TASKS_AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting: deque[tuple[list[Crop], ray.ObjectRef[Any]]] = deque()
    crops = map_ahead(partial(read_crop, settings), images, n_cores(), IMAGES_A_TASK * n_cores())
    while part := list(islice(crops, IMAGES_A_TASK)):
        waiting.append((part, encode.remote(settings, [crop.pixels for crop in part])))
        if len(waiting) > n_ahead:
            yield from _joined(*waiting.popleft())
    while waiting:
        yield from _joined(*waiting.popleft())


def _encode(settings: PackSettings, crops: Sequence[NDArray[Any]]) -> list[Encoded]:
    return [encode_crop(settings, crop) for crop in crops]


def _joined(crops: Sequence[Crop], answer: "ray.ObjectRef[Any]") -> Iterator[Prepared]:
    try:
        encoded: list[Encoded] = ray.get(answer)
    except RayError as error:
        raise InputError(f"the cluster could not compress images: {_reason(error)}") from error
    for crop, files in zip(crops, encoded, strict=True):
        yield Prepared(*crop, *files)


def _ask(node_id: str) -> "ray.ObjectRef[Any]":
    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return ray.remote(num_cpus=0)(codec_versions).options(scheduling_strategy=there).remote()


def _said(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _reason(error: RayError) -> str:
    return (str(getattr(error, "cause", None) or error).strip().splitlines() or [type(error).__name__])[-1][:160]
