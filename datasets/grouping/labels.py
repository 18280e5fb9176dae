"""What a user knows of images that belong together, such as their patient or slide: from names, or from a table."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from datasets.errors import InputError, explain

NAME = "name"  # the column that says which image a row is of


def find_labels(
    names: Sequence[str], pattern: str | None = None, table: Path | None = None, column: str | None = None
) -> list[str] | None:
    """Return what each image is grouped by: what a regular expression finds in its name, or a table says of it.

    None where neither is given. Raises InputError where an image is without, or what is given cannot be used.
    """
    if (table is None) != (column is None):
        raise InputError("--group-table CSV and --group-column COLUMN belong together: give both")
    if pattern is not None and table is not None:
        raise InputError("--group-pattern and --group-table are two ways to group images: give one")
    if pattern is not None:
        return _labels_of_names(names, pattern)
    if table is not None and column is not None:
        return _labels_of_table(names, table, column)
    return None


def _labels_of_names(names: Sequence[str], pattern: str) -> list[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--group-pattern {pattern!r} is no regular expression: {error}") from error
    labels = []
    for name in names:
        found = expression.search(name)
        if found is None:
            raise InputError(f"--group-pattern {pattern!r} finds nothing in {name}: widen it, or rename the image")
        labels.append("\0".join(part or "" for part in found.groups()) if found.groups() else found[0])
    return labels


def _labels_of_table(names: Sequence[str], table: Path, column: str) -> list[str]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            if lacking := [wanted for wanted in (NAME, column) if wanted not in columns]:
                raise InputError(f"{table} lacks the column {lacking[0]}: it has {', '.join(columns) or 'none'}")
            labels: dict[str, str] = {}
            for row in reader:
                label = (row[column] or "").strip()
                if labels.setdefault(row[NAME], label) != label:
                    raise InputError(f"{table} says two things of {row[NAME]}: leave one of its rows")
    except OSError as error:
        raise InputError(f"{table} cannot be read: {explain(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is no CSV file in UTF-8 ({error}): save it as one") from error
    without = [name for name in names if not labels.get(name)]
    if without:
        raise InputError(
            f"{table} says nothing of {len(without)} of {len(names)} images, such as {without[0]}: add them, with "
            "names as `python -m datasets inspect SOURCE --out FOLDER` lists them"
        )
    return [labels[name] for name in names]
