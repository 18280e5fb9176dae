"""The table of JPEG files by quality."""

import pandas as pd

from analysis.run import Run

KB_BYTES = 1000
RAW_BYTES_PER_PIXEL = 3


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
