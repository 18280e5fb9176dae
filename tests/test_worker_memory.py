"""A worker's memory: what the system says of this process, and whether it holds more than it was given."""

from pathlib import Path

import numpy as np
import pytest

from search.cluster import worker_memory
from search.cluster.worker_memory import has_outgrown, memory_mb


def test_memory_grows_by_what_is_written_to() -> None:
    before = memory_mb()
    held = np.ones(50_000_000, np.uint8)
    assert 40 < memory_mb() - before < 100
    assert held.any()


def test_a_process_has_outgrown_a_limit_only_after_its_first_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_memory, "_asked_before", False)
    monkeypatch.setattr(worker_memory, "memory_mb", lambda: 1500.0)
    assert [has_outgrown(limit_mb) for limit_mb in (1000, 1000, 1500, 1499)] == [False, True, False, True]


def test_where_the_system_does_not_say_nothing_grows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text in (None, "VmRSS:\t 5 kB\n"):
        monkeypatch.setattr(worker_memory, "STATUS", tmp_path / "status")
        if text:
            (tmp_path / "status").write_text(text)
        assert memory_mb() == 0


def test_pages_of_a_file_are_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "pack.bin").write_bytes(bytes(50_000_000))
    before = memory_mb()
    pack = np.memmap(tmp_path / "pack.bin", np.uint8, "r")
    assert not pack.any()  # all of it was read
    assert memory_mb() - before < 20


def test_what_a_process_keeps_on_purpose_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_memory, "_asked_before", True)
    monkeypatch.setattr(worker_memory, "memory_mb", lambda: 1500.0)
    assert [has_outgrown(1000, kept_mb) for kept_mb in (499, 500)] == [True, False]
