"""The cards of this node, as nvidia-smi tells them."""

import subprocess
from dataclasses import dataclass

LEAST_CAPABILITY = 6.0  # TensorFlow 2.21's wheels hold kernels from there on
NO_SMI = "there is no nvidia-smi"
SMI_FIELDS = "name,compute_cap,driver_version,memory.total,memory.free"
SMI_S = 20.0
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


def read_cards() -> tuple[tuple[Card, ...], str | None]:
    """Return the cards of this node, or why they are unknown."""
    command = ["nvidia-smi", f"--query-gpu={SMI_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SMI_S)
        rows = [[part.strip() for part in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
        return tuple(_card(row) for row in rows), None
    except FileNotFoundError:
        return (), NO_SMI
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr).strip().splitlines()
        return (), f"nvidia-smi says: {said[0] if said else error.returncode}"
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return (), f"nvidia-smi cannot be understood ({error})"


def offered_memory_mb(cards: tuple[Card, ...]) -> int:
    """Return the memory that a node's cards offer to trials: they share one number, so many times the smallest."""
    return int(len(cards) * min(card.memory_mb if card.free_mb is None else card.free_mb for card in cards))


def _card(row: list[str]) -> Card:
    name, capability, driver, memory_mib, *more = row
    free_mb = float(more[0]) * MIB_IN_MB if more and more[0][:1].isdigit() else None
    return Card(name, float(capability), driver, float(memory_mib) * MIB_IN_MB, free_mb)
