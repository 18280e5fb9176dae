"""A worker's memory: what the system says of this process, and growth since the first question."""

from pathlib import Path

import numpy as np
import pytest

from search.cluster import worker_memory
from search.cluster.worker_memory import has_grown, memory_mb


def test_memory_grows_by_what_is_written_to() -> None:
    before = memory_mb()
    held = np.ones(50_000_000, np.uint8)
    assert 40 < memory_mb() - before < 100
    assert held.any()


def test_a_process_has_grown_by_what_it_took_since_it_was_first_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker_memory, "_first_mb", None)
    sizes = iter((500.0, 1500.0, 1501.0, 600.0))
    monkeypatch.setattr(worker_memory, "memory_mb", lambda: next(sizes))
    assert [has_grown() for _ in range(4)] == [False, False, True, False]


def test_where_the_system_does_not_say_nothing_grows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker_memory, "STATM", tmp_path / "none")
    assert memory_mb() == 0
