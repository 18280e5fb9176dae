"""The verdict on restoring: whether another codec needs fewer bytes to be as good as JPEG-75."""

import pandas as pd

from analysis.cell import Row
from analysis.pick import N_REQUIREMENTS
from analysis.rivals import CODEC, RESTORED, title_of

# What a file has to reach of the reference's means.
PSNR, ALL_MEANS = "mean PSNR", f"all {N_REQUIREMENTS} means"
BARS = (PSNR, ALL_MEANS)
REFERENCE = "the reference"
MEASURED = "mean"  # what a row holds that was measured


def verdicts(table: pd.DataFrame, reference_quality: int) -> tuple[str, ...]:
    """Say for each of BARS, in a sentence, whether another codec beats restoring."""
    return tuple(_verdict(table[table["bar"] == bar], bar, reference_quality) for bar in BARS)


def _verdict(rows: pd.DataFrame, bar: str, reference_quality: int) -> str:
    measured = rows[rows["holds"] == MEASURED].sort_values("saved_percent", ascending=False)
    codecs = measured[(measured["kind"] == CODEC) & (measured["saved_percent"] > 0)].to_dict("records")
    restored = next(iter(measured[measured["kind"] == RESTORED].to_dict("records")), None)
    by = f"at equal or better {bar}" if bar == PSNR else f"with {bar} at least as good"
    if restored is None:
        ends = "; no finalist restores a smaller JPEG to that."
        return (_needs(codecs[0], reference_quality, by) + ends) if codecs else f"No way to save bytes {by} was found."
    restoring = f"restoring from quality {restored['setting']:.0f} ({_saved(restored)}{_speed(restored)})"
    better = [row for row in codecs if row["saved_percent"] > restored["saved_percent"]]
    if not better:
        others = f"; the best of them: {_needs(codecs[0], reference_quality, by)}" if codecs else ""
        return f"No other codec beats {restoring} {by}{others}."
    also = "".join(f"; so is {title_of(row)} at {row['setting']:.0f} ({_saved(row)})" for row in better[1:])
    return f"{_needs(better[0], reference_quality, by)}: better than {restoring}{also}."


def _needs(row: Row, reference_quality: int, by: str) -> str:
    return (
        f"{title_of(row)} at quality {row['setting']:.0f} needs {_saved(row)} fewer bytes than "
        f"JPEG-{reference_quality} {by}"
    )


def _saved(row: Row) -> str:
    return f"{row['saved_percent']:.1f} %"


def _speed(row: Row) -> str:
    if pd.isna(row["restore_ms"]):
        return ""
    return f", {row['restore_ms']:.0f} ms an image on {row['restored_on']}"
