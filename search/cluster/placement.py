"""Placement: what a trial asks of the node that is to run it, by what `models.footprint` says it needs."""

import math
from collections.abc import Collection

import ray

from datasets.errors import InputError
from models.footprint import CONTEXT_RESERVE_MB, gpu_memory_mb, trial_memory_mb
from search.space.plan import Machine
from search.space.spec import TrialSpec

GPU_MEMORY = "gpu_mem_mb"  # the resource that a node with a card starts Ray with
NODE_LABEL = "ray.io/node-id"  # of every node
WORKER_MB = 900  # a worker with TensorFlow loaded, a network built and the pack mapped
# Workers are kept for the next trial that asks for the same, so memory is asked for in few sizes.
LEAST_ASK_MB = 2048
# Where cards differ, so many proposals may wait for a large one while others take the small ones.
N_WAITING = 4

_avoided: set[str] = set()  # ids of nodes, since the search began


def needs(spec: TrialSpec, machine: Machine) -> dict[str, float]:
    """Return the resources of Ray that a trial asks for: threads, and the memory of its card or of its node."""
    asked: dict[str, float] = {"CPU": machine.n_threads}
    if machine.n_gpus:
        return (
            asked
            | {"GPU": 1 / machine.trials_per_gpu}
            | ({GPU_MEMORY: math.ceil(memory_mb(spec, machine))} if machine.gpu_mem_mb else {})
        )
    return asked | ({"memory": int(worker_mb(spec, machine) * 1e6)} if machine.memory_mb else {})


def worker_mb(spec: TrialSpec, machine: Machine) -> float:
    """Return the memory that a worker without a GPU is given for a trial, MB: of few sizes."""
    doublings = max(0, math.ceil(math.log2(memory_mb(spec, machine) / LEAST_ASK_MB)))
    return min(LEAST_ASK_MB * 2.0**doublings, machine.memory_mb or math.inf)


def where(machine: Machine) -> dict[str, str]:
    """Return the label selector of Ray that keeps work off the nodes to avoid; empty where there are none."""
    avoided = sorted({*machine.avoided, *_avoided})
    return {NODE_LABEL: f"!in({','.join(avoided)})"} if avoided else {}


def avoid(nodes: Collection[str], machine: Machine) -> bool:
    """Keep what starts from now on off nodes, by their ids; without a change False where no other could run a trial."""
    wanted, avoided = "GPU" if machine.n_gpus else "CPU", {*machine.avoided, *_avoided, *nodes}
    if not any(
        node["Alive"] and node["Resources"].get(wanted) and node["NodeID"] not in avoided for node in ray.nodes()
    ):
        return False
    _avoided.update(nodes)
    return True


def admit(node: str) -> None:
    """Let work start on a node that was to be avoided since the search began."""
    _avoided.discard(node)


def avoid_none() -> None:
    """Forget nodes that an earlier search of this process was to avoid."""
    _avoided.clear()


def memory_mb(spec: TrialSpec, machine: Machine) -> float:
    """Return what a trial needs of its card, or without one of its node, in MB of 10^6 bytes."""
    setting = (spec.architecture, spec.loss, spec.batch_size, spec.crop_px, spec.size)
    return gpu_memory_mb(*setting) if machine.n_gpus else WORKER_MB + trial_memory_mb(*setting)


def gpu_limit_mb(spec: TrialSpec, machine: Machine) -> float | None:
    """Return the most a trial may take of a card it shares, MB: what it asked for but the CUDA context's; else None."""
    return memory_mb(spec, machine) - CONTEXT_RESERVE_MB if machine.trials_per_gpu > 1 else None


def fits(spec: TrialSpec, machine: Machine) -> bool:
    """Say whether some node has the memory that a trial needs, as far as nodes tell."""
    limit_mb = _most_mb(machine)
    return not limit_mb or memory_mb(spec, machine) <= limit_mb


def _most_mb(machine: Machine) -> float:
    return machine.gpu_mem_mb if machine.n_gpus else machine.memory_mb


def describe_unplaceable(specs: list[TrialSpec], machine: Machine) -> list[str]:
    """Name each network and loss whose trials would wait for ever, because no node has the memory they need."""
    largest: dict[tuple[str, str], TrialSpec] = {}
    for spec in sorted(specs, key=lambda spec: memory_mb(spec, machine)):
        largest[spec.architecture, spec.loss] = spec
    return [
        f"{spec.architecture} with loss {spec.loss}, batches of {spec.batch_size} and crops of {spec.crop_px} px needs "
        f"{memory_mb(spec, machine):.0f} MB, and the largest {'card' if machine.n_gpus else 'node'} offers "
        f"{_most_mb(machine):.0f} MB"
        for spec in largest.values()
        if not fits(spec, machine)
    ]


def require_placeable(specs: list[TrialSpec], machine: Machine) -> None:
    """Raise InputError when a trial would wait for ever."""
    lines = describe_unplaceable(specs, machine)
    if lines:
        more = f" (and {len(lines) - 1} more, which --dry-run lists)" if len(lines) > 1 else ""
        raise InputError(f"{lines[-1]}{more}: leave it out with --networks or --losses")
