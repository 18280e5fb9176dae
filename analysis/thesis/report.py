"""The report of printed means: one page with the decision, the rebuilt tables and what forensics finds in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.folder import Folder, require_report_place, write_folder
from analysis.forensics import Finding
from analysis.page import Section, build_page, bullets, paragraph, titled_table
from analysis.tables.table import Table
from analysis.thesis.printed import read_printed
from analysis.thesis.reference import read_reference
from analysis.thesis.study import examine_printed, study_of_printed
from analysis.thesis.tables import PRINTED, inputs_tables, printed_tables
from analysis.thesis.verdict import RULE, PrintedPick, choose, judge

SOURCE = (
    "JPEG-deblocking of blood cell images using deep learning, Lund University, 2020:E77. What stands beside the "
    "tables of means, Tables 1 to 4 and 7 and what is set in bold, is shipped with lowq."
)
SCORED = (
    "Trials on tiny were scored on its validation images, as it has no others, and those on data100 and data101 on "
    "test images, all at full size. Numbers are shown with the digits of the file: zeros at their end may be lost."
)


@dataclass(frozen=True)
class PrintedFindings:
    """Everything printed means say. found: a line for each kind of finding; notes: what a reader must know."""

    pick: PrintedPick
    tables: dict[str, Table]
    found: tuple[str, ...]
    notes: tuple[str, ...]


def find_printed(path: Path) -> PrintedFindings:
    """Read a CSV file of printed means and work out what it says. Raises RunError when it is no such file."""
    printed, notes = read_printed(path)
    reference = read_reference()
    findings = examine_printed(printed, reference)
    study = study_of_printed(printed, findings, reference)
    judged = judge(study, printed, reference)
    tables = printed_tables(study, findings, judged, reference) | inputs_tables(printed)
    return PrintedFindings(choose(judged, reference), tables, _by_kind(findings), notes)


def report_printed(path: Path, out: Path) -> tuple[str, Path]:
    """Write the report of a CSV file of printed means into OUT; returns its essence in plain text, and its page."""
    require_report_place(out.resolve())
    findings = find_printed(path)
    page = write_folder(Folder(_page(path, findings), findings.pick.to_json(), findings.tables), out)
    lines = list(findings.found) + [f"note: {note}" for note in findings.notes]
    return "\n".join((*lines, f"pick: {findings.pick.sentence()} {findings.pick.warning}")), page


def _by_kind(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Name the trials of each kind of finding in one line."""
    trials: dict[str, list[str]] = {}
    for finding in findings:
        trials.setdefault(finding.kind, []).extend(finding.trials)
    return tuple(f"{kind} ({len(names)}): {', '.join(names)}" for kind, names in trials.items())


def _page(path: Path, findings: PrintedFindings) -> str:
    pick, tables = findings.pick, findings.tables
    rebuilt = [name for name in tables if name.startswith(PRINTED)]
    around = [name for name in tables if name not in (*rebuilt, "judged", "forensics", "inputs", "reference")]
    notes = [SOURCE, SCORED, *findings.notes]
    decision = [paragraph(pick.sentence(), "decision"), paragraph(pick.warning, "warning")]
    decision += [paragraph(f"The rule: {RULE}."), *_show(tables, ["judged"])]
    oddities = _show(tables, ["forensics", "inputs"]) or [paragraph("Nothing odd was found.")]
    return build_page(
        f"Printed means: {path.name}",
        [
            Section("decision", "Decision", decision),
            Section("forensics", "Forensics", oddities),
            Section("tables", "Tables as printed", _show(tables, rebuilt)),
            Section("comparison", "Comparison", _show(tables, around)),
            Section(
                "method",
                "Source and notes",
                [bullets(notes), *_show(tables, ["reference"])],
            ),
        ],
    )


def _show(tables: dict[str, Table], names: list[str]) -> list[str]:
    shown = [tables[name] for name in names if name in tables]
    return [titled_table(table.title, "", table.shown, table.below) for table in shown]
