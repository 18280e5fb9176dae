"""Who is shown in a figure, and the rows of scores that all of them share."""

from dataclasses import dataclass

import pandas as pd

from analysis.figures.picture import counted
from analysis.figures.style import COLOURS
from analysis.findings import Findings
from analysis.run import LINEAR
from search.records import TrialRecord


@dataclass(frozen=True)
class Compared:
    """JPEG as it is and the trials beside it, best first, on a split that all of them have scores on.

    n_more: trials that would have been shown, had there been colours for them; suspects: those kept out, and why.
    """

    split: str
    jpeg: TrialRecord
    trials: tuple[TrialRecord, ...]
    n_more: int = 0
    suspects: tuple[str, ...] = ()

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return (self.jpeg, *self.trials)

    def further(self) -> str:
        """Say what is not shown, and why; empty where all is."""
        more = counted("Further trials, in the tables", self.n_more)
        return more + (f" Not shown, being suspect: {'; '.join(self.suspects)}." if self.suspects else "")


def compared(findings: Findings, split: str | None = None) -> Compared | str:
    """Choose what a figure shows: JPEG as it is, the best trial, and the next best of those trained on the same split.

    The linear filter is among them where there is one. split: whose scores, by default test images where the best trial
    has scores of them, else validation. Returns the reason where the run has no JPEG as it is or no trial with scores.
    """
    run, best = findings.run, findings.best
    jpeg = run.baseline_of(best)
    if jpeg is None or best is None:
        return "it takes JPEG as it is and a trial, both scored"
    split = split or ("test" if run.has_scores(best, "test") else "validation")
    others = [record for record in findings.able(split) if record.spec.split == best.spec.split]
    ranked = {record.trial_id: record for record in (best, *others)}
    linear = [trial for trial, record in ranked.items() if record.spec.architecture == LINEAR][:1]
    kept = {*linear, *[trial for trial in ranked if trial not in linear][: len(COLOURS) - len(linear)]}
    trials = tuple(record for trial, record in ranked.items() if trial in kept)
    odd = [record.trial_id for record in run.trials if run.has_scores(record, split)]
    suspects = tuple(f"{trial} ({why})" for trial, why in findings.suspects.items() if trial in odd)
    return Compared(split, jpeg, trials, len(ranked) - len(trials), suspects)


def shared_rows(scores: pd.DataFrame, shown: Compared) -> tuple[pd.DataFrame, int]:
    """Keep the scores of what is compared, each quality and region on the images that all who were scored there have.

    Returns the rows, and the number of images and regions of which some are left out for want of a partner.
    """
    ids = [record.trial_id for record in shown.records]
    rows = scores[scores["trial_id"].isin(ids) & (scores["split"] == shown.split)]
    place = ["input_quality", "region"]
    wanted = rows.groupby(place, observed=True)["trial_id"].transform("nunique").astype(int)
    is_shared = rows.groupby([*place, "image"], observed=True)["image"].transform("size") == wanted
    n_unshared = len(rows.loc[~is_shared, ["image", "region"]].drop_duplicates())
    return rows[is_shared], n_unshared
