"""The report of printed means: one page with the decision, the rebuilt tables and what is suspect in them."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.decide import METRIC_TITLES
from analysis.printed import Reference, examine_printed, means_of, read_printed, read_reference, study_of_printed
from analysis.printed_pick import RULE, PrintedPick, choose, judge
from analysis.report.page import render
from analysis.report.report import require_report_place, write_folder
from analysis.study import Study
from analysis.suspects import Oddity, inferred_inputs
from analysis.tables.appendix import rebuilt_tables, study_tables
from analysis.tables.conclusions import conclusions_table
from analysis.tables.decision import suspects_table
from analysis.tables.spec import Cell, Layout, Table, by_name, lay_out
from models.names import METRICS

SOURCE = (
    "JPEG-deblocking of blood cell images using deep learning, Lund University, 2020:E77. What stands beside the "
    "tables of means, Tables 1 to 4 and 7 and what is set in bold, is shipped with lowq."
)
SCORED = (
    "Trials on tiny were scored on its validation images, as it has no others, and those on data100 and data101 on "
    "test images, all at full size. Numbers are shown with the digits of the file: zeros at their end may be lost."
)
SECTIONS = {
    **{"decision": "Decision and suspects", "tables": "Tables as printed", "comparison": "Comparison"},
    "method": "Source and notes",
}


@dataclass(frozen=True)
class PrintedFindings:
    """Everything printed means say. study, oddities, judged: as `analysis.printed` has them; notes: what to know."""

    printed: pd.DataFrame
    reference: Reference
    study: Study
    oddities: tuple[Oddity, ...]
    judged: pd.DataFrame
    pick: PrintedPick
    notes: tuple[str, ...]


def find_printed(path: Path) -> PrintedFindings:
    """Read a CSV file of printed means and work out what it says. Raises RunError when it is no such file."""
    printed, notes = read_printed(path)
    reference = read_reference()
    oddities = examine_printed(printed, reference)
    study = study_of_printed(printed, oddities, reference)
    judged = judge(study, printed, reference)
    return PrintedFindings(printed, reference, study, oddities, judged, choose(judged, reference), notes)


def report_printed(path: Path, out: Path) -> tuple[str, Path]:
    """Write the report of a CSV file of printed means into OUT; returns its essence in plain text, and its page."""
    require_report_place(out.resolve())
    findings = find_printed(path)
    tables, pick = printed_tables(findings), findings.pick
    odd = ["judged", "suspects", "inputs"]
    rebuilt = [table.name for table in tables.values() if table.section == "tables"]
    around = [name for name in tables if name not in (*rebuilt, *odd, "reference")]
    page = render(
        "plain.html",
        title=f"Printed means: {path.name}",
        number=f"Quality {pick.quality}" if pick.quality else "No quality",
        headline=pick.sentence(),
        facts=[("rule", f"{RULE}.")],
        warnings=[pick.warning],
        sections=SECTIONS,
        names=dict(zip(SECTIONS, (odd, rebuilt, around, ["reference"]), strict=True)),
        tables=tables,
        notes=[SOURCE, SCORED, *findings.notes],
    )
    trials: dict[str, list[str]] = {}
    for oddity in findings.oddities:
        trials.setdefault(oddity.kind, []).extend(oddity.trials)
    lines = [f"{kind} ({len(names)}): {', '.join(names)}" for kind, names in trials.items()]
    lines += [*(f"note: {note}" for note in findings.notes), f"pick: {pick.sentence()} {pick.warning}"]
    return "\n".join(lines), write_folder(page, pick.as_json(), tables, out)


def printed_tables(findings: PrintedFindings) -> dict[str, Table]:
    """Return every table: what was judged, the rebuilt ones in their order, what follows from them, constants."""
    required = findings.reference.requirements
    asked = ", ".join(f"{METRIC_TITLES[metric]} {required[metric]:g}" for metric in METRICS if metric in required)
    judged = Layout(cell=lambda row: Cell(str(row["printed"]), row["mean"], reaches=bool(row["reaches"])))
    return by_name(
        lay_out("judged", _judged_frame(findings.judged), judged, {"asked": asked}),
        *rebuilt_tables(findings.study),
        conclusions_table(findings.study),
        *study_tables(findings.study),
        suspects_table(findings.oddities, len(findings.study.trials)),
        lay_out("inputs", inferred_inputs(*means_of(findings.printed))),
        lay_out("reference", findings.reference.rows),
    )


def _judged_frame(judged: pd.DataFrame) -> pd.DataFrame:
    keys = ["input_quality", "name", "split"]
    if judged.empty:
        return judged
    reached = judged.groupby(keys)["reaches"].transform("sum").map(lambda n: f"{n} of {len(METRICS)}")
    told = reached.where(judged["unfit"] == "", "kept out: " + judged["unfit"])
    return judged.assign(told=told, metric=pd.Categorical(judged["metric"], METRICS)).sort_values([*keys, "metric"])
