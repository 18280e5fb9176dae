"""The edge of a command: what a mistake, an interruption or a closed output becomes, and how lines are printed."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from datasets.errors import InputError, explain, printable

USER_ERROR, INTERRUPTED, CLOSED_PIPE = 2, 130, 141
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaint is an InputError, one line as any other user's mistake."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; `{self.prog} --help` says more")


def run_command(command: Callable[[], None]) -> int:
    """Run a command and return its exit code; whatever a user or the machine did is one line on standard error."""
    if sys.stderr is None:  # it is closed: lines for it would go to standard output
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal lacks letters for
    with _one_interruption():  # until all is said
        return _outcome(command)


def _outcome(command: Callable[[], None]) -> int:
    try:
        _run(command)
    except InputError as error:
        return _complain(str(error), USER_ERROR, error)
    except BrokenPipeError:
        drop(sys.stdout)
        return CLOSED_PIPE
    except OSError as error:
        drop(sys.stdout)
        return _complain(f"{error.filename or 'the output'}: {explain(error)}", USER_ERROR)
    except MemoryError:
        return _complain("there is too little memory: end other programs, or use smaller images", USER_ERROR)
    except KeyboardInterrupt as error:
        kept = getattr(error, "__notes__", ())
        return _complain(f"interrupted, {'; '.join(kept) or 'nothing was left behind'}", INTERRUPTED)
    return 0


def _run(command: Callable[[], None]) -> None:
    """Run a command, and write what it printed: where that fails the command has."""
    try:
        command()
    except SystemExit:  # after --help
        if sys.stdout:
            sys.stdout.flush()
        raise
    if sys.stdout:
        sys.stdout.flush()


def note(text: str) -> None:
    """Say in one line on standard error what a user should know of."""
    print(f"lowq: note: {printable(text)}", file=sys.stderr)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence what C libraries print on standard error themselves; Python's own lines still get there."""
    try:
        if sys.stderr.fileno() != 2:
            raise ValueError
    except (ValueError, OSError, AttributeError):  # captured, closed or none: the libraries' lines do not mix with ours
        yield
        return
    ours, python = os.dup(2), sys.stderr
    nothing = os.open(os.devnull, os.O_WRONLY)
    sys.stderr.flush()
    sys.stderr = os.fdopen(ours, "w", buffering=1, errors="backslashreplace", encoding=python.encoding)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(ours, 2)
        sys.stderr.close()
        sys.stderr = python


@contextmanager
def _one_interruption() -> Iterator[None]:
    """Have the first Ctrl-C, or a request to end, interrupt the command; later ones must not disturb it clearing up."""
    before: dict[int, Any] = {}

    def interrupt(number: int, frame: FrameType | None) -> None:
        for stopping in before:
            signal.signal(stopping, signal.SIG_IGN)
        raise KeyboardInterrupt

    try:
        for number in STOPPING:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, interrupt)
    except ValueError:  # not in the main thread, where signals do not come
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruption_deferred() -> Iterator[None]:
    """Have an interruption wait until the block ends: for what is made and must be known before it can be cleared."""
    came: list[int] = []
    before: dict[int, Any] = {}
    with suppress(ValueError):  # not in the main thread, where signals do not come
        for number in STOPPING:
            if callable(signal.getsignal(number)):
                before[number] = signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _complain(message: str, code: int, error: BaseException | None = None) -> int:
    kept = "".join(f"; {text}" for text in getattr(error, "__notes__", ()))
    try:
        print(f"lowq: {printable(message + kept)}", file=sys.stderr)
    except OSError:
        drop(sys.stderr)
    return code


def drop(stream: Any) -> None:
    """Send what a stream still holds nowhere: Python would complain of it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
