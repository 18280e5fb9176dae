"""The cards of this node, as nvidia-smi tells them."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

LEAST_CAPABILITY = 6.0  # TensorFlow 2.21's wheels hold kernels from there on
NO_SMI = "there is no nvidia-smi"
SMI_FIELDS = "name,compute_cap,driver_version,memory.total,memory.free"
SMI_S = 20.0
VISIBLE = "CUDA_VISIBLE_DEVICES"
NONE_VISIBLE = ("", "-1", "NoDevFiles")
MIB_IN_MB = 2**20 / 1e6


@dataclass(frozen=True)
class Card:
    """A card; memory in MB of 10^6 bytes: all of it, and what no other program has (None: as unknown as on vGPUs)."""

    name: str
    capability: float
    driver: str
    memory_mb: float
    free_mb: float | None = None

    @property
    def is_usable(self) -> bool:
        return self.capability >= LEAST_CAPABILITY


def read_cards(environment: Mapping[str, str] = os.environ) -> tuple[tuple[Card, ...], str | None]:
    """Return the cards of this node that CUDA_VISIBLE_DEVICES leaves to it, or why they are unknown."""
    command = ["nvidia-smi", f"--query-gpu={SMI_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SMI_S)
        rows = [[part.strip() for part in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
        return _visible([_card(row) for row in rows], environment.get(VISIBLE)), None
    except FileNotFoundError:
        return (), NO_SMI
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr).strip().splitlines()
        return (), f"nvidia-smi says: {said[0] if said else error.returncode}"
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return (), f"nvidia-smi cannot be understood ({error})"


def offered_memory_mb(cards: tuple[Card, ...]) -> int:
    """Return the memory that a node's cards offer to trials: they share one number, so many times the smallest."""
    return int(len(cards) * min(map(_room_mb, cards)))


def _visible(cards: list[Card], named: str | None) -> tuple[Card, ...]:
    """Return as many cards as are named; which, CUDA alone knows, since it has an order of its own.

    Thought to be those of the least memory, but for such as are of no use: whoever hides a card hides these first.
    """
    if named is None:
        return tuple(cards)
    n_visible = 0 if named in NONE_VISIBLE else len(named.split(","))
    return tuple(sorted(cards, key=lambda card: (not card.is_usable, _room_mb(card)))[:n_visible])


def _room_mb(card: Card) -> float:
    return card.memory_mb if card.free_mb is None else card.free_mb


def _card(row: list[str]) -> Card:
    name, capability, driver, memory_mib, *more = row
    free_mb = float(more[0]) * MIB_IN_MB if more and more[0][:1].isdigit() else None
    return Card(name, float(capability), driver, float(memory_mib) * MIB_IN_MB, free_mb)
