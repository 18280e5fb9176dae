"""What a run says of the images it was made with: systems, splits, and which of them show the same field."""

from collections.abc import Callable
from pathlib import Path

from datasets.packed import PackedDataset, group_images
from datasets.whole_file import write_whole
from search.scoring.score_files import scores_to_bytes

IMAGES_FILE = "images.parquet"


def describe_images(run: Path, pack: PackedDataset, say: Callable[[str], None]) -> None:
    """Write a row per image of the pack into the run, unless it is there. Raises OSError.

    group: the first image that shows the same field; a column per split: the image's subset.
    """
    if (run / IMAGES_FILE).exists():
        return
    say(f"looking for images of the same field among {len(pack.names)}")
    groups = group_images(pack).tolist()
    subsets = {split: subset.tolist() for split, subset in pack.subsets.items()}
    columns = {"name": pack.names, "system": pack.systems, "group": groups, **subsets}
    rows = [
        {"image": image, **dict(zip(columns, row, strict=True))}
        for image, row in enumerate(zip(*columns.values(), strict=True))
    ]
    write_whole(run / IMAGES_FILE, scores_to_bytes(rows))
