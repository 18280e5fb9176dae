"""The table of qualities and models: every mean of every model at every quality."""

from collections.abc import Sequence
from itertools import product

import pandas as pd

from analysis.cell import MEAN, REACHES, SPREAD, Row, holds, left_out_legend, show_spread
from analysis.labels import METRIC_TITLES, heading
from analysis.run import Run
from analysis.tables.table import Table
from models.names import METRICS, REGIONS
from search.records import TrialRecord

MEASURED = ["mean", "sd", "low", "high", "reference_mean", "margin", "reaches", "n_images", "n_left_out", "holds"]


def columns_of(run: Run, split: str) -> list[TrialRecord]:
    """Return the models compared on a split: JPEG as it is, then trials best first (on test the finalists)."""
    baseline = [run.baseline] if run.baseline else []
    return [*baseline, *(run.finalists if split == "test" else run.trials)]


def quality_tables(run: Run, comparison: pd.DataFrame, by_system: pd.DataFrame) -> dict[str, Table]:
    """Return the tables of either split and region, of all images and by camera system."""
    tables = {}
    for split, region in product(("test", "validation"), REGIONS):
        records = columns_of(run, split)
        for ending, cells in (("", comparison), ("_by_system", by_system)):
            numbers = quality_table(cells, records, split, region)
            below = (SPREAD, *left_out_legend(numbers))
            tables[f"quality_{split}_{region}{ending}"] = Table(numbers, show_quality(numbers, records), below)
    return tables


def quality_table(cells: pd.DataFrame, records: Sequence[TrialRecord], split: str, region: str) -> pd.DataFrame:
    """Tabulate every quality and metric for every record, highest quality first; no cell is absent.

    cells: as `analysis.comparison.compare` returns it; with systems, every one of them.
    Returns (system,) input_quality, metric, trial_id, status, epochs_run, epochs_allowed, mean, sd, low, high,
    reference_mean, margin, reaches, n_images, n_left_out, and holds: "mean", or why there is none ("diverged",
    "failed", "not scored", ...).
    """
    rows = cells[(cells["split"] == split) & (cells["region"] == region)]
    qualities = sorted(rows["input_quality"].unique(), reverse=True)
    columns = {"input_quality": qualities, "metric": METRICS, "trial_id": [record.trial_id for record in records]}
    if "system" in cells:
        columns = {"system": sorted(rows["system"].unique())} | columns
    table = rows.set_index(list(columns)).reindex(
        pd.MultiIndex.from_product(list(columns.values()), names=list(columns))
    )
    table = table.reset_index()
    table[["n_images", "n_left_out"]] = table[["n_images", "n_left_out"]].fillna(0).astype(int)
    table["reaches"] = table["reaches"].eq(True)
    by_id = {record.trial_id: record for record in records}
    owners = [by_id[trial_id] for trial_id in table["trial_id"]]
    table["status"] = [record.status.value for record in owners]
    table["epochs_run"] = [record.epochs_run for record in owners]
    table["epochs_allowed"] = [record.spec.epochs for record in owners]
    counts = zip(table["status"], table["n_images"], table["n_left_out"], strict=True)
    table["holds"] = [holds(status, n_images, n_left_out) for status, n_images, n_left_out in counts]
    fidelity = ["status", "epochs_run", "epochs_allowed"]
    return table[[*columns, *fidelity, *MEASURED]]


def show_quality(table: pd.DataFrame, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Lay a `quality_table` out with a row per quality and metric and a column per record, in that order.

    A cell ends in REACHES where the trial's mean is at least as good as the reference's. Qualities at which none of the
    trained trials was scored are left to the CSV file.
    """
    trained = [record.trial_id for record in records if not record.spec.is_baseline]
    scored = table.loc[table["trial_id"].isin(trained) & (table["holds"] == MEAN), "input_quality"].unique()
    shown = table[table["input_quality"].isin(scored)] if len(scored) else table
    heads = [heading(record) for record in records]
    rows = shown.to_dict("records")
    laid_out = []
    for start in range(0, len(rows), max(1, len(records))):
        cells = rows[start : start + len(records)]
        first = cells[0]
        named = {"system": first["system"]} if "system" in table else {}
        named |= {"quality": str(first["input_quality"]), "metric": METRIC_TITLES[first["metric"]]}
        laid_out.append(named | dict(zip(heads, map(_show_cell, cells), strict=True)))
    return pd.DataFrame(laid_out, dtype=object)


def _show_cell(row: Row) -> str:
    if row["holds"] != MEAN:
        return str(row["holds"])
    return show_spread(row) + (f" {REACHES}" if row["reaches"] else "")
