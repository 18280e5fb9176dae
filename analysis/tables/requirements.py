"""The table of requirements: what has to be reached."""

import pandas as pd

from analysis.run import Run
from models.names import METRICS, REGIONS


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
