"""What a search measured of other codecs and of restoring: files of a run, read and checked."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.checks import one_line
from analysis.records import RESUME
from analysis.run import Run
from models.names import METRICS, REGIONS

CODECS_FILE, RESTORING_FILE = "codecs.parquet", "restoring.parquet"
CODEC_KINDS = {
    **{"codec": pa.string(), "setting": pa.int64(), "not_run": pa.string(), "image": pa.int64(), "region": pa.string()},
    **dict.fromkeys(("file_bytes", "encode_ms", "decode_ms", *METRICS), pa.float64()),
}
RESTORING_KINDS = {
    **{"trial_id": pa.string(), "image": pa.int64(), "restore_ms": pa.float64(), "device": pa.string()},
    "n_threads": pa.int64(),
    **dict.fromkeys(("encode_ms", "decode_ms"), pa.float64()),
}
LATER = {CODECS_FILE: ("encode_ms",), RESTORING_FILE: ("encode_ms", "decode_ms")}  # earlier versions have it not


def read_measured(path: Path, kinds: Mapping[str, pa.DataType]) -> pd.DataFrame:
    """Read the columns of a file, cast to their kinds. Raises ValueError with the reason where it is no such file."""
    if not path.is_file():
        raise ValueError(f"the run has no {path.name}, which the search writes when it ends; {RESUME} RUN does.")
    try:
        names = pq.read_schema(path).names
        missing = [name for name in kinds if name not in (*names, *LATER[path.name])]
        found = {name: kind for name, kind in kinds.items() if name in names}
        table = pa.table({}) if missing else pq.read_table(path, columns=list(found)).cast(pa.schema(found))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"{path.name} cannot be read ({one_line(error)}).") from error
    if missing:
        raise ValueError(f"{path.name} has no column {', '.join(missing)}.")
    frame: pd.DataFrame = table.to_pandas()
    return frame.reindex(columns=list(kinds))


def whole_rows(table: pd.DataFrame, file: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep the rows that have a value that can be in every column but the LATER ones, and say how many have none."""
    judged = table.drop(columns=list(LATER[file]))
    usable = judged.notna().all(axis=1)
    for name in judged.select_dtypes("number").columns:
        usable &= np.isfinite(table[name]) | ((table[name] > 0) & (name == "psnr_db"))  # of an identical image
    if "region" in table:
        usable &= table["region"].isin(REGIONS)
    n_left_out = int((~usable).sum())
    note = f"Rows of {file} that lack a value or hold one that cannot be are not used: {n_left_out}."
    return table[usable].reset_index(drop=True), (note,) if n_left_out else ()


def read_restoring(run: Run) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return how long each finalist's restoring takes, by trial_id: restore_ms, restored_on, and of its own files
    own_encode_ms, own_decode_ms.

    Medians over images, as a machine may do other work beside; restore_ms over the trials of one network, too, which
    all do the same.
    """
    try:
        rows, odd = whole_rows(read_measured(run.path / RESTORING_FILE, RESTORING_KINDS), RESTORING_FILE)
    except ValueError as error:
        empty = pd.DataFrame(columns=["restore_ms", "restored_on", "own_encode_ms", "own_decode_ms"])
        return empty, (f"How long restoring takes is unknown: {error}",) if run.finalists else ()
    threads = rows["n_threads"].astype(int).map(lambda n: f"{n} thread{'s' if n > 1 else ''}").astype(str)
    rows["restored_on"] = rows["device"].where(rows["device"] != "CPU", "CPU, " + threads)
    networks = {record.trial_id: str((record.spec.architecture, record.spec.size)) for record in run.trials}
    same = [rows["trial_id"].map(lambda name: networks.get(name, name)).astype(str), rows["restored_on"]]
    rows["restore_ms"] = rows.groupby(same)["restore_ms"].transform("median")
    own = {name: (name.removeprefix("own_"), "median") for name in ("own_encode_ms", "own_decode_ms")}
    firsts = {name: (name, "first") for name in ("restore_ms", "restored_on")}
    return rows.groupby("trial_id").agg(**firsts, **own), odd
