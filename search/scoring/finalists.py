"""Finalists: the trials whose restorers are scored on test images, for the pick."""

from search.records import TrialRecord, best_first
from search.space.spec import TrialStatus

ABLE = ((TrialStatus.COMPLETED, TrialStatus.PAUSED), (TrialStatus.STOPPED,))


def choose_finalists(records: list[TrialRecord], n_finalists: int) -> list[TrialRecord]:
    """Return the best trials, of those that ran all their epochs or were paused where the search ended.

    Where none did, those that were stopped early stand in. The baseline and what failed, died or diverged never do.
    """
    for statuses in ABLE:
        ranked = best_first(record for record in records if record.status in statuses)
        if ranked:
            return ranked[:n_finalists]
    return []
