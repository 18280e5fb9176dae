"""The table of networks: what each costs in parameters, arithmetic and bytes."""

import pandas as pd

from analysis.run import Run
from analysis.study import ORDER
from analysis.tables.sizes import KB_BYTES
from analysis.tables.table import Table
from analysis.tables.trials import trials_table

COSTS = ["parameters", "macs_per_pixel", "weights_bytes"]


def network_tables(run: Run) -> dict[str, Table]:
    """Return the table of the networks that were tried."""
    numbers = network_table(run)
    if numbers.empty:
        return {}
    shown = pd.DataFrame(
        {
            "network": numbers["architecture"],
            "parameters": numbers["parameters"].map(_count),
            "MACs per pixel": numbers["macs_per_pixel"].map(_count),
            "GMACs per image": [f"{macs:.2f}" if macs else "unknown" for macs in numbers["image_gmacs"]],
            "file of weights, kB": [f"{size:,.0f}" if size else "unknown" for size in numbers["weights_kb"]],
            "trials": numbers["n_trials"].astype(str),
        }
    )
    below = (
        f"MACs: multiply-accumulates of the convolutions; an image has {run.facts['dataset']['size_px']} x "
        f"{run.facts['dataset']['size_px']} pixels. The file holds the weights alone, in Keras' HDF5 format; 1 kB is "
        f"{KB_BYTES} bytes.",
    )
    return {"networks": Table(numbers, shown, below, "Networks")}


def network_table(run: Run) -> pd.DataFrame:
    """Tabulate the networks that were tried, in their usual order.

    Returns architecture, parameters, macs_per_pixel, weights_bytes, image_gmacs, weights_kb (0 where the run does not
    say), n_trials.
    """
    trials = trials_table(run)
    if trials.empty:
        return trials
    trials = trials[trials["architecture"] != "identity"]
    by_network = trials.groupby("architecture")
    table = by_network[COSTS].max().assign(n_trials=by_network.size())  # a trial that failed has none
    table = table.reindex([name for name in ORDER["architecture"] if name in table.index]).reset_index()
    return table.assign(
        image_gmacs=table["macs_per_pixel"] * run.facts["dataset"]["size_px"] ** 2 / 1e9,
        weights_kb=table["weights_bytes"] / KB_BYTES,
    )


def _count(number: int) -> str:
    return f"{number:,}" if number else "unknown"
