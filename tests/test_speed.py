"""The speed of a core, measured for the plan: of this machine, and a usual one where it cannot be."""

import subprocess
from collections.abc import Iterator

import pytest

from search.cluster import speed
from search.cluster.speed import SHARE_OF_PRODUCT, core_macs_per_s
from search.space.plan import CPU_MACS_PER_S


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    core_macs_per_s.cache_clear()
    yield
    core_macs_per_s.cache_clear()


def test_a_core_multiplies_as_fast_as_can_be() -> None:
    assert 1e8 < core_macs_per_s() < 1e12


def test_it_is_what_a_product_of_matrices_reaches_less_what_convolutions_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    said = subprocess.CompletedProcess((), 0, "4e10\n", "")
    monkeypatch.setattr(speed.subprocess, "run", lambda *arguments, **options: said)
    assert core_macs_per_s() == SHARE_OF_PRODUCT * 4e10


@pytest.mark.parametrize("printed", ["", "Illegal instruction"])
def test_where_nothing_is_measured_a_usual_core_stands_for_it(printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = subprocess.CompletedProcess((), 0, printed, "")
    monkeypatch.setattr(speed.subprocess, "run", lambda *arguments, **options: said)
    assert core_macs_per_s() == CPU_MACS_PER_S
