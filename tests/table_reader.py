"""Laid-out tables read back as frames of text, for tests."""

import pandas as pd

from analysis.tables.spec import Cell, Table


def shown(table: Table, part: int = 0) -> pd.DataFrame:
    """Return a part of a table as it is shown, every cell with its marks: bold in stars, what reaches with a tick."""
    own = table.parts[part]
    names = [*(column.title for column in own.side), *("\n".join(filter(None, head)) for head in own.heads)]
    return pd.DataFrame([[_text(cell) for cell in line] for line in own.lines], columns=names, dtype=object)


def _text(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.is_best else cell.text
    return " ".join(filter(None, (text, "✓" if cell.reaches else "", cell.marks)))
