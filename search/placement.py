"""Placement: what a trial asks of the node that is to run it, by what `models.footprint` says it needs."""

import math

from datasets.errors import InputError
from models.footprint import gpu_memory_mb, training_memory_mb
from search.plan import Machine
from search.spec import TrialSpec

GPU_MEMORY = "gpu_mem_mb"  # the resource that a node with a card starts Ray with
WORKER_MB = 900  # a worker with TensorFlow loaded, a network built and the pack mapped
# Workers are kept for the next trial that asks for the same, so memory is asked for in few sizes.
LEAST_ASK_MB = 2048


def needs(spec: TrialSpec, machine: Machine) -> dict[str, float]:
    """Return the resources of Ray that a trial asks for: threads, and the memory of its card or of its node."""
    asked: dict[str, float] = {"CPU": machine.n_threads}
    if machine.n_gpus:
        return asked | {"GPU": 1} | ({GPU_MEMORY: math.ceil(memory_mb(spec, machine))} if machine.gpu_mem_mb else {})
    doublings = max(0, math.ceil(math.log2(memory_mb(spec, machine) / LEAST_ASK_MB)))
    ask_mb = min(LEAST_ASK_MB * 2**doublings, machine.memory_mb)
    return asked | ({"memory": int(ask_mb * 1e6)} if machine.memory_mb else {})


def memory_mb(spec: TrialSpec, machine: Machine) -> float:
    """Return what a trial needs of its card, or without one of its node, in MB of 10^6 bytes."""
    setting = (spec.architecture, spec.loss, spec.batch_size, spec.crop_px)
    return gpu_memory_mb(*setting) if machine.n_gpus else WORKER_MB + training_memory_mb(*setting)


def require_placeable(specs: list[TrialSpec], machine: Machine) -> None:
    """Raise InputError when a trial would wait for ever, because no node has the memory it needs."""
    limit_mb = machine.gpu_mem_mb if machine.n_gpus else machine.memory_mb
    largest = max(specs, key=lambda spec: memory_mb(spec, machine))
    need_mb = memory_mb(largest, machine)
    if limit_mb and need_mb > limit_mb:
        raise InputError(
            f"{largest.architecture} with loss {largest.loss}, batches of {largest.batch_size} and crops of "
            f"{largest.crop_px} px needs {need_mb:.0f} MB, and the largest node offers {limit_mb:.0f} MB: leave it out "
            "with --networks or --losses"
        )
