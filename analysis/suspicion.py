"""What forensics finds in a run, and whom it keeps out of "best"."""

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.forensics import Finding, examine, split_leaks
from analysis.run import Run
from search.records import TrialRecord


def examine_run(run: Run, comparison: pd.DataFrame) -> tuple[Finding, ...]:
    """Examine the trials of a run by their means, and its splits by the fields that the images show.

    comparison: as `analysis.comparison.compare` returns it.
    """
    trained = {record.trial_id: record for record in run.trials}
    means = _placed(comparison, run.records)
    is_trial = means["trial"].isin(list(trained))
    rows = [
        {"trial": trial_id, "network": record.spec.architecture, "kin": _kin(record, trained)}
        for trial_id, record in trained.items()
    ]
    trials = pd.DataFrame(rows, columns=["trial", "network", "kin"])
    statuses = {trial_id: record.status.value for trial_id, record in trained.items()}
    found = examine(means[is_trial], trials, means[~is_trial].drop(columns="trial"), statuses)
    return (*found, *split_leaks(run.images.table))


def reasons(findings: Sequence[Finding]) -> Mapping[str, str]:
    """Return why trials are kept out of "best": trial -> the kinds of what was found, "dead, duplicated"."""
    kinds: dict[str, list[str]] = {}
    for finding in findings:
        for trial in finding.trials if finding.kept_out else ():
            kinds.setdefault(trial, []).append(finding.kind)
    return {trial: ", ".join(dict.fromkeys(found)) for trial, found in kinds.items()}


def _placed(comparison: pd.DataFrame, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Return means with the split that a trial was made on in the name of theirs: each split has its own images."""
    made_on = {record.trial_id: record.spec.split for record in records}
    several = len(set(made_on.values())) > 1
    means = comparison[["trial_id", "split", "region", "input_quality", "metric", "mean"]]
    means = means.rename(columns={"trial_id": "trial"})
    return means.assign(split=means["trial"].map(made_on) + " " + means["split"]) if several else means


def _kin(record: TrialRecord, trained: Mapping[str, TrialRecord]) -> str:
    """Return the oldest trial whose state a trial went on from: itself, mostly."""
    while (parent := trained.get(record.spec.parent or "")) is not None:
        record = parent
    return record.trial_id
