"""A parquet file that the search writes when it ends, read with every column of its kind and every row whole."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.errors import one_line
from analysis.records import RESUME


def read_measured(path: Path, kinds: Mapping[str, pa.DataType]) -> pd.DataFrame:
    """Read the columns of a file, cast to their kinds. Raises ValueError with the reason where it is no such file."""
    if not path.is_file():
        raise ValueError(f"the run has no {path.name}, which the search writes when it ends; {RESUME} RUN does.")
    try:
        missing = [name for name in kinds if name not in pq.read_schema(path).names]
        table = pa.table({}) if missing else pq.read_table(path, columns=list(kinds)).cast(pa.schema(kinds))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"{path.name} cannot be read ({one_line(error)}).") from error
    if missing:
        raise ValueError(f"{path.name} has no column {', '.join(missing)}.")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def whole_rows(
    table: pd.DataFrame, path: Path, known: Mapping[str, Collection[str]], infinite: Collection[str] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep the rows that have a value in every column, and say how many have none.

    known: the words that a column may hold; infinite: columns that may be infinite, as PSNR of an identical image is.
    """
    numbers = table.select_dtypes("number").columns
    usable = table.notna().all(axis=1)
    for name in numbers:
        usable &= ~np.isinf(table[name]) | ((table[name] > 0) & (name in infinite))
    for name, words in known.items():
        usable &= table[name].isin(list(words))
    n_left_out = int((~usable).sum())
    told = f"Rows of {path.name} that lack a value or hold one that cannot be are not used: {n_left_out}."
    return table[usable].reset_index(drop=True), (told,) if n_left_out else ()
