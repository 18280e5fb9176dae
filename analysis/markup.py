"""A table of strings written as Markdown, as HTML and as plain text, with headings of several lines where they fit."""

from collections.abc import Iterable
from html import escape

import pandas as pd

from analysis.display import REACHES


def to_markdown(table: pd.DataFrame, below: Iterable[str] = ()) -> str:
    """Write a table as Markdown, and lines below it; a vertical bar in a cell is escaped."""
    lines = [[_plain(str(name)) for name in table.columns], ["---"] * len(table.columns)]
    lines += [[_plain(str(cell)) for cell in row] for row in table.itertuples(index=False, name=None)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "".join(f"\n{line}\n" for line in below)


def to_html(table: pd.DataFrame) -> str:
    """Write a table as HTML, every cell escaped; cells that reach the reference are of class "reaches"."""
    head = "".join(f"<th scope='col'>{escape(str(name)).replace(chr(10), '<br>')}</th>" for name in table.columns)
    rows = table.itertuples(index=False, name=None)
    body = "".join(f"<tr>{''.join(_html_cell(str(cell)) for cell in row)}</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def to_text(table: pd.DataFrame) -> str:
    """Write a table as aligned plain text, headings of several lines standing on the rule below them."""
    heads = [str(name).split("\n") for name in table.columns]
    depth = max((len(head) for head in heads), default=0)
    lines = list(zip(*([""] * (depth - len(head)) + head for head in heads), strict=True))
    rows = [tuple(str(cell) for cell in row) for row in table.itertuples(index=False, name=None)]
    widths = [max(len(line[column]) for line in [*lines, *rows]) for column in range(len(heads))]
    rule = tuple("-" * width for width in widths)
    return "".join(_aligned(line, widths) for line in [*lines, rule, *rows])


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _html_cell(text: str) -> str:
    mark = " class='reaches'" if text.endswith(REACHES) else ""
    return f"<td{mark}>{escape(text)}</td>"


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
    return "  ".join((first, *others)).rstrip() + "\n"
