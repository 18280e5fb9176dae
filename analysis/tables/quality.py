"""The table of qualities and models: every mean of every model at every quality."""

from collections.abc import Sequence

import pandas as pd

from analysis.run import Run
from models.names import METRICS
from search.records import TrialRecord
from search.spec import TrialStatus

# What a cell holds when it holds no mean.
NOT_SCORED = "not scored"
ALL_IDENTICAL = "all identical"
MEAN = "mean"


def columns_of(run: Run, split: str) -> list[TrialRecord]:
    """Return the models compared on a split: JPEG as it is, then trials best first (on test the finalists)."""
    baseline = [run.baseline] if run.baseline else []
    return [*baseline, *(run.finalists if split == "test" else run.trials)]


def quality_table(comparison: pd.DataFrame, records: Sequence[TrialRecord], split: str, region: str) -> pd.DataFrame:
    """Tabulate every quality and metric for every record, highest quality first; no cell is absent.

    comparison: as `analysis.comparison.compare` returns it.
    Returns input_quality, metric, trial_id, status, epochs_run, epochs_allowed, mean, reference_mean, margin, reaches,
    n_images, n_left_out, and holds: "mean", or why there is none ("diverged", "failed", "not scored", ...).
    """
    rows = comparison[(comparison["split"] == split) & (comparison["region"] == region)]
    qualities = sorted(rows["input_quality"].unique(), reverse=True)
    order = [(quality, metric, record.trial_id) for quality in qualities for metric in METRICS for record in records]
    keys = ["input_quality", "metric", "trial_id"]
    cells = rows.set_index(keys).reindex(pd.MultiIndex.from_tuples(order, names=keys)).reset_index()
    cells[["n_images", "n_left_out"]] = cells[["n_images", "n_left_out"]].fillna(0).astype(int)
    cells["reaches"] = cells["reaches"].eq(True)
    by_id = {record.trial_id: record for record in records}
    owners = [by_id[trial_id] for trial_id in cells["trial_id"]]
    cells["status"] = [record.status.value for record in owners]
    cells["epochs_run"] = [record.epochs_run for record in owners]
    cells["epochs_allowed"] = [record.spec.epochs for record in owners]
    counts = zip(owners, cells["n_images"], cells["n_left_out"], strict=True)
    cells["holds"] = [_holds(record, n_images, n_left_out) for record, n_images, n_left_out in counts]
    fidelity = ["status", "epochs_run", "epochs_allowed"]
    measured = ["mean", "reference_mean", "margin", "reaches", "n_images", "n_left_out", "holds"]
    return cells[[*keys, *fidelity, *measured]]


def _holds(record: TrialRecord, n_images: int, n_left_out: int) -> str:
    if n_images:
        return MEAN
    if n_left_out:
        return ALL_IDENTICAL
    if record.status in (TrialStatus.DIVERGED, TrialStatus.FAILED):
        return record.status.value
    return NOT_SCORED
