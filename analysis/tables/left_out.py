"""What a run was to compare and did not: lines below its tables, and rows of their CSV files."""

from dataclasses import replace

import pandas as pd

from analysis.run import Run
from analysis.tables.table import Table
from search.records import describe_left_out


def left_out_lines(run: Run) -> tuple[str, ...]:
    """Say what the run was to compare and did not, a line each: "perceptual: not run, no VGG16 weights"."""
    return tuple(describe_left_out(item) for item in run.facts.get("left_out", []))


def with_left_out(table: Table, run: Run) -> Table:
    """Return a table of trials with what was left out of the run: lines below it, and a row each among its numbers.

    Such a row has what as its trial_id, why as its status, and nothing else; a table without trials has none.
    """
    lines, numbers = left_out_lines(run), table.numbers
    rows = [{"trial_id": item["what"], "status": f"not run, {item['why']}"} for item in run.facts.get("left_out", [])]
    if rows and "trial_id" in numbers:
        numbers = pd.concat([numbers.astype(object), pd.DataFrame(rows, dtype=object)], ignore_index=True)
    return replace(table, numbers=numbers, below=(*table.below, *lines))
