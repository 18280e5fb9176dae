"""Waiting for work on the cluster: what is said meanwhile, and what ends it."""

from typing import Any

import pytest

from search.cluster import waiting
from search.cluster.waiting import WAITING_S, Patience, results
from search.engine.interrupt import told_to_end


class Clock:
    """Time that passes by a step for each look at the cluster."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    monkeypatch.setattr(waiting, "what_is_free", lambda: "0 of 2 CPU are free")
    told_to_end.clear()
    return clock


def test_what_is_waited_for_is_said_ever_more_rarely_and_anew_once_something_came(clock: Clock) -> None:
    said: list[float] = []
    patience = Patience("a slot", lambda line: said.append(clock.now_s))
    for second in range(300):
        clock.now_s = float(second)
        if second == 200:
            patience.came()
        patience.check()
    assert said == [30.0, 90.0, 230.0, 290.0]


def test_results_come_in_order_and_what_is_long_in_coming_is_named(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    done_at = {"first": 2 * WAITING_S, "second": WAITING_S / 2}

    def wait(references: list[str], **options: Any) -> tuple[list[str], list[str]]:
        clock.now_s += 1
        done = [name for name in references if done_at[name] <= clock.now_s]
        return done, [name for name in references if name not in done]

    monkeypatch.setattr("ray.wait", wait)
    monkeypatch.setattr("ray.get", lambda references: [name.upper() for name in references])
    said: list[str] = []
    assert results(["first", "second"], "two words", said.append) == ["FIRST", "SECOND"]
    assert said == ["waiting for two words: 0 of 2 CPU are free"]  # 30 s after the second came, not before


def test_the_waiting_ends_with_a_sigterm_whose_interrupt_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[list[str]] = []

    def wait(references: list[str], **options: Any) -> tuple[list[str], list[str]]:
        waits.append(references)
        if len(waits) == 2:
            told_to_end.set()
        return [], references

    monkeypatch.setattr("ray.wait", wait)
    told_to_end.clear()
    with pytest.raises(KeyboardInterrupt):
        results(["one", "other"], "words", print)
    assert waits == [["one", "other"]] * 2
    told_to_end.clear()


def test_what_is_free_names_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.available_resources", lambda: {"CPU": 2.0, "memory": 0.5e9})
    monkeypatch.setattr("ray.cluster_resources", lambda: {"CPU": 2.0, "memory": 16e9, "gpu_mem_mb": 6000.0, "node": 1})
    assert waiting.what_is_free().startswith(
        "2 of 2 CPU, 0.5 of 16 GB of memory, 0 of 6 GB on cards are free; workers start or are at it"
    )
