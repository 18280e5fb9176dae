"""The tables of splits: how many images are trained on, validated on, tested on, and how many of these are scored."""

import pandas as pd

from analysis.run import Run
from analysis.tables.table import Table

SUBSETS = ("train", "validation", "test")
FIELDS = "Images of one field of view resemble one another, and are no independent evidence."


def split_tables(run: Run) -> dict[str, Table]:
    """Return the table of the splits that the run used, and the one by camera system where it says which images."""
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
    title = "Images of each split"
    by_system = split_system_table(run)
    told = by_system.astype(str).rename(columns={"n_images": "images", "n_fields": "fields of view"})
    return {
        "splits": Table(numbers, shown, below if is_tiny else (), title),
        "splits_by_system": Table(by_system, told, (FIELDS,), f"{title}, by camera system"),
    }


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


def split_system_table(run: Run) -> pd.DataFrame:
    """Tabulate the images of each split and subset by camera system, where the run says which they are.

    Returns split, subset, system, n_images, n_fields (groups of images that show the same field).
    """
    images = run.images.table
    parts = []
    for split in split_table(run)["split"].unique():
        if split in images and "system" in images:
            counted = images[images[split].isin(SUBSETS)].groupby([split, "system"], observed=True)
            table = counted.agg(n_images=("image", "size"), n_fields=("group", "nunique"))
            table = table.reindex([subset for subset in SUBSETS if subset in table.index], level=0).reset_index()
            parts.append(table.rename(columns={split: "subset"}).assign(split=split))
    columns = ["split", "subset", "system", "n_images", "n_fields"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
