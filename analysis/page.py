"""The pieces of an HTML page that opens from disk: everything inline, every text escaped."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from analysis.markup import to_html

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a;
  background: #ffffff; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; padding-top: 0.75rem; border-top: 1px solid #cccccc; }
h3 { font-size: 1rem; margin: 1.5rem 0 0.25rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
nav a { margin-right: 1rem; white-space: nowrap; }
.decision { border-left: 5px solid #0072b2; background: #eef5fa; padding: 0.75rem 1rem; font-size: 1.1rem; }
.warning { border-left: 5px solid #d55e00; background: #fdf1ea; padding: 0.5rem 1rem; }
.caption { color: #444444; font-size: 0.9rem; margin: 0.25rem 0; }
.scroll { overflow-x: auto; margin: 0.5rem 0 1rem; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.75rem 0.25rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid #e4e4e4; }
th { vertical-align: bottom; border-bottom: 2px solid #888888; font-weight: 600; line-height: 1.3; }
td.reaches { color: #00624a; font-weight: 600; }
figure { margin: 1rem 0 1.5rem; }
img { max-width: 100%; height: auto; display: block; }
figure img { min-width: 46rem; }
"""


@dataclass(frozen=True)
class Section:
    """A chapter of the page. name: the anchor; parts: HTML, in reading order."""

    name: str
    title: str
    parts: Sequence[str]


def paragraph(text: str, kind: str = "") -> str:
    """Write a paragraph of plain text; kind: a class of STYLE."""
    mark = f" class='{kind}'" if kind else ""
    return f"<p{mark}>{escape(text)}</p>\n"


def bullets(lines: Iterable[str]) -> str:
    """Write a list of plain sentences."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>\n"


def titled_table(title: str, caption: str, table: pd.DataFrame, below: Iterable[str] = ()) -> str:
    """Write a table of strings under its title, and lines below it; it scrolls by itself where the window is narrow."""
    above = paragraph(caption, "caption") if caption else ""
    notes = "".join(paragraph(line, "caption") for line in below)
    return f"<h3>{escape(title)}</h3>\n{above}<div class='scroll'>{to_html(table)}</div>\n{notes}"


def picture(png: bytes, caption: str) -> str:
    """Write a figure with its PNG inside; in a narrow window it scrolls rather than shrink past reading."""
    source = base64.b64encode(png).decode()
    image = f"<div class='scroll'><img alt='{escape(caption, quote=True)}' src='data:image/png;base64,{source}'></div>"
    below = f"<figcaption class='caption'>{escape(caption)}</figcaption>"
    return f"<figure>{image}{below}</figure>\n"


def build_page(title: str, sections: Sequence[Section]) -> str:
    """Write the whole page, with links to its sections on top."""
    links = "".join(f"<a href='#{section.name}'>{escape(section.title)}</a> " for section in sections)
    body = "".join(
        f"<section id='{section.name}'>\n<h2>{escape(section.title)}</h2>\n{''.join(section.parts)}</section>\n"
        for section in sections
    )
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<nav>{links}</nav>\n{body}</body>\n</html>\n"
    )
