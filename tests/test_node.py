"""How a node starts Ray: the address that ssh was asked for, its cards and their memory."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from search.cluster.cards import Card, read_cards
from search.cluster.node import start_options

SSH = {"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}
LARGE, SMALL = Card("GTX 1660 Ti", 7.5, "550.1", 6442.45), Card("GTX 1650", 7.5, "550.1", 4294.97)
OLD = Card("GTX 970", 5.2, "550.1", 4294.97)


@pytest.mark.parametrize(
    ("cards", "options"),
    [
        ((), ["--num-gpus=0", "--resources={}"]),
        ((LARGE,), ["--num-gpus=1", '--resources={"gpu_mem_mb":6442}']),
        ((LARGE, SMALL), ["--num-gpus=2", '--resources={"gpu_mem_mb":8589}']),
        ((LARGE, OLD), ["--num-gpus=0", "--resources={}"]),
        ((replace(LARGE, free_mb=5000.5), SMALL), ["--num-gpus=2", '--resources={"gpu_mem_mb":8589}']),
        ((replace(LARGE, free_mb=4000.5), SMALL), ["--num-gpus=2", '--resources={"gpu_mem_mb":8001}']),
    ],
)
def test_a_node_offers_the_free_memory_of_the_cards_it_can_use(cards: tuple[Card, ...], options: list[str]) -> None:
    assert start_options(SSH, cards) == ["--node-ip-address=10.0.0.2", *options]


def test_without_ssh_ray_finds_the_address_itself() -> None:
    assert start_options({}, ()) == ["--num-gpus=0", "--resources={}"]


@pytest.mark.parametrize(
    ("named", "names"),
    [
        (None, ["GTX 1660 Ti", "GTX 1650", "GTX 970"]),
        ("1,0", ["GTX 1650", "GTX 1660 Ti"]),  # whoever hides one hides the old one
        ("GPU-8932f937", ["GTX 1650"]),
        ("", []),
        ("-1", []),
    ],
)
def test_a_node_has_as_many_cards_as_cuda_shows_it(
    named: str | None, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        "GTX 1660 Ti, 7.5, 550.1, 6144, 6000",
        "GTX 1650, 7.5, 550.1, 4096, 4000",
        "GTX 970, 5.2, 550.1, 4096, 4000",
    )
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n" + "".join(f"echo '{row}'\n" for row in rows))
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    cards, trouble = read_cards({} if named is None else {"CUDA_VISIBLE_DEVICES": named})
    assert ([card.name for card in cards], trouble) == (names, None)


def test_the_command_prints_the_options_of_a_node_with_a_card(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA GeForce GTX 1050 Ti, 6.1, 550.120, 4096, 4000'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    environment = {**os.environ, **SSH, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "search.cluster.node"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == '--node-ip-address=10.0.0.2 --num-gpus=1 --resources={"gpu_mem_mb":4194}\n'
