"""Which trials a figure of scores shows, and on which images they can be compared."""

from dataclasses import dataclass

import pandas as pd

from analysis.figures.canvas import COLOURS
from analysis.findings import Findings
from analysis.run import RunError
from search.records import TrialRecord
from search.spec import TrialStatus

ALIVE = (TrialStatus.COMPLETED, TrialStatus.STOPPED)  # as `analysis.run.Run.alive`


@dataclass(frozen=True)
class Lineup:
    """JPEG as it is and the trials beside it, best first, on a split that all of them have scores on.

    n_more: trials that would have been shown, had there been colours for them; n_suspect: those kept out as suspect.
    """

    split: str
    jpeg: TrialRecord
    trials: tuple[TrialRecord, ...]
    n_more: int = 0
    n_suspect: int = 0

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return (self.jpeg, *self.trials)

    def further(self) -> str:
        """Say what is not shown, empty where all is."""
        more = f" Further trials, in the tables: {self.n_more}." if self.n_more else ""
        return more + (f" Suspect trials, in the tables alone: {self.n_suspect}." if self.n_suspect else "")


def line_up(findings: Findings, figure: str, split: str | None = None) -> Lineup:
    """Choose what a figure shows: JPEG as it is, the best trial, and the next best of those trained on the same split.

    split: whose scores it shows, by default test images where the best trial has scores of them, else validation.
    Raises RunError, naming the figure, where the run has no JPEG as it is or no trial with scores.
    """
    run, best = findings.run, findings.best
    if run.baseline is None or best is None:
        raise RunError(f"No {figure}: it takes JPEG as it is and a trial, both scored.")
    split = split or ("test" if best in run.candidates else "validation")
    ranked = run.candidates if split == "test" else run.alive
    able = run.finalists if split == "test" else [record for record in run.trials if record.status in ALIVE]
    n_suspect = sum(record.trial_id in run.suspects for record in able)
    jpeg = next((record for record in run.baselines if record.spec.split == best.spec.split), run.baseline)
    trials = (best, *(record for record in ranked if record != best and record.spec.split == best.spec.split))
    return Lineup(split, jpeg, trials[: len(COLOURS)], len(trials[len(COLOURS) :]), n_suspect)


def shared_rows(scores: pd.DataFrame, lineup: Lineup) -> tuple[pd.DataFrame, int]:
    """Keep the scores of a line-up, each quality and region on the images that all who were scored there have.

    Returns the rows, and the number of images and regions of which some are left out for want of a partner.
    """
    ids = [record.trial_id for record in lineup.records]
    rows = scores[scores["trial_id"].isin(ids) & (scores["split"] == lineup.split)]
    place = ["input_quality", "region"]
    n_scored = rows.groupby([*place, "trial_id"], observed=True).size().groupby(place, observed=True).size()
    n_sharing = rows.groupby([*place, "image"], observed=True)["image"].transform("size")
    wanted = n_scored.reindex(pd.MultiIndex.from_frame(rows[place].astype({"region": str}))).to_numpy()
    is_shared = n_sharing.to_numpy() == wanted
    n_unshared = len(rows.loc[~is_shared, ["image", "region"]].drop_duplicates())
    return rows[is_shared], n_unshared
