"""A folder of one page, its tables and figures as files, and the pick: swapped in only when it is complete."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import RunError
from analysis.figures.picture import Picture
from analysis.markup import to_latex, to_markdown
from analysis.tables.table import Table

PAGE = "index.html"
PICK = "pick.json"
WRITERS = {"md": to_markdown, "tex": to_latex}


@dataclass(frozen=True)
class Folder:
    """What goes into a folder. page: HTML; pick: JSON; tables: by the names of their files."""

    page: str
    pick: str
    tables: Mapping[str, Table]
    pictures: Sequence[Picture] = ()


def write_folder(folder: Folder, out: Path) -> Path:
    """Write a folder to OUT, replacing an earlier one; returns the path of its page.

    Nothing appears at OUT before it is complete. Raises RunError when OUT is something else than a report.
    """
    out = out.resolve()
    require_report_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        _write_files(folder, partial)
        _swap(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out / PAGE


def require_report_place(out: Path) -> None:
    """Raise RunError unless OUT is free, empty, or an earlier report."""
    free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if free or (out / PICK).is_file():
        return
    raise RunError(f"the report replaces only an earlier report, found something else at {out}; name another folder")


def _write_files(folder: Folder, place: Path) -> None:
    for part in (place / "tables", place / "figures"):
        part.mkdir(parents=True)
    for name, table in folder.tables.items():
        table.numbers.to_csv(place / "tables" / f"{name}.csv", index=False)
        for ending, write in WRITERS.items():
            (place / "tables" / f"{name}.{ending}").write_text(write(table.shown, table.below), encoding="utf-8")
    for picture in folder.pictures:
        (place / "figures" / f"{picture.name}.png").write_bytes(picture.png)
        (place / "figures" / f"{picture.name}.svg").write_bytes(picture.svg)
    (place / PAGE).write_text(folder.page, encoding="utf-8")
    (place / PICK).write_text(f"{folder.pick}\n", encoding="utf-8")


def _swap(partial: Path, out: Path) -> None:
    if not out.exists():
        partial.rename(out)
        return
    earlier = out.with_name(f".{out.name}.{os.getpid()}.earlier")
    out.rename(earlier)
    partial.rename(out)
    shutil.rmtree(earlier)
