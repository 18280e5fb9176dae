"""SIGTERM acts as Ctrl-C, and is remembered: it comes once, and a KeyboardInterrupt can be lost where Ray is called."""

import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import ray

told_to_end = threading.Event()
POLL_S = 1.0


def interrupt(number: int, frame: object) -> None:
    """Handle SIGTERM."""
    told_to_end.set()
    os.kill(os.getpid(), signal.SIGINT)


def results(references: Sequence[Any]) -> list[Any]:
    """Return what remote calls return, as `ray.get` does. Raises KeyboardInterrupt too once SIGTERM came."""
    waited_for = list(references)
    while waited_for:
        if told_to_end.is_set():
            raise KeyboardInterrupt
        _, waited_for = ray.wait(waited_for, num_returns=len(waited_for), timeout=POLL_S, fetch_local=False)
    return list(ray.get(list(references)))
