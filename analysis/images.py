"""The images of a run: their subsets of each split, and which of them show the same field."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.checks import one_line

IMAGES_FILE = "images.parquet"
NEEDED = ["image", "group"]
OTHERS = ["name", "system"]
UNKNOWN = "every image counts as evidence of its own, and whether both sides of a split show one field is unknown."


@dataclass(frozen=True)
class Images:
    """What a run says of its images.

    table: image, group, name, system and a column per split with the subset; empty where the run does not say.
    groups: image -> the first image of the same field, empty where every image shows its own.
    """

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=NEEDED))
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> list[str]:
        return [str(name) for name in self.table.columns if name not in (*NEEDED, *OTHERS)]

    @property
    def groups(self) -> Mapping[int, int]:
        shared = self.table["group"].duplicated(keep=False)
        return dict(zip(self.table["image"], self.table["group"], strict=True)) if shared.any() else {}

    def fields_of(self, images: "pd.Series[int]") -> "pd.Series[int]":
        """Return the group of each image; an image of which nothing is known is a group of its own."""
        groups = self.groups
        return images.map(groups).fillna(images).astype(int) if groups else images

    def validated(self, splits: Collection[str] | None) -> frozenset[int]:
        """Return the images of the fields that a split validates on; of every split where none is named."""
        named = [split for split in self.splits if splits is None or split in splits]
        chosen = (self.table[named] == "validation").any(axis=1) if named else self.table["image"].isin([])
        of_field = self.table["group"].isin(self.table.loc[chosen, "group"])
        return frozenset(self.table.loc[of_field, "image"].astype(int))


def read_images(path: Path) -> Images:
    """Read what a run says of its images; nothing, with a note of the reason, where it does not or is damaged."""
    file = path / IMAGES_FILE
    if not file.is_file():
        return Images(notes=(f"The run has no {IMAGES_FILE}, which the search writes when it ends: {UNKNOWN}",))
    try:
        table = pq.read_table(file).to_pandas()
        lacking = [name for name in NEEDED if name not in table]
        if lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        table[NEEDED] = table[NEEDED].astype("int64")
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        return Images(notes=(f"{IMAGES_FILE} cannot be read ({one_line(error)}): {UNKNOWN}",))
    return Images(table)
