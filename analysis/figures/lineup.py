"""Which trials a figure of scores shows, and on which images they can be compared."""

from dataclasses import dataclass

import pandas as pd

from analysis.figures.canvas import COLOURS
from analysis.findings import Findings
from analysis.run import RunError
from search.records import TrialRecord


@dataclass(frozen=True)
class Lineup:
    """JPEG as it is and the trials beside it, best first. n_more: trials that would have been shown, had there been
    colours for them."""

    jpeg: TrialRecord
    trials: tuple[TrialRecord, ...]
    n_more: int = 0

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return (self.jpeg, *self.trials)

    def further(self) -> str:
        """Say what is not shown, empty where all is."""
        return f" Further trials, in the tables: {self.n_more}." if self.n_more else ""


def line_up(findings: Findings, figure: str) -> Lineup:
    """Choose what a figure shows: JPEG as it is, the best trial, and the next best of those trained on the same split.

    Raises RunError, naming the figure, where the run has no JPEG as it is or no trial with scores.
    """
    run, best = findings.run, findings.best
    if run.baseline is None or best is None:
        raise RunError(f"No {figure}: it takes JPEG as it is and a trial, both scored.")
    same = [record for record in run.baselines if record.spec.split == best.spec.split]
    ranked = run.finalists or run.alive
    others = [record for record in ranked if record != best and record.spec.split == best.spec.split]
    trials = (best, *others)
    return Lineup((same or run.baselines)[0], trials[: len(COLOURS)], len(trials[len(COLOURS) :]))


def shared_rows(scores: pd.DataFrame, lineup: Lineup, split: str) -> tuple[pd.DataFrame, int]:
    """Keep the scores of a line-up, each quality and region on the images that all who were scored there have.

    Returns the rows, and the number of images and regions of which some are left out for want of a partner.
    """
    ids = [record.trial_id for record in lineup.records]
    rows = scores[scores["trial_id"].isin(ids) & (scores["split"] == split)]
    place = ["input_quality", "region"]
    n_scored = rows.groupby([*place, "trial_id"], observed=True).size().groupby(place, observed=True).size()
    n_sharing = rows.groupby([*place, "image"], observed=True)["image"].transform("size")
    wanted = n_scored.reindex(pd.MultiIndex.from_frame(rows[place].astype({"region": str}))).to_numpy()
    is_shared = n_sharing.to_numpy() == wanted
    n_unshared = len(rows.loc[~is_shared, ["image", "region"]].drop_duplicates())
    return rows[is_shared], n_unshared
