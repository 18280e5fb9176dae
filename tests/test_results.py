"""The numbers on README's first screen are those of the benchmark that it names."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
CAMERAS: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "encoders.json").read_text())["cameras"]
RESTORED = "JPEG with tables scaled for native11k, restored by it"
ROWS = {
    "JPEG-75, as Pillow writes it": ("codecs", "jpeg default", "alone"),
    "JPEG, optimised Huffman tables": ("codecs", "jpeg optimised", "alone"),
    "AVIF": ("codecs", "avif", "alone"),
    RESTORED: ("network", "test"),
    "AVIF, restored by a linear filter": ("codecs", "avif", "with_linear"),
}


def _row(name: str) -> list[int]:
    """Return the percentages of a row of README's first table."""
    (cells,) = re.findall(rf"^\| {re.escape(name)} \|(.+)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return [int(cell.strip().removesuffix(" %")) for cell in cells.split("|")]


def _measured(path: tuple[str, ...]) -> list[float]:
    shares = []
    for camera in CAMERAS.values():
        value = camera
        for key in path:
            value = value[key]
        shares.append(100 * value)
    return shares


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_what_was_measured(name: str) -> None:
    assert _row(name) == [round(share) for share in _measured(ROWS[name])]


def test_the_sentence_above_the_table_says_the_same() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    for name, words in {
        RESTORED: r"restorer needs (\d+) and (\d+) %",
        "AVIF": r"AVIF, not restored, needs (\d+) and (\d+) %",
    }.items():
        (found,) = re.findall(words, text)
        assert [int(number) for number in found] == _row(name)
    (n_images,) = re.findall(r"encoders.py`, 40 minutes of training a camera: (\d+) and (\d+) test images", text)
    assert [int(number) for number in n_images] == [camera["n_test"] for camera in CAMERAS.values()]
