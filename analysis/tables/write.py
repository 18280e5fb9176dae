"""A table as files: numbers as CSV, the same laid out as Markdown, LaTeX and plain text, with title and caption."""

import re
from collections.abc import Callable
from functools import partial
from importlib.resources import files

import jinja2
import pandas as pd

from analysis.tables.spec import Cell, Part, Table

REACHES = "✓"
LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": "$<$", ">": "$>$", "|": "$|$", "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$", "·": r"$\cdot$"},
    **{"★": r"$\star$", REACHES: r"$\checkmark$", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}"},
    **{"↓": r"$\downarrow$", "≈": r"$\approx$"},
    **{"[": "{[}", "]": "{]}"},  # after a line break a bracket would be taken for its height
}
LATEX_LETTERS = str.maketrans(LATEX)
MINUS = re.compile(r"(?<![\w.$-])-(?=\d)")
NUMBER_DIGITS = "%.9g"


def to_csv(table: Table) -> str:
    """Write the numbers: of a table with something across as it is laid out, else the whole frame."""
    if not table.is_crossed:
        return str(table.frame.to_csv(index=False, float_format=NUMBER_DIGITS))
    grids = []
    for part in table.parts:
        names = [column.source or column.title for column in part.side]
        heads = [" ".join(level.split("\n")[0] for level in head) for head in part.heads]
        if len(set(heads)) < len(heads):  # of trials, whose first lines may be the same
            heads = [" ".join(" ".join(head).split()) for head in part.heads]
        lines = [[cell.text if cell.number is None else _rounded(cell.number) for cell in line] for line in part.lines]
        grid = pd.DataFrame(lines, columns=[*names, *heads])
        grids.append(grid.assign(part=part.title)[["part", *grid.columns]] if part.title else grid)
    return str(pd.concat(grids, ignore_index=True).to_csv(index=False, float_format=NUMBER_DIGITS))


def _rounded(number: object) -> object:
    """Round what stands beside words in a column, whose format pandas does not apply."""
    return float(NUMBER_DIGITS % number) if isinstance(number, float) else number


def to_text(table: Table) -> str:
    """Write the parts as aligned plain text, heads of several lines standing on the rule below them."""
    return "\n".join(_part_text(part) for part in table.parts)


def _part_text(part: Part) -> str:
    heads = [title.split("\n") for title in part.titles]
    depth = max((len(head) for head in heads), default=0)
    lines = list(zip(*([""] * (depth - len(head)) + head for head in heads), strict=True))
    rows = [tuple(_marked(cell) for cell in line) for line in part.lines]
    widths = [max(len(line[column]) for line in [*lines, *rows]) for column in range(len(heads))]
    texts = [*lines, tuple("-" * width for width in widths), *rows]
    aligned = (map(str.ljust, line, widths) for line in texts)
    return "".join("  ".join(line).rstrip() + "\n" for line in aligned)


def _marked(cell: Cell, text: str | None = None) -> str:
    return " ".join(filter(None, (cell.text if text is None else text, REACHES if cell.reaches else "", cell.marks)))


def _markdown(cell: Cell | str) -> str:
    bold = f"**{cell.text}**" if isinstance(cell, Cell) and cell.is_best else None
    text = cell if isinstance(cell, str) else _marked(cell, bold)
    return text.replace("\n", " ").replace("|", "\\|")


def _latex(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return MINUS.sub("$-$", " ".join(cell.split()).translate(LATEX_LETTERS))
    text, marks = _latex(cell.text), _latex(_marked(cell, ""))
    return " ".join(filter(None, (f"\\textbf{{{text}}}" if cell.is_best else text, marks)))


def _latex_head(text: str) -> str:
    lines = [_latex(line) for line in text.split("\n")]
    stacked = r" \\ ".join(lines)
    return stacked if len(lines) == 1 else f"\\shortstack[l]{{{stacked}}}"


def _render(name: str, table: Table) -> str:
    """Fill in a template: Markdown, or LaTeX with the rules of booktabs, scaled to the line where it is too wide."""
    environment = jinja2.Environment(  # plain text: the filters escape it
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"md": _markdown, "tex": _latex, "head": _latex_head}
    template = (files("analysis.tables") / name).read_text(encoding="utf-8")
    return environment.from_string(template).render(table=table)


Writer = Callable[[Table], str]
WRITERS: dict[str, Writer] = {"csv": to_csv, "md": partial(_render, "table.md"), "tex": partial(_render, "table.tex")}
