"""What a run was to compare and did not: lines below its tables, and rows of their CSV files."""

import pandas as pd

from analysis.run import Run
from search.records import describe_left_out


def left_out_lines(run: Run) -> tuple[str, ...]:
    """Say what the run was to compare and did not, a line each: "perceptual: not run, no VGG16 weights"."""
    return tuple(describe_left_out(item) for item in run.facts.get("left_out", []))


def with_left_out(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Return a table of trials with a row for each thing left out of the run: what as its trial_id, why as its status.

    Other cells of such a row are empty.
    """
    rows = [{"trial_id": item["what"], "status": f"not run, {item['why']}"} for item in run.facts.get("left_out", [])]
    return pd.concat([table.convert_dtypes(), pd.DataFrame(rows)], ignore_index=True)  # whole numbers stay whole
