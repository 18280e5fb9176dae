"""Printed means, a row per number: a CSV file with the columns of thesis_tables.csv, checked when it is read."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.errors import RunError
from models.names import ARCHITECTURES, LOSSES, OUTPUT_ACTIVATIONS
from search.spec import RANDOM, SPLITS

COLUMNS = (
    *("table", "network", "output_activation", "dataset", "training_quality"),
    *("loss", "input_quality", "metric", "value"),
)
# What the thesis calls otherwise than we do.
NETWORKS = {**{name: name for name in ARCHITECTURES}, "xception": "smallxception"}
DATASETS = {**{name: name for name in SPLITS}, "tinydata": "tiny"}
METRICS = {"mae": "mae", "mse": "mse", "psnr": "psnr_db", "ssim": "ssim"}
CELL = ["trial_id", "input_quality", "metric"]


def read_printed(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a CSV file of printed means; returns a row for each, and what is to be told.

    Columns: table, network (as printed), architecture, output_activation, split, training_quality (int or "random"),
    loss, input_quality, metric, printed (its digits), mean, trial_id (with the table's number), model (without).
    Raises RunError when the file is no such table.
    """
    text = _read(path)
    lacking = [name for name in COLUMNS if name not in text]
    if lacking:
        raise RunError(
            f"a table of printed means has the columns {', '.join(COLUMNS)}; {path} lacks {', '.join(lacking)}"
        )
    if text.empty:
        raise RunError(f"a table of printed means has a row for each, found none in {path}; name another file")
    rows = pd.DataFrame({"table": _each(text, "table", _whole, path), "network": text["network"].str.strip()})
    for column, name, known in (
        ("architecture", "network", NETWORKS),
        ("output_activation", "output_activation", dict.fromkeys(OUTPUT_ACTIVATIONS)),
        ("split", "dataset", DATASETS),
        ("loss", "loss", dict.fromkeys(LOSSES)),
        ("metric", "metric", METRICS),
    ):
        rows[column] = _each(text, name, _named(known), path)
    rows["training_quality"] = _each(text, "training_quality", _training_quality, path).astype(object)
    rows["input_quality"] = _each(text, "input_quality", _quality, path)
    rows["mean"], rows["printed"] = _each(text, "value", _number, path), [_digits(value) for value in text["value"]]
    rows["model"] = [_model(row) for row in rows.to_dict("records")]
    rows["trial_id"] = rows["model"] + "-table" + rows["table"].astype(str)
    twice = rows[rows.duplicated(CELL)]
    if len(twice):
        raise RunError(f"a mean stands once, found {' '.join(map(str, twice.iloc[0][CELL]))} twice in {path}; keep one")
    unknown = [str(name) for name in text.columns if name not in COLUMNS]
    return rows, (f"Columns of {path.name} that were not read: {', '.join(unknown)}.",) if unknown else ()


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig").fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RunError(f"{path} must be a CSV file, found {error}; name a run directory or a table") from error


def _each(text: pd.DataFrame, name: str, read: Callable[[str], Any], path: Path) -> "pd.Series[Any]":
    """Read every cell of a column. Raises RunError with the line of the first that cannot be."""
    cells = []
    for line, cell in enumerate(text[name], start=2):  # line 1 is the head
        try:
            cells.append(read(cell.strip()))
        except ValueError as error:
            raise RunError(f"{path}, line {line}: {name} must be {error}, found {cell[:60]!r}") from error
    return pd.Series(cells, index=text.index)


def _named(known: Mapping[str, str | None]) -> Callable[[str], str]:
    def read(cell: str) -> str:
        name = cell.lower()
        if name not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return known[name] or name

    return read


def _whole(cell: str) -> int:
    if not cell.isdecimal():
        raise ValueError("a whole number")
    return int(cell)


def _quality(cell: str) -> int:
    if not (cell.isdecimal() and 1 <= int(cell) <= 100):
        raise ValueError("a JPEG quality, 1..100")
    return int(cell)


def _training_quality(cell: str) -> int | str:
    return RANDOM if cell == RANDOM else _quality(cell)


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


def _digits(cell: str) -> str:
    """Write 4.8e-05 as 0.000048: the digits as they are, the exponent spelt out."""
    mantissa, _, exponent = cell.strip().lower().partition("e")
    if not exponent:
        return mantissa
    decimals = len(mantissa.partition(".")[2]) - int(exponent)
    return f"{float(cell):.{max(0, decimals)}f}"


def _model(row: Mapping[Any, Any]) -> str:
    return "-".join((row["architecture"], row["loss"], row["output_activation"], f"q{row['training_quality']}"))
