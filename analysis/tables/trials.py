"""The table of trials: outcome, cost and whole spec of each."""

from dataclasses import asdict

import pandas as pd

from analysis.run import Run
from search.records import TrialRecord


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
        "seconds": record.seconds,
        **spec,
        "trained_batch_size": record.trained_batch_size,
        "device": record.device,
        "error": record.error,
    }
