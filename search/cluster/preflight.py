"""Before the first trial: what each node has, what is wrong with it, and what to do about it."""

import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from search.cluster.cards import LEAST_CAPABILITY, NO_SMI, Card, read_cards
from search.cluster.file_set import FileSet, cache_folder, find
from search.cluster.placement import GPU_MEMORY
from search.trial.provenance import code_hash, versions

SAME = ("python", "ray", "lowq", "tensorflow", "keras", "numpy")  # on every node
PASCAL = 7.0  # below it; reported: cuDNN has no kernels for it from this version on
PASCAL_CUDNN = (9, 11)
CUDNN = ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13")
CLOCK_S = 5.0


@dataclass(frozen=True)
class NodeFacts:
    """What a node has; MB are of 10^6 bytes. lacks: file sets that are not there, by their folder's name -> MB.

    resources: what it offers to Ray. error: why it did not answer, when all else is unknown. node_id: Ray's.
    """

    name: str
    resources: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    memory_free_mb: float = 0.0
    disk_free_mb: float = 0.0
    gpus: tuple[Card, ...] = ()
    smi_error: str | None = None
    cudnn: str | None = None
    lacks: Mapping[str, float] = field(default_factory=dict)
    clock_s: float = 0.0
    error: str | None = None
    node_id: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a node, and the fix. Nothing can run on a node with a fatal one."""

    node: str
    what: str
    fix: str
    is_fatal: bool = True


def gather_facts(name: str, resources: Mapping[str, float], file_sets: Sequence[FileSet]) -> NodeFacts:
    """Return the facts of the node this runs on."""
    gpus, smi_error = read_cards()
    return NodeFacts(
        name=name,
        resources=resources,
        versions=versions(),
        code=code_hash(),
        memory_free_mb=_memory_free_mb(),
        disk_free_mb=shutil.disk_usage(_existing(cache_folder())).free / 1e6,
        gpus=gpus,
        smi_error=smi_error,
        cudnn=_cudnn(),
        lacks={file_set.folder.name: file_set.n_bytes / 1e6 for file_set in file_sets if find(file_set) is None},
        clock_s=time.time(),
    )


def find_faults(nodes: Sequence[NodeFacts], driver: NodeFacts, least_mb: float, computes_on_gpus: bool) -> list[Fault]:
    """Compare every node with the driver's, and with what the smallest trial needs of a node's memory, least_mb."""
    faults = []
    for node in nodes:
        if node.error:
            fix = "look at its Ray logs, start Ray there again, or take it out of the cluster"
            faults.append(Fault(node.name, f"did not answer: {node.error}", fix))
            continue
        faults += _code_faults(node, driver) + _room_faults(node, 0.0 if computes_on_gpus else least_mb)
        if node.resources.get("GPU"):
            faults += _gpu_faults(node, any(GPU_MEMORY in other.resources for other in nodes))
        else:
            faults += _unused_card_faults(node)
    return faults


def node_table(nodes: Sequence[NodeFacts]) -> str:
    """Lay out what each node has, a line each."""
    rows = [("node", "cores", "memory free", "disk free", "card", "driver", "Python", "Ray", "data", "clock")]
    for node in nodes:
        if node.error:
            rows.append((node.name, *8 * ("?",), "?"))
            continue
        cards = ", ".join(f"{gpu.name} {gpu.memory_mb:.0f} MB" for gpu in node.gpus) or "none"
        rows.append(
            (
                node.name,
                f"{node.resources.get('CPU', 0):g}",
                f"{node.memory_free_mb:.0f} MB",
                f"{node.disk_free_mb:.0f} MB",
                cards,
                node.gpus[0].driver if node.gpus else "-",
                node.versions.get("python", "?"),
                node.versions.get("ray", "?"),
                "to be brought" if node.lacks else "there",
                f"{node.clock_s:+.1f} s",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(f"{part:{width}}" for part, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def fault_table(faults: Sequence[Fault]) -> str:
    """Lay out the faults, a line each: node, what is wrong, what to do."""
    rows = [("node", "what is wrong", "what to do"), *((fault.node, fault.what, fault.fix) for fault in faults)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{node:{widths[0]}}  {what:{widths[1]}}  {fix}" for node, what, fix in rows)


def _code_faults(node: NodeFacts, driver: NodeFacts) -> list[Fault]:
    different = [name for name in SAME if node.versions.get(name) != driver.versions.get(name)]
    faults = [
        Fault(
            node.name,
            f"{name} {node.versions.get(name, 'missing')}, the driver has {driver.versions.get(name)}",
            "install the same from constraints.txt",
        )
        for name in different
    ]
    if node.code != driver.code:
        fix = "copy this lowq there and install it; Hugging Face's datasets must not be beside it"
        faults.append(Fault(node.name, "its lowq is not the driver's code", fix))
    if abs(node.clock_s) > CLOCK_S:
        fix = "set its clock (timedatectl set-ntp true)"
        faults.append(Fault(node.name, f"its clock is {node.clock_s:+.0f} s off the driver's", fix, is_fatal=False))
    return faults


def _room_faults(node: NodeFacts, least_mb: float) -> list[Fault]:
    faults = []
    if node.memory_free_mb < least_mb:
        what = f"{node.memory_free_mb:.0f} MB of memory free, the smallest trial needs {least_mb:.0f} MB"
        faults.append(Fault(node.name, what, "close other programs, or take it out of the cluster"))
    missing_mb = sum(node.lacks.values())
    if missing_mb > node.disk_free_mb:
        what = f"{node.disk_free_mb:.0f} MB of disk free, it lacks {', '.join(node.lacks)} ({missing_mb:.0f} MB)"
        faults.append(Fault(node.name, what, "free some space, or name another place with LOWQ_CACHE there"))
    return faults


def _gpu_faults(node: NodeFacts, others_tell_memory: bool) -> list[Fault]:
    if node.smi_error:
        return [Fault(node.name, f"offers a GPU, but {node.smi_error}", "install the driver, or start Ray with 0 GPUs")]
    faults = []
    for gpu in node.gpus:
        if not gpu.is_usable:
            faults.append(Fault(node.name, _too_old(gpu), "start Ray there with 0 GPUs"))
        elif gpu.capability < PASCAL and _release(node.cudnn) >= PASCAL_CUDNN:
            what = f"cuDNN {node.cudnn} has no kernels for {gpu.name}"
            faults.append(Fault(node.name, what, "install lowq[gpu] there, which has an older cuDNN"))
    if others_tell_memory and GPU_MEMORY not in node.resources:
        fix = f"start Ray there with --resources '{{\"{GPU_MEMORY}\": MB}}'"
        faults.append(Fault(node.name, f"does not offer {GPU_MEMORY}, as other nodes do", fix))
    return faults


def _unused_card_faults(node: NodeFacts) -> list[Fault]:
    """Say why a node that offers no GPU has cards, or may have some, all the same."""
    if node.smi_error and node.smi_error != NO_SMI:
        return [Fault(node.name, node.smi_error, "install the driver again, then restart it", is_fatal=False)]
    return [
        Fault(node.name, f"{_too_old(card)}: none of its cards is used", "take that card out", is_fatal=False)
        for card in node.gpus
        if not card.is_usable
    ]


def _too_old(card: Card) -> str:
    return f"{card.name} has compute capability {card.capability:g}, TensorFlow needs {LEAST_CAPABILITY:g}"


def _cudnn() -> str | None:
    for package in CUDNN:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def _release(cudnn: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (cudnn or "0").split(".")[:2] if part.isdigit())


def _memory_free_mb() -> float:
    if platform.system() != "Linux":
        return float("inf")
    (line,) = (line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024 / 1e6


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)
