"""The tables of a printed source: its own, rebuilt under their numbers, and what follows from them."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analysis.cell import REACHES, show_mean
from analysis.forensics import Finding, inferred_inputs
from analysis.labels import METRIC_TITLES
from analysis.study import Study
from analysis.tables.book import study_tables
from analysis.tables.forensics import forensics_tables
from analysis.tables.table import Table
from analysis.thesis.reference import Reference
from analysis.thesis.study import means_of
from models.names import METRICS

PRINTED = "table_"  # how the files of rebuilt tables begin
KEPT_OUT = "kept out"


def printed_tables(
    study: Study, findings: Sequence[Finding], judged: pd.DataFrame, reference: Reference
) -> dict[str, Table]:
    """Return every table: what was judged, the rebuilt ones in their order, conclusions, forensics, constants."""
    rebuilt = [_numbered(name, table, study) for name, table in study_tables(study).items()]
    ordered = dict(sorted(rebuilt, key=lambda item: (not item[0].startswith(PRINTED), item[0])))
    constants = Table(reference.rows, reference.rows, (), "Tables 1 to 4 and 7, as they are printed")
    return {
        **({"judged": judged_table(judged)} if len(judged) else {}),
        **ordered,
        **forensics_tables(findings, len(study.trials)),
        "reference": constants,
    }


def inputs_tables(printed: pd.DataFrame) -> dict[str, Table]:
    """Return the means of inputs that are not printed but that dead trials of different networks agree on."""
    numbers = inferred_inputs(*means_of(printed))
    if numbers.empty:
        return {}
    shown = numbers[["split", "region", "input_quality"]].astype(str).rename(columns={"input_quality": "input"})
    shown = shown.assign(
        **{METRIC_TITLES[metric]: [show_mean(metric, mean) for mean in numbers[metric]] for metric in METRICS}
    )
    return {"inputs": Table(numbers, shown, (), "JPEG as it is, by the means on which dead trials agree")}


def judged_table(judged: pd.DataFrame) -> Table:
    """Lay out what was judged: a row for each model and quality and split, a column for each metric."""
    rows = []
    for (quality, name, split), cells in judged.groupby(["input_quality", "name", "split"], sort=True):
        by_metric = cells.set_index("metric")
        row = {"input": str(quality), "model": str(name), "split": str(split)}
        row |= {METRIC_TITLES[metric]: _judged_cell(by_metric, metric) for metric in METRICS}
        unfit = by_metric["unfit"].iloc[0]
        rows.append(
            row | {"reached": f"{KEPT_OUT}: {unfit}" if unfit else f"{by_metric['reaches'].sum()} of {len(METRICS)}"}
        )
    required = judged.drop_duplicates("metric").set_index("metric")["required"]
    asked = ", ".join(f"{METRIC_TITLES[metric]} {required[metric]:g}" for metric in METRICS if metric in required)
    below = (f"{REACHES}: at least as good as Table 3 asks of whole images: {asked}.",)
    return Table(judged, pd.DataFrame(rows), below, "What reaches JPEG-75, by the printed means")


def _judged_cell(by_metric: pd.DataFrame, metric: str) -> str:
    if metric not in by_metric.index:
        return "not printed"
    cell = by_metric.loc[metric]
    return f"{cell['printed']}{f' {REACHES}' if cell['reaches'] else ''}"


def _numbered(name: str, table: Table, study: Study) -> tuple[str, Table]:
    """Give a table the number under which all of its trials are printed, if it is one."""
    if "trial_id" not in table.numbers:
        return name, table
    owners = study.trials.set_index("trial_id")["table"].to_dict()
    numbers = {owners[trial] for trial in table.numbers["trial_id"].dropna()}
    if len(numbers) != 1:
        return name, table
    (number,) = numbers
    return f"{PRINTED}{number:02d}", replace(table, title=f"Table {number}: {table.title}")
