"""The report of printed means: one page with the decision, the rebuilt tables and what is suspect in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.decide import METRIC_TITLES
from analysis.printed import Reference, examine_printed, means_of, read_printed, read_reference, study_of_printed
from analysis.printed_pick import RULE, PrintedPick, choose, judge
from analysis.report.page import Card, Page, Section, build_page, listed
from analysis.report.report import require_report_place, write_folder
from analysis.study import Study
from analysis.suspects import Oddity, inferred_inputs
from analysis.tables.of_study import study_tables, suspects_table
from analysis.tables.spec import Cell, Column, Row, Table, TableSpec, is_missing, lay_out_all, write_mean
from models.names import METRICS

SOURCE = (
    "JPEG-deblocking of blood cell images using deep learning, Lund University, 2020:E77. What stands beside the "
    "tables of means, Tables 1 to 4 and 7 and what is set in bold, is shipped with lowq."
)
SCORED = (
    "Trials on tiny were scored on its validation images, as it has no others, and those on data100 and data101 on "
    "test images, all at full size. Numbers are shown with the digits of the file: zeros at their end may be lost."
)
REBUILT = "table_"  # how the files of rebuilt tables begin


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
    card = Card(
        f"Quality {pick.quality}" if pick.quality else "No quality",
        pick.sentence(),
        [("rule", f"{RULE}.")],
        [pick.warning],
    )
    rebuilt = [name for name in tables if name.startswith(REBUILT)]
    odd = ("judged", "suspects", "inputs")
    around = [name for name in tables if name not in (*rebuilt, *odd, "reference")]
    sections = [
        Section("decision", "Decision and suspects", listed(tables, odd)),
        Section("tables", "Tables as printed", listed(tables, rebuilt)),
        Section("comparison", "Comparison", listed(tables, around)),
        Section("method", "Source and notes", listed(tables, ("reference",))),
    ]
    page = build_page(Page(f"Printed means: {path.name}", card, sections, [SOURCE, SCORED, *findings.notes]))
    lines = [*_by_kind(findings.oddities), *(f"note: {note}" for note in findings.notes)]
    essence = "\n".join((*lines, f"pick: {pick.sentence()} {pick.warning}"))
    return essence, write_folder(page, pick.to_json(), tables, out)


def printed_tables(findings: PrintedFindings) -> dict[str, Table]:
    """Return every table: what was judged, the rebuilt ones in their order, what follows from them, constants."""
    specs = [_judged_spec(findings), *sorted(_rebuilt(findings), key=lambda spec: spec.name), *study_tables()]
    specs += [suspects_table(), _inputs_spec(), _reference_spec()]
    return lay_out_all(specs, findings)


def _rebuilt(findings: PrintedFindings) -> list[TableSpec]:
    """Return a table under its number for each part of a layout all of whose trials are printed under that number."""
    owners, specs = findings.study.trials.set_index("trial_id")["table"].to_dict(), []
    for spec in study_tables():
        frame = spec.frame(findings) if spec.per else pd.DataFrame()
        for _, own in frame.groupby("place", sort=False) if len(frame) else ():
            numbers = {owners[trial] for trial in own["trial_id"].dropna()}
            if len(numbers) == 1:
                (number,) = numbers
                title = f"Table {number}: {spec.part_title(own.iloc[0].to_dict())}"
                rebuilt = replace(spec, name=f"{REBUILT}{number:02d}", title=title, per=(), frame=_always(own))
                specs.append(rebuilt)
    return [replace(spec, section="tables", is_open=True) for spec in specs]


def _always(frame: pd.DataFrame) -> Callable[[Any], pd.DataFrame]:
    return lambda owner: frame


def _judged_spec(findings: PrintedFindings) -> TableSpec:
    required = findings.reference.requirements
    asked = ", ".join(f"{METRIC_TITLES[metric]} {required[metric]:g}" for metric in METRICS if metric in required)
    return TableSpec(
        name="judged",
        section="decision",
        title="What reaches JPEG-75, by the printed means",
        caption=f"Marked: at least as good as Table 3 asks of whole images: {asked}.",
        frame=_judged_frame,
        rows=(
            Column("input", "input_quality"),
            Column("model", "name"),
            Column("split", "split"),
            Column("reached", "told"),
        ),
        across=("metric",),
        head=lambda row: (METRIC_TITLES[row["metric"]],),
        cell=_judged_cell,
        is_open=True,
    )


def _judged_frame(findings: PrintedFindings) -> pd.DataFrame:
    keys = ["input_quality", "name", "split"]
    judged = findings.judged.sort_values(keys, kind="stable", ignore_index=True)
    if judged.empty:
        return judged
    n_reached = judged.groupby(keys)["reaches"].transform("sum")
    told = [
        f"kept out: {unfit}" if unfit else f"{n} of {len(METRICS)}"
        for unfit, n in zip(judged["unfit"], n_reached, strict=True)
    ]
    order = judged["metric"].map({metric: place for place, metric in enumerate(METRICS)})
    return judged.assign(told=told, order=order).sort_values([*keys, "order"]).drop(columns="order")


def _judged_cell(row: Row) -> Cell:
    return Cell(str(row["printed"]), row["mean"], reaches=bool(row["reaches"]))


def _inputs_spec() -> TableSpec:
    def shown(metric: str) -> Any:
        return lambda row: Cell(write_mean(metric, row[metric]), None if is_missing(row[metric]) else row[metric])

    return TableSpec(
        name="inputs",
        section="suspects",
        title="JPEG as it is, by the means on which dead trials agree",
        frame=lambda findings: inferred_inputs(*means_of(findings.printed)),
        rows=(
            *(Column(name, name) for name in ("split", "region")),
            Column("input", "input_quality"),
            *(Column(METRIC_TITLES[metric], metric, show=shown(metric)) for metric in METRICS),
        ),
        is_open=True,
    )


def _reference_spec() -> TableSpec:
    return TableSpec(
        name="reference",
        section="method",
        title="Tables 1 to 4 and 7, as they are printed",
        frame=lambda findings: findings.reference.rows,
        rows=tuple(Column(name, name) for name in ("table", "row", "column", "value")),
    )


def _by_kind(oddities: Sequence[Oddity]) -> list[str]:
    """Name the trials of each kind of oddity in one line."""
    trials: dict[str, list[str]] = {}
    for oddity in oddities:
        trials.setdefault(oddity.kind, []).extend(oddity.trials)
    return [f"{kind} ({len(names)}): {', '.join(names)}" for kind, names in trials.items()]
