"""The tables of configurations: with which settings the trials of each split were trained, what varied and what not."""

from dataclasses import fields
from typing import Any

import pandas as pd

from analysis.run import Run
from analysis.study import AXES
from analysis.tables.table import Table
from analysis.tables.trials import trials_table
from search.spec import TrialSpec

N_VALUES_LISTED = 4  # of more, the range or the number
SETTINGS = {
    **{"training_images": "training images", "epoch_images": "images in an epoch", "epochs_allowed": "epochs at most"},
    **{
        "crop_px": "side of the training crop, px",
        "patience": "patience, epochs",
        "clip_norm": "largest gradient norm",
    },
}
NONE = {"patience": "none: every epoch is trained", "epoch_images": "all", "clip_norm": "not clipped", "parent": "none"}


def configuration_tables(run: Run) -> dict[str, Table]:
    """Return the table of configurations; none without trials."""
    numbers = configuration_table(run)
    if numbers.empty:
        return {}
    wide = numbers.pivot(index="setting", columns="split", values="values").reindex(numbers["setting"].unique())
    shown = wide.fillna("not run").reset_index()
    shown["setting"] = [SETTINGS.get(name, name.replace("_", " ")) for name in shown["setting"]]
    below = ("How many trials had a value stands behind it where there are several. tables/trials.csv has each spec.",)
    return {"configuration": Table(numbers, shown.rename_axis(columns=None), below, "Configuration, by training split")}


def configuration_table(run: Run) -> pd.DataFrame:
    """Tabulate the settings of the trials of each split: setting, split, n_values, values (in words)."""
    trials = trials_table(run)
    if trials.empty or (trials["architecture"] == "identity").all():
        return pd.DataFrame()
    trials = trials[trials["architecture"] != "identity"]
    names = [name if name != "epochs" else "epochs_allowed" for name in (field.name for field in fields(TrialSpec))]
    ordered = [*(axis for axis in AXES if axis != "split"), *(name for name in names if name not in AXES)]
    splits = run.facts["dataset"].get("splits", {})
    rows = []
    for split, own in trials.groupby("split", sort=False):
        subsets = splits.get(split, {}).get("subsets", run.facts["dataset"]["subsets"])
        rows.append(_row("training_images", str(split), 1, f"{subsets.get('train', 0):,}"))
        for name in ordered:
            values = own[name].astype(object).where(own[name].notna(), None)
            rows.append(_row(name, str(split), values.nunique(dropna=False), _describe(name, values)))
    return pd.DataFrame(rows)


def _row(setting: str, split: str, n_values: int, values: str) -> dict[str, Any]:
    return {"setting": setting, "split": split, "n_values": n_values, "values": values}


def _describe(name: str, values: "pd.Series[Any]") -> str:
    """Say a value, or several with their counts, or their range where they are many."""
    counts = values.value_counts(dropna=False)
    if len(counts) == 1:
        return _word(name, counts.index[0])
    if len(counts) <= N_VALUES_LISTED or not all(isinstance(value, int | float) for value in counts.index):
        return ", ".join(f"{_word(name, value)} ({count})" for value, count in counts.items())
    return f"{_word(name, min(counts.index))} to {_word(name, max(counts.index))} ({len(counts)} values)"


def _word(name: str, value: Any) -> str:
    if value is None:
        return NONE.get(name, "none")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
