"""How much memory a worker holds: TensorFlow keeps that of its largest trial, and some of the graphs of each."""

import re
from pathlib import Path

STATUS = Path("/proc/self/status")
_asked_before = False


def memory_mb() -> float:
    """Return the memory of this process' own that is in RAM, in MB of 10^6 bytes; 0 where the system does not say.

    Pages of files, as of a pack, are not its own: workers share them, and the system takes them back.
    """
    try:
        found = re.search(r"^RssAnon:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def has_outgrown(limit_mb: float, kept_mb: float = 0.0) -> bool:
    """Say whether this process holds more than limit_mb; not when first asked, before its first trial.

    kept_mb: what it holds on purpose, for the next trial too.
    """
    global _asked_before
    had_a_trial, _asked_before = _asked_before, True
    return had_a_trial and memory_mb() - kept_mb > limit_mb
