"""Finalists: the trials whose restorers are scored on test images, for the pick."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from search.records import TrialRecord, best_first, read_records
from search.space.spec import TrialSpec, TrialStatus
from search.trial.store import SCORES, LocalStore

ABLE = ((TrialStatus.COMPLETED, TrialStatus.PAUSED), (TrialStatus.STOPPED,))


def choose_finalists(records: list[TrialRecord], n_finalists: int) -> list[TrialRecord]:
    """Return the best trials, of those that ran all their epochs or were paused where the search ended.

    What differs by its seed alone stays together, so there may be some more: first those trained with several seeds, by
    their mean, then the others. Where no trial ran to its end, those that were stopped early stand in. The baseline and
    what failed, died or diverged never do.
    """
    for statuses in ABLE:
        ranked = best_first(record for record in records if record.status in statuses)
        if ranked:
            chosen: list[TrialRecord] = []
            for seeds in _settings(ranked):
                if len(chosen) < n_finalists:
                    chosen += seeds
            return chosen
    return []


def choose_tested(run: Path, n_finalists: int) -> list[TrialRecord]:
    """Return what is scored on test images of a run: its finalists, and the filters beside them that were scored."""
    records, store = read_records(run), LocalStore(run)
    finalists = choose_finalists(records, n_finalists)
    scored = [record for record in records if store.path(record.trial_id, SCORES).exists()]
    return [*finalists, *choose_filters(scored, finalists)]


def choose_filters(records: Iterable[TrialRecord], finalists: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the linear filters that stand beside finalists on test images, of those among the records.

    The best of each split, and that of each finalist's own split, files and training quality.
    """
    untrained = (record for record in records if not (record.spec.is_trained or record.spec.returns_input))
    filters = sorted(untrained, key=_value)
    best = {record.spec.split: record for record in reversed(filters) if record.spec.encoder is None}
    own = {_trained_on(record.spec) for record in finalists}
    return [record for record in filters if record is best.get(record.spec.split) or _trained_on(record.spec) in own]


def _trained_on(spec: TrialSpec) -> tuple[Any, ...]:
    return spec.split, spec.encoder, spec.training_quality


def _settings(ranked: Iterable[TrialRecord]) -> list[list[TrialRecord]]:
    """Return the trials of each setting, the best setting first."""
    by_setting: dict[TrialSpec, list[TrialRecord]] = {}
    for record in ranked:
        by_setting.setdefault(replace(record.spec, seed=0), []).append(record)
    settings = list(by_setting.values())
    values = {id(seeds): mean(_value(record) for record in seeds) for seeds in settings}
    return sorted(settings, key=lambda seeds: (len(seeds) == 1, values[id(seeds)]))


def _value(record: TrialRecord) -> float:
    """Return what is ranked by, lower is better; of runs of earlier versions the margin."""
    return record.bytes_at_parity if record.bytes_at_parity is not None else -(record.margin or 0.0)
