"""The score files of a run: rows of scores as the bytes of a parquet file and back."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]


def scores_to_bytes(rows: list[Row]) -> bytes:
    """Return rows as the bytes of a parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def scores_from_bytes(data: bytes) -> list[Row]:
    """Read what scores_to_bytes returned."""
    rows: list[Row] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


def worst_images(data: bytes, split: str, quality: int) -> list[int]:
    """List the images of a split in a score file, that of the largest MSE at a quality first, over the whole image."""
    wanted = [("split", "==", split), ("region", "==", "full"), ("input_quality", "==", quality)]
    table = pq.read_table(io.BytesIO(data), columns=["image", "mse"], filters=wanted)
    images: list[int] = table.sort_by([("mse", "descending"), ("image", "ascending")])["image"].to_pylist()
    return images
