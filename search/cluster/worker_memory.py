"""How much a worker's process has grown: what TensorFlow keeps of graphs is not given back between trials."""

import os
from pathlib import Path

STATM = Path("/proc/self/statm")
MOST_GROWTH_MB = 1000.0
_first_mb: float | None = None


def memory_mb() -> float:
    """Return the memory of this process that is in RAM, in MB of 10^6 bytes; 0 where the system does not say."""
    try:
        pages = int(STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def has_grown() -> bool:
    """Say whether this process has grown by more than MOST_GROWTH_MB since this was first asked."""
    global _first_mb
    now_mb = memory_mb()
    if _first_mb is None:
        _first_mb = now_mb
    return now_mb - _first_mb > MOST_GROWTH_MB
