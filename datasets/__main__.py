"""`python -m datasets {pack,inspect,encode,fetch,synthesize}`."""

import os
import signal
import sys
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"lowq: interrupted, nothing was left behind\n")
    os._exit(130)


def _ignore(number: int, frame: FrameType | None) -> None: ...


def _start() -> int:
    """Load the command line, which takes a second and leaves nothing when interrupted, and run it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from datasets.cli import main

    if signal.getsignal(signal.SIGINT) is _end:  # from here on the command says itself that it was interrupted, once
        signal.signal(signal.SIGINT, _ignore)
    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command has ended: nothing is left to interrupt
    return code


if __name__ == "__main__":
    sys.exit(_start())
