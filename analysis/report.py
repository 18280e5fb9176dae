"""The report of a run: its page, tables, figures and pick, as one folder."""

from pathlib import Path

from analysis.chapters.book import write_chapters
from analysis.decision import to_json
from analysis.figures.album import draw_pictures
from analysis.findings import Findings
from analysis.folder import Folder, require_report_place, write_folder
from analysis.page import build_page


def write_report(findings: Findings, out: Path) -> Path:
    """Write the report of a run into OUT, replacing an earlier report; returns the path of its page.

    Nothing appears at OUT before the report is complete. Raises RunError when OUT is something else than a report.
    """
    require_report_place(out.resolve())  # before the pictures, which take longest
    pictures, picture_notes = draw_pictures(findings)
    chapters = write_chapters(findings, pictures, [*findings.notes, *picture_notes])
    page = build_page(f"How low can the JPEG quality go? Run {findings.run.path.resolve().name}", chapters)
    return write_folder(Folder(page, to_json(findings.pick, findings.strict), findings.tables, pictures), out)
