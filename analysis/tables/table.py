"""What every table is: numbers for a machine and the same as strings for a reader, under a title."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table twice: numbers for a machine, and the same as strings for a reader, in the markup of `analysis.markup`.

    below: lines to read with it; title: what stands above it.
    """

    numbers: pd.DataFrame
    shown: pd.DataFrame
    below: tuple[str, ...] = ()
    title: str = ""
