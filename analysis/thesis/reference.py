"""The constants that the thesis prints beside its tables of means: Tables 1 to 4 and 7, and what it sets in bold."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

from analysis.thesis.printed import METRICS

REFERENCE_QUALITY = 75
TINY, LARGE = ("tinydata", "validation"), ("data100 data101", "test")  # rows of Table 2 that were scored


@dataclass(frozen=True)
class Reference:
    """What the thesis prints besides.

    requirements: Table 3, metric -> the mean of JPEG-75 over whole images. sizes_kb: Table 1, quality -> mean size of
    a file, kB of 1000 bytes. n_images: Table 2, split -> images that were scored. epochs: Table 7, model -> epochs run.
    rows: all of it as shipped; bold: the numbers that are set in bold.
    """

    requirements: Mapping[str, float]
    sizes_kb: Mapping[int, float]
    n_images: Mapping[str, int]
    epochs: Mapping[str, int]
    rows: pd.DataFrame
    bold: pd.DataFrame


def read_reference() -> Reference:
    """Read the constants that are shipped beside this file."""
    rows = _read("thesis_reference.csv")
    value = rows.set_index(["table", "row", "column"])["value"].astype(float).to_dict()
    by_row = {table: rows[rows["table"] == table] for table in ("1", "7")}
    images = {
        split: int(value[("2", *(TINY if split == "tiny" else LARGE))]) for split in ("tiny", "data100", "data101")
    }
    return Reference(
        requirements={ours: value[("3", printed, "full360")] for printed, ours in METRICS.items()},
        sizes_kb={int(quality): value[("1", quality, "mean_size")] for quality in by_row["1"]["row"].unique()},
        n_images=images,
        epochs={model.lower(): int(value[("7", model, "epochs")]) for model in by_row["7"]["row"]},
        rows=rows,
        bold=_read("thesis_bold.csv"),
    )


def _read(name: str) -> pd.DataFrame:
    with (files("analysis") / "thesis" / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str)
