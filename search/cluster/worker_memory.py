"""How much memory a worker holds: TensorFlow keeps that of its largest trial, and some of the graphs of each."""

import os
from pathlib import Path

STATM = Path("/proc/self/statm")
_asked_before = False


def memory_mb() -> float:
    """Return the memory of this process that is in RAM, in MB of 10^6 bytes; 0 where the system does not say."""
    try:
        pages = int(STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def has_outgrown(limit_mb: float) -> bool:
    """Say whether this process holds more than limit_mb; not when first asked, before its first trial."""
    global _asked_before
    had_a_trial, _asked_before = _asked_before, True
    return had_a_trial and memory_mb() > limit_mb
