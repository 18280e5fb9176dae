"""The cards of this node, as nvidia-smi tells them."""

import subprocess
from dataclasses import dataclass

LEAST_CAPABILITY = 6.0  # TensorFlow 2.21's wheels hold kernels from there on
NO_SMI = "there is no nvidia-smi"
SMI_FIELDS = "name,compute_cap,driver_version,memory.total"
SMI_S = 20.0


@dataclass(frozen=True)
class Card:
    """A card; memory in MB of 10^6 bytes."""

    name: str
    capability: float
    driver: str
    memory_mb: float

    @property
    def is_usable(self) -> bool:
        return self.capability >= LEAST_CAPABILITY


def read_cards() -> tuple[tuple[Card, ...], str | None]:
    """Return the cards of this node, or why they are unknown."""
    command = ["nvidia-smi", f"--query-gpu={SMI_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SMI_S)
        rows = [[part.strip() for part in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
        return tuple(Card(row[0], float(row[1]), row[2], float(row[3]) * 2**20 / 1e6) for row in rows), None
    except FileNotFoundError:
        return (), NO_SMI
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr).strip().splitlines()
        return (), f"nvidia-smi says: {said[0] if said else error.returncode}"
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        return (), f"nvidia-smi cannot be understood ({error})"
