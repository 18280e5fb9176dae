"""The scores of a run: every score file in one table, small enough for hundreds of trials, each row checked."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.checks import one_line
from models.names import METRICS, REGIONS, REPORTED_METRICS
from search.records import TrialRecord
from search.space.spec import TrialStatus

ROW_KEY = ["image", "split", "input_quality", "region"]
NEEDED = {
    **{"image": pa.int32(), "split": pa.string(), "input_quality": pa.int16(), "region": pa.string()},
    **{"jpeg_bytes": pa.int32(), **dict.fromkeys(METRICS, pa.float64())},
}
# A file may lack them; its rows then have none.
OPTIONAL = {"name": pa.string(), "system": pa.string()}
SCORE_COLUMNS = (*NEEDED, *OPTIONAL)
# They lie in the files too; no table reads them yet, so they do not fill memory.
UNUSED = {"crop_px", "worst_window_psnr_db", *(f"{metric}_raw" for metric in REPORTED_METRICS)}
SPLITS = ("test", "validation")
NO_CELLS = "its cells say 'not scored'"


def read_scores(path: Path, records: Sequence[TrialRecord]) -> tuple[pd.DataFrame, list[str]]:
    """Read the score files of a run's records; returns the table, see `analysis.run.Run`, and what is to be told."""
    parts, notes = [], []
    strange, absent = Counter[str](), Counter[str]()
    for record in sorted(records, key=lambda record: record.trial_id):
        file = path / "scores" / f"{record.trial_id}.parquet"
        if not file.is_file():
            notes += _missing_notes(record)
            continue
        try:
            part, unknown, lacking = _read_part(file)
        except (OSError, ValueError, pa.ArrowException) as error:
            notes.append(f"The scores of {record.trial_id} cannot be read ({one_line(error)}): {NO_CELLS}.")
            continue
        strange.update(unknown)
        absent.update(lacking)
        part, row_notes = _checked_rows(part, record.trial_id)
        notes += row_notes
        if not len(part):
            notes.append(f"The scores of {record.trial_id} hold no row that can be used: {NO_CELLS}.")
            continue
        parts.append(part.append_column("trial_id", pa.array([record.trial_id] * len(part)).dictionary_encode()))
    if strange:
        notes.append(f"Columns of score files that this version does not know are not used: {_listed(strange)}.")
    if absent:
        notes.append(f"Where score files lack a value, 'unknown' stands for it: {_listed(absent)}.")
    return _to_frame(parts), [*notes, *_unclaimed_notes(path, records)]


def _listed(columns: Counter[str]) -> str:
    return ", ".join(f"{name} (in {count} files)" for name, count in sorted(columns.items()))


def _read_part(file: Path) -> tuple[pa.Table, list[str], list[str]]:
    """Read a score file; returns its known columns, the names of the others, and of those that lack words.

    Raises ValueError with the reason where it is no such file.
    """
    found = pq.read_schema(file).names
    lacking = [name for name in NEEDED if name not in found]
    if lacking:
        raise ValueError(f"it has no column {', '.join(lacking)}")
    table = pq.read_table(file, columns=[name for name in SCORE_COLUMNS if name in found], use_threads=False)
    columns = {name: _column(table, name, kind) for name, kind in {**NEEDED, **OPTIONAL}.items()}
    others = [name for name in found if name not in SCORE_COLUMNS and name not in UNUSED]
    unknown = [name for name in OPTIONAL if name not in found or table.column(name).null_count]
    return pa.table(columns), others, unknown


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    is_there = name in table.column_names
    column = table.column(name).cast(kind) if is_there else pa.chunked_array([pa.nulls(len(table), kind)])
    if name in (*ROW_KEY, "jpeg_bytes") and column.null_count:
        raise ValueError(f"column {name} lacks {column.null_count} values")
    return column.fill_null("unknown").dictionary_encode() if kind == pa.string() else column


def _checked_rows(part: pa.Table, trial_id: str) -> tuple[pa.Table, list[str]]:
    """Leave out rows that are there twice, or of a split, region or quality that this version does not know."""
    keys = part.select(ROW_KEY).to_pandas()
    repeated = keys.duplicated()
    known = keys["split"].isin(SPLITS) & keys["region"].isin(REGIONS) & keys["input_quality"].between(1, 100)
    notes = []
    if repeated.any():
        notes.append(f"The scores of {trial_id} repeat {repeated.sum()} rows; each counts once.")
    if not known.all():
        odd = keys.loc[~known, ["split", "region", "input_quality"]].iloc[0].tolist()
        notes.append(
            f"Rows of the scores of {trial_id} that this version does not know are not used: {(~known).sum()}, such as "
            f"{', '.join(map(str, odd))}."
        )
    return (part.filter(pa.array(known & ~repeated)) if notes else part), notes


def _to_frame(parts: list[pa.Table]) -> pd.DataFrame:
    """Put the files' rows together: words as categories in alphabetical order, numbers no larger than they need be."""
    kinds = {**NEEDED, **OPTIONAL, "trial_id": pa.string()}
    words = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([(name, words if kind == pa.string() else kind) for name, kind in kinds.items()])
    table = pa.concat_tables([schema.empty_table(), *parts]).unify_dictionaries()
    del parts[:]  # the table holds them, column by column; each is freed as the frame takes it
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    for name in frame.columns[frame.dtypes == "category"]:
        frame[name] = frame[name].cat.reorder_categories(sorted(frame[name].cat.categories))
    return frame


def _missing_notes(record: TrialRecord) -> list[str]:
    is_screened = not record.spec.is_trained and record.spec.encoder is not None
    if record.status in (TrialStatus.FAILED, TrialStatus.DIVERGED) or record.spec.is_baseline or is_screened:
        return []  # failed, diverged and screened trials may have none; the baseline has a note of its own
    return [f"{record.trial_id} has a record but no score file: {NO_CELLS}."]


def _unclaimed_notes(path: Path, records: Collection[TrialRecord]) -> list[str]:
    known = {record.trial_id for record in records}
    unclaimed = sorted(file.stem for file in (path / "scores").glob("*.parquet") if file.stem not in known)
    if not unclaimed:
        return []
    return [f"Score files without a record, of trials that have not ended, are not used: {', '.join(unclaimed)}."]
