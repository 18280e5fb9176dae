"""The pieces of an HTML page that opens from disk: everything inline, every text escaped."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import pandas as pd

from analysis.markup import to_html

# A longer table starts folded; its title says how many rows it has.
N_ROWS_OPEN = 20
# The browser itself refuses whatever is not in the file.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """A chapter of the page. name: the anchor; parts: HTML, in reading order."""

    name: str
    title: str
    parts: Sequence[str]


def paragraph(text: str, kind: str = "") -> str:
    """Write a paragraph of plain text; kind: a class of assets/style.css."""
    mark = f" class='{kind}'" if kind else ""
    return f"<p{mark}>{escape(text)}</p>\n"


def bullets(lines: Iterable[str]) -> str:
    """Write a list of plain sentences."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>\n"


def titled_table(title: str, caption: str, table: pd.DataFrame, below: Iterable[str] = ()) -> str:
    """Write a table of strings under its title, and lines below it.

    It scrolls by itself where the window is narrow, can be folded, and starts so when it is long.
    """
    count = f"{len(table)} {'row' if len(table) == 1 else 'rows'}"
    head = f"<summary><h3>{escape(title)}</h3><span class='count'>{count}</span></summary>"
    above = paragraph(caption, "caption") if caption else ""
    notes = "".join(paragraph(line, "caption") for line in below)
    mark = "" if len(table) > N_ROWS_OPEN else " open"
    return f"<details{mark}>{head}\n{above}<div class='scroll'>{to_html(table)}</div>\n{notes}</details>\n"


def fold(title: str, parts: Iterable[str]) -> str:
    """Write parts that start folded under one title: many tables or pictures of a kind."""
    return f"<details class='group'><summary><h3>{escape(title)}</h3></summary>\n{''.join(parts)}</details>\n"


def picture(png: bytes, caption: str) -> str:
    """Write a figure with its PNG inside, no wider than the window; a click shows it in full size."""
    source = base64.b64encode(png).decode()
    image = f"<img alt='{escape(caption, quote=True)}' src='data:image/png;base64,{source}'>"
    zoomed = f"<button type='button' class='zoom' title='show in full size'>{image}</button>"
    return f"<figure>{zoomed}<figcaption class='caption'>{escape(caption)}</figcaption></figure>\n"


def build_page(title: str, sections: Sequence[Section]) -> str:
    """Write the whole page: contents, sections, and what sorts, folds and enlarges them."""
    links = "".join(f"<li><a href='#{section.name}'>{escape(section.title)}</a></li>" for section in sections)
    body = "".join(
        f"<section id='{section.name}'>\n<h2>{escape(section.title)}</h2>\n{''.join(section.parts)}</section>\n"
        for section in sections
    )
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_asset('style.css')}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<nav aria-label='Contents'><ol>{links}</ol></nav>\n"
        "<button type='button' class='plain' id='unfold'>unfold all</button>"
        "<button type='button' class='plain' id='fold'>fold all</button>\n"
        f"{body}<dialog aria-label='picture in full size'><button type='button' class='plain'>close</button>"
        f"<img alt=''></dialog>\n<script>\n{_asset('script.js')}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return (files("analysis") / "assets" / name).read_text(encoding="utf-8")
