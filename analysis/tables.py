"""The tables of a run as numbers: what goes into the CSV files, and what `analysis.display` puts into words."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from analysis.run import Run
from models.names import METRICS, REGIONS
from search.records import TrialRecord, describe_left_out
from search.spec import TrialStatus

KB_BYTES = 1000
RAW_BYTES_PER_PIXEL = 3
# What a cell of the quality table holds when it holds no mean.
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


def size_table(run: Run) -> pd.DataFrame:
    """Tabulate the JPEG files by quality, highest first, over every image of the dataset.

    Returns input_quality, n_images, mean_kb (of 1000 bytes), saved_percent (against the reference quality) and
    saved_raw_percent (against 3 bytes a pixel).
    """
    dataset = run.facts["dataset"]
    sizes = sorted(((int(quality), size) for quality, size in dataset["mean_jpeg_bytes"].items()), reverse=True)
    table = pd.DataFrame(sizes, columns=["input_quality", "mean_kb"])
    table["mean_kb"] /= KB_BYTES
    table.insert(1, "n_images", dataset["n_images"])
    reference_kb = dataset["mean_jpeg_bytes"].get(str(run.reference_quality), float("nan")) / KB_BYTES
    raw_kb = RAW_BYTES_PER_PIXEL * dataset["size_px"] ** 2 / KB_BYTES
    table["saved_percent"] = 100 * (1 - table["mean_kb"] / reference_kb)
    table["saved_raw_percent"] = 100 * (1 - table["mean_kb"] / raw_kb)
    return table


def trials_table(run: Run) -> pd.DataFrame:
    """Tabulate every record, best monitored margin first and those without one last: outcome, cost, whole spec."""
    with_margin = [record for record in run.records if record.margin is not None]
    without = [record for record in run.records if record.margin is None]
    ordered = [*sorted(with_margin, key=lambda record: (-(record.margin or 0.0), record.trial_id)), *without]
    return pd.DataFrame([_trial_row(record) for record in ordered])


def left_out_lines(run: Run) -> tuple[str, ...]:
    """Say what the run was to compare and did not, a line each: "perceptual: not run, no VGG16 weights"."""
    return tuple(describe_left_out(item) for item in run.facts.get("left_out", []))


def with_left_out(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Return a table of trials with a row for each thing left out of the run: what as its trial_id, why as its status.

    Other cells of such a row are empty.
    """
    rows = [{"trial_id": item["what"], "status": f"not run, {item['why']}"} for item in run.facts.get("left_out", [])]
    return pd.concat([table.convert_dtypes(), pd.DataFrame(rows)], ignore_index=True)  # whole numbers stay whole


def requirements_table(run: Run, comparison: pd.DataFrame, split: str) -> pd.DataFrame:
    """Tabulate what has to be reached on a split: the reference quality's mean of each metric, in each region.

    Returns region, metric, mean, n_images, n_left_out.
    """
    baseline_id = run.baseline.trial_id if run.baseline else None
    rows = comparison[
        (comparison["trial_id"] == baseline_id)
        & (comparison["input_quality"] == run.reference_quality)
        & (comparison["split"] == split)
    ]
    order = [(region, metric) for region in REGIONS for metric in METRICS]
    keys = ["region", "metric"]
    table = rows.set_index(keys)[["mean", "n_images", "n_left_out"]]
    table = table.reindex(pd.MultiIndex.from_tuples(order, names=keys)).reset_index()
    table[["n_images", "n_left_out"]] = table[["n_images", "n_left_out"]].fillna(0).astype(int)
    return table


def _holds(record: TrialRecord, n_images: int, n_left_out: int) -> str:
    if n_images:
        return MEAN
    if n_left_out:
        return ALL_IDENTICAL
    if record.status in (TrialStatus.DIVERGED, TrialStatus.FAILED):
        return record.status.value
    return NOT_SCORED


def _trial_row(record: TrialRecord) -> dict[str, object]:
    spec = asdict(record.spec)
    return {
        "trial_id": record.trial_id,
        "status": record.status.value,
        "epochs_run": record.epochs_run,
        "epochs_allowed": spec.pop("epochs"),
        "margin": record.margin,
        "input_margin": record.input_margin,
        "psnr_gain_db": record.psnr_gain_db,
        "parameters": record.parameters,
        "macs_per_pixel": record.macs_per_pixel,
        "seconds": record.seconds,
        **spec,
        "trained_batch_size": record.trained_batch_size,
        "device": record.device,
        "error": record.error,
    }
