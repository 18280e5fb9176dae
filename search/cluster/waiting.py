"""Waiting for work on the cluster, with a word about it now and then, and an end once SIGTERM came."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import ray

from search.cluster.placement import GPU_MEMORY
from search.engine.interrupt import POLL_S, told_to_end

WAITING_S = 30.0  # after which it is said what is waited for


class Patience:
    """Says what is waited for once nothing came for WAITING_S; then only after twice as long each time.

    why: says what it may wait for, in words.
    """

    def __init__(self, what: str, say: Callable[[str], None], why: Callable[[], str] | None = None) -> None:
        self.what, self.say, self.why = what, say, why
        self.came()

    def came(self) -> None:
        """Begin anew: something came."""
        self.since, self.wait_s = time.monotonic(), WAITING_S

    def check(self) -> None:
        """Say what is waited for, where it is time."""
        if time.monotonic() - self.since >= self.wait_s:
            self.since, self.wait_s = time.monotonic(), 2 * self.wait_s
            self.say(f"waiting for {self.what}: {self.why() if self.why else what_is_free()}")


def results(references: Sequence[Any], what: str, say: Callable[[str], None]) -> list[Any]:
    """Return what remote calls return, as `ray.get` does. Raises KeyboardInterrupt too once SIGTERM came.

    what: said where none of them returns for long.
    """
    patience = Patience(what, say)
    wait_for_all(references, patience)
    return list(ray.get(list(references)))


def wait_for_all(references: Sequence[Any], patience: Patience) -> None:
    """Wait until all remote calls have returned or failed. Raises KeyboardInterrupt once SIGTERM came."""
    waited_for = list(references)
    while waited_for:
        done, waited_for = wait(waited_for, len(waited_for))
        if done:
            patience.came()
        else:
            patience.check()


def wait(references: Sequence[Any], n_wanted: int = 1) -> tuple[list[Any], list[Any]]:
    """Return what has returned within POLL_S and what has not. Raises KeyboardInterrupt once SIGTERM came."""
    if told_to_end.is_set():
        raise KeyboardInterrupt
    done, left = ray.wait(list(references), num_returns=n_wanted, timeout=POLL_S, fetch_local=False)
    return list(done), list(left)


def what_is_free() -> str:
    """Say how many cores and cards of the cluster, and how much memory, are free, for whoever waits for them."""
    free, all_of = ray.available_resources(), ray.cluster_resources()
    units = {"CPU": (1, "CPU"), "GPU": (1, "GPU"), "memory": (1e9, "GB of memory"), GPU_MEMORY: (1e3, "GB on cards")}
    parts = [
        f"{free.get(name, 0) / size:.3g} of {all_of[name] / size:.3g} {unit}"
        for name, (size, unit) in units.items()
        if name in all_of
    ]
    return f"{', '.join(parts)} are free; workers start or are at it, or other jobs have the rest"
