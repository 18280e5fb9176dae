"""The table of trials: outcome, cost and whole spec of each."""

from dataclasses import asdict

import pandas as pd

from analysis.cell import show_signed
from analysis.labels import BASELINE_LABEL
from analysis.run import Run
from analysis.tables.table import Table
from search.records import TrialRecord


def trials_tables(run: Run) -> dict[str, Table]:
    """Return the table of every trial."""
    numbers = trials_table(run)
    return {"trials": Table(numbers, show_trials(numbers), (), "All trials")}


def trials_table(run: Run) -> pd.DataFrame:
    """Tabulate every record, best monitored margin first and those without one last: outcome, cost, whole spec."""
    with_margin = [record for record in run.records if record.margin is not None]
    without = [record for record in run.records if record.margin is None]
    ordered = [*sorted(with_margin, key=lambda record: (-(record.margin or 0.0), record.trial_id)), *without]
    return pd.DataFrame([_trial_row(record) for record in ordered])


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
        "weights_bytes": record.weights_bytes,
        "seconds": record.seconds,
        **spec,
        "trained_batch_size": record.trained_batch_size,
        "device": record.device,
        "error": record.error,
    }


def show_trials(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a `trials_table` out with what tells one trial from another; the CSV file holds the whole spec."""
    epochs = [f"{run}/{allowed}" for run, allowed in zip(table["epochs_run"], table["epochs_allowed"], strict=True)]
    return pd.DataFrame(
        {
            "trial": table["trial_id"],
            "status": table["status"],
            "epochs": epochs,
            "margin": table["margin"].map(show_signed),
            "its input's": table["input_margin"].map(show_signed),
            "PSNR gain, dB": table["psnr_gain_db"].map(show_signed),
            "network": table["architecture"].replace("identity", BASELINE_LABEL),
            "loss": table["loss"],
            "activation": table["output_activation"],
            "trained at": table["training_quality"].astype(str),
            "parameters": table["parameters"].map("{:,}".format),
            "seconds": table["seconds"].map("{:.0f}".format),
        }
    )
