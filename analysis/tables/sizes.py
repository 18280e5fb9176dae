"""The tables of JPEG files by quality, of the whole dataset and by camera system."""

import numpy as np
import pandas as pd

from analysis.cell import Row, show_percent
from analysis.moments import Cells, moments
from analysis.run import Run
from analysis.tables.table import Table

KB_BYTES = 1000
RAW_BYTES_PER_PIXEL = 3
UNITS = "1 kB is 1000 bytes; raw is three bytes a pixel."


def size_tables(run: Run) -> dict[str, Table]:
    """Return the table over every image of the dataset, and the one by camera system over those that were scored."""
    sizes, by_system = size_table(run), system_size_table(run)
    title, quality = "JPEG files by quality", run.reference_quality
    scored = f"{UNITS} Over the images that were scored: the mean ± half of its 95 % interval (standard deviation)."
    return {
        "sizes": Table(sizes, show_sizes(sizes, quality), (f"{UNITS} Over every image of the dataset.",), title),
        "sizes_by_system": Table(by_system, show_sizes(by_system, quality), (scored,), f"{title} and camera system"),
    }


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
    return _with_savings(table, reference_kb, dataset["size_px"])


def system_size_table(run: Run) -> pd.DataFrame:
    """Tabulate the JPEG files by camera system and quality, over the images that JPEG as it is was scored on.

    Returns the columns of `size_table` after system, with sd_kb, low_kb and high_kb, the 95 % interval of the mean.
    """
    scores = run.scores
    is_baseline = scores["trial_id"].isin([record.trial_id for record in run.baselines])
    files = scores.loc[is_baseline, ["system", "input_quality", "image", "jpeg_bytes"]]
    files = files.drop_duplicates(["input_quality", "image"])
    groups = files.groupby(["system", "input_quality"], observed=True)
    found = moments(
        files["jpeg_bytes"].to_numpy(np.float64) / KB_BYTES, Cells(groups.ngroups, groups.ngroup().to_numpy())
    )
    table = (
        groups.size()
        .index.to_frame(index=False)
        .assign(n_images=found.n, mean_kb=found.mean, sd_kb=found.sd, low_kb=found.low, high_kb=found.high)
    )
    table["system"] = table["system"].astype(str)
    reference = table[table["input_quality"] == run.reference_quality].set_index("system")["mean_kb"]
    table = _with_savings(table, table["system"].map(reference).astype(float), run.facts["dataset"]["size_px"])
    return table.sort_values(["system", "input_quality"], ascending=[True, False], ignore_index=True)


def show_sizes(table: pd.DataFrame, reference_quality: int) -> pd.DataFrame:
    """Lay a table of sizes out, a row per quality, or per system and quality."""
    return pd.DataFrame(
        {
            **({"system": table["system"]} if "system" in table else {}),
            "quality": table["input_quality"].astype(str),
            "mean size, kB": [_show_size(row) for row in table.to_dict("records")],
            f"saved against JPEG-{reference_quality}": table["saved_percent"].map(show_percent),
            "saved against raw": table["saved_raw_percent"].map(show_percent),
            "images": table["n_images"].astype(str),
        }
    )


def _with_savings(table: pd.DataFrame, reference_kb: "float | pd.Series[float]", size_px: int) -> pd.DataFrame:
    raw_kb = RAW_BYTES_PER_PIXEL * size_px**2 / KB_BYTES
    return table.assign(
        saved_percent=100 * (1 - table["mean_kb"] / reference_kb),
        saved_raw_percent=100 * (1 - table["mean_kb"] / raw_kb),
    )


def _show_size(row: Row) -> str:
    mean = f"{row['mean_kb']:.2f}"
    if "sd_kb" not in row:
        return mean
    return (
        f"{mean} (one image)"
        if pd.isna(row["sd_kb"])
        else (f"{mean} ±{row['high_kb'] - row['mean_kb']:.2f} ({row['sd_kb']:.2f})")
    )
