"""Everything a run says, worked out once: comparison, pick, tables and notes. The report and the terminal show it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from analysis import display
from analysis.comparison import compare, comparison_notes
from analysis.decision import strict_table
from analysis.paired import gains_over_reference
from analysis.pick import Pick, candidates, choose
from analysis.rivals import read_rivals
from analysis.run import Run
from analysis.strict import StrictPick, choose_strictly
from analysis.study import study_of
from analysis.suspicion import examine_run, reasons
from analysis.tables.book import run_tables, study_tables
from analysis.tables.forensics import forensics_tables
from analysis.tables.left_out import with_left_out
from analysis.tables.quality import quality_tables
from analysis.tables.relative import relative_tables
from analysis.tables.requirements import requirements_tables
from analysis.tables.rivals import rivals_tables
from analysis.tables.sizes import size_tables
from analysis.tables.table import Table
from analysis.tables.ties import ties_tables
from analysis.tables.trials import trials_tables
from search.records import TrialRecord


@dataclass(frozen=True)
class Findings:
    """What a run says.

    pick, strict: the decision by means, and by what can be shown.
    tables: by the name of their files; a table that would be empty is not there.
    best: the trial that figures show: the pick's, else the best finalist, else the best trial that was scored.
    notes: the run's own, then those of its scores.
    """

    run: Run
    comparison: pd.DataFrame
    pick: Pick
    strict: StrictPick
    best: TrialRecord | None
    tables: Mapping[str, Table]
    notes: tuple[str, ...]


def find(run: Run) -> Findings:
    """Work out what a run says."""
    baselines = [record.trial_id for record in run.baselines]
    groups = run.images.groups or None
    comparison = compare(run.scores, baselines, run.reference_quality, groups=groups)
    by_system = compare(run.scores, baselines, run.reference_quality, by_system=True, groups=groups)
    odd = examine_run(run, comparison)
    run = replace(run, suspects=reasons(odd))
    pick, strict = choose(run, comparison), choose_strictly(run)
    rivals = read_rivals(run)
    notes = (*run.notes, *comparison_notes(comparison), *rivals.notes)
    tables = {
        **_tables(run, comparison, by_system, pick),
        **strict_table(strict),
        **forensics_tables(odd, len(run.trials)),
        **rivals_tables(run, rivals, pick),
    }
    return Findings(run, comparison, pick, strict, _best(run, pick), tables, notes)


def _best(run: Run, pick: Pick) -> TrialRecord | None:
    shown = [*run.candidates, *run.alive]
    picked = [record for record in shown if record.trial_id == pick.trial_id]
    return next(iter([*picked, *shown]), None)


def _tables(run: Run, comparison: pd.DataFrame, by_system: pd.DataFrame, pick: Pick) -> dict[str, Table]:
    study = study_of(run, comparison, by_system, run.suspects)
    of_trials = {
        **trials_tables(run),
        **study_tables(study),
        **quality_tables(run, comparison, by_system),
        **relative_tables(run, comparison, by_system),
        **ties_tables(run),
        **_pick_tables(run, candidates(run, comparison), pick),
    }
    tables = {
        **size_tables(run),
        **run_tables(run),
        **requirements_tables(run, comparison, by_system),
        **{name: with_left_out(table, run) for name, table in of_trials.items() if not table.numbers.empty},
    }
    return {name: table for name, table in tables.items() if not table.numbers.empty}


def _pick_tables(run: Run, listed: pd.DataFrame, pick: Pick) -> dict[str, Table]:
    tables = {"candidates": Table(listed, display.show_candidates(listed))}
    if pick.evidence:
        rows = pd.DataFrame([dict(row) for row in pick.evidence])
        gains = gains_over_reference(run, str(rows["trial_id"][0]), int(rows["input_quality"][0]))
        evidence = rows.merge(gains, on=["region", "metric"], how="left")
        tables["evidence"] = Table(evidence, display.show_evidence(evidence))
    return tables
