"""A table of strings written as Markdown, LaTeX, HTML and plain text, with headings of several lines where they fit.

In a cell **two stars** on either side of words set them in bold, in every format that has it.
"""

import re
from collections.abc import Iterable
from html import escape

import pandas as pd

from analysis.cell import REACHES

BOLD = re.compile(r"\*\*(.+?)\*\*")
LATEX_PACKAGES = "% needs \\usepackage{booktabs,amssymb,graphicx} and the input encoding utf8\n"
FITTED = r"\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": "$<$", ">": "$>$", "|": "$|$", "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$"},
    **{"★": r"$\star$", REACHES: r"$\checkmark$", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}"},
    **{"[": "{[}", "]": "{]}"},  # after a line break a bracket would be taken for its height
}
LATEX_LETTERS = str.maketrans(LATEX)
MINUS = re.compile(r"(?<![\w.$-])-(?=\d)")


def bold(text: str) -> str:
    """Mark a text that is to be set in bold."""
    return f"**{text}**"


def to_markdown(table: pd.DataFrame, below: Iterable[str] = ()) -> str:
    """Write a table as Markdown, and lines below it; a vertical bar in a cell is escaped."""
    lines = [[_plain(str(name)) for name in table.columns], ["---"] * len(table.columns)]
    lines += [[_plain(str(cell)) for cell in row] for row in table.itertuples(index=False, name=None)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "".join(f"\n{line}\n" for line in below)


def to_latex(table: pd.DataFrame, below: Iterable[str] = ()) -> str:
    """Write a table as a LaTeX tabular with the rules of booktabs, everything escaped, and lines below it.

    A table that is wider than the line is scaled down to it.
    """
    head = " & ".join(_latex_head(str(name)) for name in table.columns)
    rows = (" & ".join(_latex(str(cell)) for cell in row) for row in table.itertuples(index=False, name=None))
    body = "".join(f"{row} \\\\\n" for row in rows)
    notes = "".join(f"\n\\par\\smallskip{{\\footnotesize {_latex(line)}\\par}}\n" for line in below)
    return (
        f"{LATEX_PACKAGES}{FITTED}\n\\begin{{tabular}}{{{'l' * len(table.columns)}}}\n\\toprule\n{head} \\\\\n"
        f"\\midrule\n{body}\\bottomrule\n\\end{{tabular}}}}\n{notes}"
    )


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
    rows = [tuple(BOLD.sub(r"\1", str(cell)) for cell in row) for row in table.itertuples(index=False, name=None)]
    widths = [max(len(line[column]) for line in [*lines, *rows]) for column in range(len(heads))]
    rule = tuple("-" * width for width in widths)
    return "".join(_aligned(line, widths) for line in [*lines, rule, *rows])


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _latex(text: str) -> str:
    minus = MINUS.sub("$-$", " ".join(text.split()).translate(LATEX_LETTERS))
    return BOLD.sub(r"\\textbf{\1}", minus) if "**" in minus else minus


def _latex_head(text: str) -> str:
    lines = [_latex(line) for line in text.split("\n")]
    stacked = r" \\ ".join(lines)
    return stacked if len(lines) == 1 else f"\\shortstack[l]{{{stacked}}}"


def _html_cell(text: str) -> str:
    mark = " class='reaches'" if text.endswith(REACHES) else ""
    content = BOLD.sub(r"<strong>\1</strong>", escape(text)) if "**" in text else escape(text)
    return f"<td{mark}>{content}</td>"


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
    return "  ".join((first, *others)).rstrip() + "\n"
