"""`python -m datasets {pack,inspect,encode,fetch,synthesize}`."""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"lowq: interrupted, nothing was left behind\n")
    os._exit(130)


def _ignore(number: int, frame: FrameType | None) -> None: ...


def _is_own_package() -> bool:
    """Say whether Python's package `datasets` is this one, not another's of the name; a line says what to do."""
    found = find_spec("datasets")
    places = list(found.submodule_search_locations or ()) if found else []
    if Path(__file__).resolve().parent in (Path(place).resolve() for place in places):
        return True
    where = places[0] if places else "nowhere"
    advice = "install lowq in an environment of its own, or start this in its folder"
    print(f"lowq: Python's package datasets is not lowq's but {where}: {advice}", file=sys.stderr)
    return False


def _start() -> int:
    """Load the command line, which takes a second and leaves nothing when interrupted, and run it."""
    if not _is_own_package():
        return 2
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
