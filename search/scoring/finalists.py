"""Finalists: the trials whose restorers are scored on test images, for the pick."""

from search.records import TrialRecord
from search.space.spec import TrialStatus


def choose_finalists(records: list[TrialRecord], n_finalists: int) -> list[TrialRecord]:
    """Return the trials with the best monitored margin among those that ran all their epochs.

    Where none did, those that were stopped early stand in. The baseline and what failed, died or diverged never do.
    """
    for status in (TrialStatus.COMPLETED, TrialStatus.STOPPED):
        able = [record for record in records if record.status is status and record.spec.is_trained]
        ranked = sorted((-record.margin, place) for place, record in enumerate(able) if record.margin is not None)
        if ranked:
            return [able[place] for _, place in ranked[:n_finalists]]
    return []
