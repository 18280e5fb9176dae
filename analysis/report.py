"""The report as a folder: one page, its tables and figures as files, and the pick, swapped in only when complete."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from analysis.chapters.book import write_chapters
from analysis.figures.album import draw_pictures
from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.markup import to_latex, to_markdown
from analysis.page import build_page
from analysis.run import RunError

PAGE = "index.html"
PICK = "pick.json"
WRITERS = {"md": to_markdown, "tex": to_latex}


def write_report(findings: Findings, out: Path) -> Path:
    """Write the report of a run into OUT, replacing an earlier report; returns the path of its page.

    Nothing appears at OUT before the report is complete. Raises RunError when OUT is something else than a report.
    """
    out = out.resolve()
    require_report_place(out)
    pictures, picture_notes = draw_pictures(findings)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        _write_files(findings, pictures, [*findings.notes, *picture_notes], partial)
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


def _write_files(findings: Findings, pictures: Sequence[Picture], notes: Sequence[str], folder: Path) -> None:
    for part in (folder / "tables", folder / "figures"):
        part.mkdir(parents=True)
    for name, table in findings.tables.items():
        table.numbers.to_csv(folder / "tables" / f"{name}.csv", index=False)
        for ending, write in WRITERS.items():
            (folder / "tables" / f"{name}.{ending}").write_text(write(table.shown, table.below), encoding="utf-8")
    for picture in pictures:
        (folder / "figures" / f"{picture.name}.png").write_bytes(picture.png)
        (folder / "figures" / f"{picture.name}.svg").write_bytes(picture.svg)
    title = f"How low can the JPEG quality go? Run {findings.run.path.resolve().name}"
    page = build_page(title, write_chapters(findings, pictures, notes))
    (folder / PAGE).write_text(page, encoding="utf-8")
    (folder / PICK).write_text(findings.pick.to_json() + "\n", encoding="utf-8")


def _swap(partial: Path, out: Path) -> None:
    if not out.exists():
        partial.rename(out)
        return
    earlier = out.with_name(f".{out.name}.{os.getpid()}.earlier")
    out.rename(earlier)
    partial.rename(out)
    shutil.rmtree(earlier)
