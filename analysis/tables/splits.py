"""The table of splits: how many images are trained on, validated on, tested on, and how many of these are scored."""

import pandas as pd

from analysis.run import Run
from analysis.tables.table import Table

SUBSETS = ("train", "validation", "test")


def split_tables(run: Run) -> dict[str, Table]:
    """Return the table of the splits that the run used."""
    numbers = split_table(run)
    shown = pd.DataFrame(
        {
            "split": numbers["split"],
            "subset": numbers["subset"],
            "images": numbers["n_images"].map("{:,}".format),
            "scored": ["trained on" if row.subset == "train" else f"{row.n_scored:,}" for row in numbers.itertuples()],
        }
    )
    below = ("tiny has no test images of its own: data101's stand in, and it never draws from them.",)
    is_tiny = (numbers["split"] == "tiny").any()
    return {"splits": Table(numbers, shown, below if is_tiny else (), "Images of each split")}


def split_table(run: Run) -> pd.DataFrame:
    """Tabulate the subsets of each split: split, subset, n_images, n_scored (0 of those trained on)."""
    dataset = run.facts["dataset"]
    splits = dataset.get("splits") or {dataset["split"]: {"subsets": dataset["subsets"], "scored": dataset["scored"]}}
    return pd.DataFrame(
        [
            {
                "split": split,
                "subset": subset,
                "n_images": told["subsets"].get(subset, 0),
                "n_scored": told["scored"].get(subset, 0),
            }
            for split, told in splits.items()
            for subset in SUBSETS
        ]
    )
