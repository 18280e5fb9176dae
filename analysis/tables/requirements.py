"""The tables of requirements: what has to be reached, of all images and by camera system."""

import pandas as pd

from analysis.cell import SPREAD, left_out_legend, show_spread
from analysis.labels import METRIC_TITLES
from analysis.run import Run
from analysis.tables.table import Table
from models.names import METRICS, REGIONS


def requirements_tables(run: Run, comparison: pd.DataFrame, by_system: pd.DataFrame) -> dict[str, Table]:
    """Return what has to be reached on the split that decides."""
    split = run.deciding_split
    title = f"What has to be reached: the means of JPEG-{run.reference_quality} over the {split} images"
    tables = {}
    for ending, cells in (("", comparison), ("_by_system", by_system)):
        numbers = requirements_table(run, cells, split)
        heading = f"{title}, by camera system" if ending else title
        tables[f"requirements{ending}"] = Table(
            numbers, show_requirements(numbers), (SPREAD, *left_out_legend(numbers)), heading
        )
    return tables


def requirements_table(run: Run, cells: pd.DataFrame, split: str) -> pd.DataFrame:
    """Tabulate what has to be reached on a split: the reference quality's mean of each metric, in each region.

    cells: as `analysis.comparison.compare` returns them. A run that trains on two splits has two sets of images.
    Returns trained_on, (system,) region, metric, mean, sd, low, high, n_images, n_left_out; where nothing was scored
    a mean is NaN, over no images.
    """
    measured = ["mean", "sd", "low", "high", "n_images", "n_left_out"]
    by_system = ["system"] if "system" in cells else []
    parts = []
    for record in run.baselines:
        rows = cells[
            (cells["trial_id"] == record.trial_id)
            & (cells["input_quality"] == run.reference_quality)
            & (cells["split"] == split)
        ]
        order = {name: sorted(rows[name].unique()) for name in by_system}
        order |= {"region": list(REGIONS), "metric": list(METRICS)}
        index = pd.MultiIndex.from_product(list(order.values()), names=list(order))
        parts.append(rows.set_index(list(order))[measured].reindex(index).reset_index())
        parts[-1].insert(0, "trained_on", record.spec.split)
    if not parts:
        return pd.DataFrame(columns=["trained_on", *by_system, "region", "metric", *measured])
    table = pd.concat(parts, ignore_index=True)
    table[["n_images", "n_left_out"]] = table[["n_images", "n_left_out"]].fillna(0).astype(int)
    return table


def show_requirements(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a `requirements_table` out, a row per split, system and region."""
    names = [name for name in ("trained_on", "system", "region") if name in table]
    rows = []
    for values, group in table.groupby(names):
        row = {name.replace("_", " "): str(value) for name, value in zip(names, values, strict=True)}
        row |= {METRIC_TITLES[cell["metric"]]: show_spread(cell) for cell in group.to_dict("records")}
        rows.append(row | {"images": str(group["n_images"].min())})
    return pd.DataFrame(rows)
