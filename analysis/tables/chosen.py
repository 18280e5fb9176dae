"""The trial that stands for a cell where several share it: seeds, learning rates, trials that Optuna drew."""

import numpy as np
import pandas as pd

from analysis.study import AXES, Study

RULE = (
    "Where several trials share a cell, one stands for them: of those that are neither dead, diverged, failed nor "
    "suspect the longest trained, of these the one with the best margin on validation images."
)


def chosen_trials(study: Study) -> pd.DataFrame:
    """Choose a trial for each combination of AXES that was tried, by RULE.

    Returns AXES, trial_id, status, epochs_run, epochs_allowed, unfit ("" or why), and n_trials that share the cell.
    """
    trials = study.trials.assign(unfit=[study.unfit.get(name, "") for name in study.trials["trial_id"]])
    trials["is_fit"] = trials["unfit"] == ""
    trials["images_seen"] = trials["epochs_run"].fillna(0) * trials["epoch_images"].fillna(np.inf)
    trials["images_seen"] = trials["images_seen"].fillna(0)  # no epoch of all images
    ranked = trials.sort_values(
        ["is_fit", "images_seen", "epochs_run", "margin", "trial_id"], ascending=[False, False, False, False, True]
    )
    ranked["n_trials"] = ranked.groupby(list(AXES), sort=False)["trial_id"].transform("size")
    first = ranked.drop_duplicates(list(AXES))
    return first[[*AXES, "trial_id", "status", "epochs_run", "epochs_allowed", "unfit", "n_trials"]]
