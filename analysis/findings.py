"""Everything a run says, worked out once: comparison, pick, tables and notes. The report and the terminal show it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from analysis import display
from analysis.comparison import compare, comparison_notes
from analysis.pick import Pick, candidates, choose
from analysis.run import Run
from analysis.tables.left_out import left_out_lines
from analysis.tables.quality import columns_of, quality_table
from analysis.tables.requirements import requirements_table
from analysis.tables.sizes import size_table
from analysis.tables.trials import trials_table
from models.names import REGIONS
from search.records import TrialRecord


@dataclass(frozen=True)
class Table:
    """A table twice: numbers for a machine, and the same as strings for a reader; below: lines to read with it."""

    numbers: pd.DataFrame
    shown: pd.DataFrame
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What a run says.

    tables: by the name of their files; a table that would be empty is not there.
    best: the trial that figures show: the pick's, else the best finalist, else the best trial that was scored.
    notes: the run's own, then those of its scores.
    """

    run: Run
    comparison: pd.DataFrame
    pick: Pick
    best: TrialRecord | None
    tables: Mapping[str, Table]
    notes: tuple[str, ...]


def find(run: Run) -> Findings:
    """Work out what a run says."""
    comparison = compare(run.scores, [record.trial_id for record in run.baselines], run.reference_quality)
    pick = choose(run, comparison)
    notes = (*run.notes, *comparison_notes(comparison))
    return Findings(run, comparison, pick, _best(run, pick), _tables(run, comparison, pick), notes)


def _best(run: Run, pick: Pick) -> TrialRecord | None:
    shown = [*run.finalists, *run.alive]
    picked = [record for record in shown if record.trial_id == pick.trial_id]
    return next(iter([*picked, *shown]), None)


def _tables(run: Run, comparison: pd.DataFrame, pick: Pick) -> dict[str, Table]:
    sizes, trials = size_table(run), trials_table(run)
    requirements = requirements_table(run, comparison, run.deciding_split)
    listed = candidates(run, comparison)
    evidence = pd.DataFrame([dict(row) for row in pick.evidence])
    below = left_out_lines(run)
    tables = {
        "sizes": Table(sizes, display.show_sizes(sizes, run.reference_quality), below),
        "trials": Table(trials, display.show_trials(trials), below),
        "requirements": Table(requirements, display.show_requirements(requirements), below),
        "candidates": Table(listed, display.show_candidates(listed), below),
    }
    if not evidence.empty:
        tables["evidence"] = Table(evidence, display.show_evidence(evidence), below)
    for split in ("test", "validation"):
        for region in REGIONS:
            records = columns_of(run, split)
            numbers = quality_table(comparison, records, split, region)
            shown = display.show_quality(numbers, records)
            tables[f"quality_{split}_{region}"] = Table(numbers, shown, below)
    return {name: table for name, table in tables.items() if not table.numbers.empty}
