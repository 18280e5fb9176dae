"""The tables of relative reconstruction: what restoring changes of each image, and how many images it makes better."""

from collections.abc import Sequence
from itertools import groupby, product
from typing import Any

import pandas as pd

from analysis.cell import NOT_SCORED, Row, holds, show_change, show_percent
from analysis.labels import METRIC_TITLES, fidelity
from analysis.run import Run
from analysis.tables.layout import REGION_WORDS
from analysis.tables.table import Table
from models.names import METRICS, REGIONS
from search.records import TrialRecord

MEASURED = ["change", "change_sd", "change_low", "change_high", "n_changed", "n_improved", "improved_percent"]
READING = (
    "A cell: the mean over images of restored minus its own input, ± half of its 95 % interval (standard deviation), "
    "and the share of images of which that metric gets better. PSNR and SSIM are to grow, MAE and MSE to shrink."
)


def relative_tables(run: Run, comparison: pd.DataFrame, by_system: pd.DataFrame) -> dict[str, Table]:
    """Return the tables of either split and region, of all images and by camera system; those without scores not."""
    tables = {}
    for split, region in product(("test", "validation"), REGIONS):
        records = run.finalists if split == "test" else run.trials
        for ending, cells in (("", comparison), ("_by_system", by_system)):
            numbers = relative_table(cells, records, split, region)
            if numbers["n_changed"].any():
                where = f"{split} split, {REGION_WORDS[region]}{', by camera system' if ending else ''}"
                title = f"Restored beside its own input, {where}"
                tables[f"relative_{split}_{region}{ending}"] = Table(numbers, show_relative(numbers), (READING,), title)
    return tables


def relative_table(cells: pd.DataFrame, records: Sequence[TrialRecord], split: str, region: str) -> pd.DataFrame:
    """Tabulate what each trial changes at each quality, best trial first and highest quality first.

    cells: as `analysis.comparison.compare` returns them.
    Returns trial_id, status, epochs (in words), (system,) input_quality, metric, MEASURED; improved_percent: of
    n_changed. A trial without scores has a row of its own, over no images.
    """
    rows = cells[(cells["split"] == split) & (cells["region"] == region)]
    named = [name for name in ("system",) if name in cells]
    trials = pd.DataFrame(
        {
            "trial_id": [record.trial_id for record in records],
            "status": [record.status.value for record in records],
            "epochs": [fidelity(record) for record in records],
            "rank": range(len(records)),
        }
    )
    columns = ["trial_id", *named, "input_quality", "metric", *MEASURED[:-1]]
    keyed = {"trial_id": object}  # also where there is no row to tell
    table = trials.astype(keyed).merge(rows[columns].astype(keyed), on="trial_id", how="left")
    table[["n_changed", "n_improved"]] = table[["n_changed", "n_improved"]].fillna(0).astype(int)
    table["improved_percent"] = 100 * table["n_improved"] / table["n_changed"].where(table["n_changed"] > 0)
    table["place"] = table["metric"].map({metric: place for place, metric in enumerate(METRICS)})
    order = {"rank": True, **dict.fromkeys(named, True), "input_quality": False, "place": True}
    table = table.sort_values(list(order), ascending=list(order.values()), ignore_index=True)
    table["input_quality"] = table["input_quality"].astype("Int64")
    return table.drop(columns=["rank", "place"])


def show_relative(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a `relative_table` out, a row for each trial, system and quality."""
    side = [name for name in ("trial_id", "system", "input_quality") if name in table]
    laid_out = []
    for _, group in groupby(table.to_dict("records"), key=lambda row: [str(row[name]) for name in side]):
        cells = list(group)
        first = cells[0]
        row = {"trial": first["trial_id"], "epochs": first["epochs"], "status": first["status"]}
        is_known = isinstance(first["metric"], str)
        row |= {name.removesuffix("_quality"): _known(first[name], is_known) for name in side[1:]}
        by_metric = {cell["metric"]: _show(cell) for cell in cells} if is_known else {}
        lacking = holds(first["status"], 0, 0)
        laid_out.append(row | {METRIC_TITLES[metric]: by_metric.get(metric, lacking) for metric in METRICS})
    return pd.DataFrame(laid_out, dtype=object)


def _known(value: Any, is_known: bool) -> str:
    return str(value) if is_known else "any"


def _show(cell: Row) -> str:
    if not cell["n_changed"]:
        return NOT_SCORED
    return f"{show_change(cell)}, {show_percent(cell['improved_percent'])} of {cell['n_changed']}"
