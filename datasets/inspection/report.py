"""How an inspection is told: a table, a CSV file with a row per image, and a sheet of the worst images."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from datasets.errors import printable
from datasets.inspection.findings import CLIPPED_SHARE, PREVIEW_PX, Finding
from datasets.staging import staged

IMAGES_FILE, WORST_FILE = "images.csv", "worst.png"
N_WORST = 40
SHEET_COLUMNS, CAPTION_PX, MARGIN_PX = 8, 24, 4

COUNTED: dict[str, Callable[[Finding], bool]] = {
    "images": lambda finding: True,
    "unusable": lambda finding: bool(finding.fault),
    "JPEG before": lambda finding: finding.history is not None and finding.history.was_jpeg,
    "same pixels": lambda finding: bool(finding.identical_to),
    "same field": lambda finding: bool(finding.near_duplicate_of) and not finding.identical_to,
    "blank": lambda finding: finding.is_blank,
    "clipped": lambda finding: finding.clipped > CLIPPED_SHARE,
    "odd size": lambda finding: finding.is_odd_size,
}


def make_table(findings: Sequence[Finding]) -> str:
    """Return what was found as a table: a row per camera system, and one of all."""
    systems = list(dict.fromkeys(finding.system for finding in findings))
    rows = [["system", *COUNTED, "sizes"]]
    for system in systems:
        rows.append(_row(system, [finding for finding in findings if finding.system == system]))
    if len(systems) > 1:
        rows.append(_row("all", findings))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, len(widths) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def worst(findings: Sequence[Finding], n_most: int = N_WORST) -> list[Finding]:
    """Return the findings with problems, those that harm a pack most first."""

    def harm(finding: Finding) -> tuple[bool, bool, float, bool]:
        was_jpeg = finding.history is not None and finding.history.was_jpeg
        log10 = finding.history.log10_false_alarms if finding.history and was_jpeg else 0.0
        return not finding.fault, not was_jpeg, log10, not finding.is_blank

    return sorted((finding for finding in findings if finding.problems), key=harm)[:n_most]


def write_report(findings: Sequence[Finding], out: Path) -> None:
    """Make the folder `out` with a row per image in images.csv and the worst images in worst.png.

    Raises InputError when out exists or cannot be written.
    """
    with staged(out) as staging:
        with (staging.contents / IMAGES_FILE).open(
            "w", newline="", encoding="utf-8", errors="backslashreplace"
        ) as file:
            writer = csv.DictWriter(file, list(_csv_row(findings[0])))
            writer.writeheader()
            writer.writerows(map(_csv_row, findings))
        shown = [finding for finding in worst(findings, len(findings)) if finding.preview is not None][:N_WORST]
        if shown:
            _draw_sheet(shown).save(staging.contents / WORST_FILE)


def _row(name: str, findings: Sequence[Finding]) -> list[str]:
    sizes = sorted({(finding.width, finding.height) for finding in findings if not finding.fault})
    size = " ".join(f"{width}x{height}" for width, height in sizes[:3]) + (" ..." if len(sizes) > 3 else "")
    return [printable(name), *(str(sum(map(is_so, findings))) for is_so in COUNTED.values()), size]


def _csv_row(finding: Finding) -> dict[str, object]:
    history = finding.history
    was_jpeg = history is not None and history.was_jpeg
    return {
        "name": finding.name,
        "system": finding.system,
        "height": finding.height or "",
        "width": finding.width or "",
        "fault": finding.fault,
        "was_jpeg": "" if history is None else int(was_jpeg),
        "log10_false_alarms": "" if history is None else round(max(history.log10_false_alarms, -999.0), 2),
        "grid_row": history.grid[0] if history and was_jpeg else "",
        "grid_column": history.grid[1] if history and was_jpeg else "",
        "jpeg_quality": (history.quality or "") if history and was_jpeg else "",
        "chroma_subsampling": history.subsampling if history and was_jpeg else "",
        "identical_to": finding.identical_to,
        "near_duplicate_of": finding.near_duplicate_of,
        "blank": "" if finding.fault else int(finding.is_blank),
        "clipped_share": "" if finding.fault else round(finding.clipped, 4),
        "odd_size": "" if finding.fault else int(finding.is_odd_size),
        "sha256": finding.sha256,
        "problems": "; ".join(finding.problems),
    }


def _draw_sheet(findings: Sequence[Finding]) -> Image.Image:
    """Draw small pictures of images with their names and first problems below."""
    n_rows = -(-len(findings) // SHEET_COLUMNS)
    step_x, step_y = PREVIEW_PX + MARGIN_PX, PREVIEW_PX + CAPTION_PX + MARGIN_PX
    sheet = Image.new("RGB", (min(len(findings), SHEET_COLUMNS) * step_x, n_rows * step_y), "white")
    draw = ImageDraw.Draw(sheet)
    for place, finding in enumerate(findings):
        if finding.preview is None:
            continue
        left, top = place % SHEET_COLUMNS * step_x, place // SHEET_COLUMNS * step_y
        sheet.paste(Image.fromarray(np.asarray(finding.preview)), (left, top))
        for line, text in enumerate((finding.name[-26:], finding.problems[0][:26])):
            draw.text((left, top + PREVIEW_PX + 12 * line), text.encode("ascii", "replace").decode(), fill="black")
    return sheet
