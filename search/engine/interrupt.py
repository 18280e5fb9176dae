"""SIGTERM acts as Ctrl-C, and is remembered: it comes once, and a KeyboardInterrupt can be lost where Ray is called."""

import os
import signal
import threading

told_to_end = threading.Event()
POLL_S = 1.0


def interrupt(number: int, frame: object) -> None:
    """Handle SIGTERM."""
    told_to_end.set()
    os.kill(os.getpid(), signal.SIGINT)
