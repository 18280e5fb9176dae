"""A table as files: numbers as CSV, the same laid out as Markdown, LaTeX and plain text, with title and caption."""

import re
from collections.abc import Iterable

import pandas as pd

from analysis.tables.spec import Cell, Part, Table

REACHES = "✓"
LATEX_PACKAGES = "% needs \\usepackage{booktabs,amssymb,graphicx} and the input encoding utf8\n"
FITTED = r"\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
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
    parts = []
    for part in table.parts:
        names = [column.source or column.title for column in part.side]
        heads = [" ".join(level.split("\n")[0] for level in head) for head in part.heads]
        if len(set(heads)) < len(heads):  # of trials, whose first lines may be the same
            heads = [" ".join(" ".join(head).split()) for head in part.heads]
        lines = [[cell.text if cell.number is None else cell.number for cell in line] for line in part.lines]
        grid = pd.DataFrame(lines, columns=[*names, *heads])
        parts.append(grid.assign(part=part.title)[["part", *grid.columns]] if part.title else grid)
    return str(pd.concat(parts, ignore_index=True).to_csv(index=False, float_format=NUMBER_DIGITS))


def to_markdown(table: Table) -> str:
    """Write a table as Markdown; a vertical bar in a cell is escaped."""
    text = f"**{table.title}**\n" + (f"\n{table.caption}\n" if table.caption else "")
    for part in table.parts:
        lines = [[_plain(title) for title in _titles(part)], ["---"] * len(_titles(part))]
        lines += [[_plain(_marked(cell, "**")) for cell in line] for line in part.lines]
        text += f"\n{part.title}\n" if part.title else ""
        text += "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text + "".join(f"\n{line}\n" for line in table.below)


def to_latex(table: Table) -> str:
    """Write a table as LaTeX with the rules of booktabs, everything escaped; what is too wide is scaled to the line."""
    text = f"{LATEX_PACKAGES}\\noindent\\textbf{{{_latex(table.title)}}}\\par\n"
    text += f"{{\\footnotesize {_latex(table.caption)}\\par}}\n" if table.caption else ""
    for part in table.parts:
        head = " & ".join(_latex_head(title) for title in _titles(part))
        body = "".join(f"{' & '.join(_latex_cell(cell) for cell in line)} \\\\\n" for line in part.lines)
        text += f"\\par\\smallskip {_latex(part.title)}\\par\n" if part.title else ""
        text += (
            f"{FITTED}\n\\begin{{tabular}}{{{'l' * len(_titles(part))}}}\n\\toprule\n{head} \\\\\n"
            f"\\midrule\n{body}\\bottomrule\n\\end{{tabular}}}}\n"
        )
    return text + "".join(f"\n\\par\\smallskip{{\\footnotesize {_latex(line)}\\par}}\n" for line in table.below)


def to_text(table: Table) -> str:
    """Write the parts as aligned plain text, heads of several lines standing on the rule below them."""
    return "\n".join(_part_text(part) for part in table.parts)


WRITERS = {"csv": to_csv, "md": to_markdown, "tex": to_latex}


def _part_text(part: Part) -> str:
    heads = [title.split("\n") for title in _titles(part)]
    depth = max((len(head) for head in heads), default=0)
    lines = list(zip(*([""] * (depth - len(head)) + head for head in heads), strict=True))
    rows = [tuple(_marked(cell) for cell in line) for line in part.lines]
    widths = [max(len(line[column]) for line in [*lines, *rows]) for column in range(len(heads))]
    rule = tuple("-" * width for width in widths)
    return "".join(_aligned(line, widths) for line in [*lines, rule, *rows])


def _titles(part: Part) -> list[str]:
    return [*(column.title for column in part.side), *("\n".join(filter(None, head)) for head in part.heads)]


def _marked(cell: Cell, bold: str = "") -> str:
    text = f"{bold}{cell.text}{bold}" if cell.is_best and bold else cell.text
    return " ".join(filter(None, (text, REACHES if cell.reaches else "", cell.marks)))


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _latex(text: str) -> str:
    return MINUS.sub("$-$", " ".join(text.split()).translate(LATEX_LETTERS))


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text)
    marks = _latex(_marked(Cell("", reaches=cell.reaches, marks=cell.marks)))
    return " ".join(filter(None, (f"\\textbf{{{text}}}" if cell.is_best else text, marks)))


def _latex_head(text: str) -> str:
    lines = [_latex(line) for line in text.split("\n")]
    stacked = r" \\ ".join(lines)
    return stacked if len(lines) == 1 else f"\\shortstack[l]{{{stacked}}}"


def _aligned(line: Iterable[str], widths: Iterable[int]) -> str:
    first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
    return "  ".join((first, *others)).rstrip() + "\n"
