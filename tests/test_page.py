"""The pieces of the page: long tables and groups start folded, text is escaped, and the page carries its own files."""

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from analysis.page import N_ROWS_OPEN, Section, build_page, fold, picture, titled_table

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("n_rows", "begins"),
    [
        (1, "<details open><summary><h3>A &lt;b&gt;</h3><span class='count'>1 row</span></summary>"),
        (N_ROWS_OPEN, "<details open>"),
        (N_ROWS_OPEN + 1, f"<details><summary><h3>A &lt;b&gt;</h3><span class='count'>{N_ROWS_OPEN + 1} rows</span>"),
    ],
)
def test_a_long_table_starts_folded_and_every_table_counts_its_rows(n_rows: int, begins: str) -> None:
    table = pd.DataFrame({"quality": ["75"] * n_rows})
    assert titled_table("A <b>", "", table).startswith(begins)


def test_a_caption_stands_above_a_table_and_notes_below() -> None:
    text = titled_table("Sizes", "1 kB is 1000 bytes.", pd.DataFrame({"kB": ["3"]}), ["unet: not run"])
    places = [text.index(words) for words in ("Sizes", "1 kB is 1000", "<td>3</td>", "unet: not run")]
    assert places == sorted(places)


def test_a_group_starts_folded_with_its_parts_in_order() -> None:
    text = fold("Tables of 8 & more", ["<p>a</p>", "<p>b</p>"])
    assert text.startswith("<details class='group'><summary><h3>Tables of 8 &amp; more</h3></summary>")
    assert text.index("<p>a</p>") < text.index("<p>b</p>")


def test_a_picture_carries_its_bytes_and_its_caption_as_text() -> None:
    text = picture(b"abc", "it's <5")
    assert "src='data:image/png;base64,YWJj'" in text
    assert "alt='it&#x27;s &lt;5'" in text
    assert "<figcaption class='caption'>it&#x27;s &lt;5</figcaption>" in text


def test_a_page_lists_its_sections_in_order_and_lets_nothing_be_loaded() -> None:
    text = build_page("T", [Section("first", "First & last", ["<p>x</p>"]), Section("second", "Second", [])])
    assert text.index("<a href='#first'>First &amp; last</a>") < text.index("<a href='#second'>Second</a>")
    assert "content=\"default-src 'none'; img-src data:;" in text


def test_every_file_of_the_page_is_packaged() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["analysis"]
    packaged = {path for pattern in listed for path in (ROOT / "analysis").glob(pattern)}
    assert set((ROOT / "analysis" / "assets").iterdir()) <= packaged
