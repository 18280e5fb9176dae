"""Printed means as a study: its trials, what forensics finds about them, and cells that tables are laid out from."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.cell import Row
from analysis.forensics import SWAPPED, Finding, examine
from analysis.labels import METRIC_TITLES
from analysis.study import AXES, Study
from analysis.thesis.reference import REFERENCE_QUALITY, Reference
from models.names import METRIC_DIRECTIONS
from search.spec import TrialStatus

REGION = "full"  # the captions: evaluated on the full size image
TINY_EPOCHS = 30  # Table 5
BOLD = "bold is not the best"
UNKNOWN = ["sd", "low", "high"]


def scored_split(split: str) -> str:
    """Say which images a trial of a split was scored on: tiny has no test images."""
    return "validation" if split == "tiny" else "test"


def means_of(printed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means and trials as `analysis.forensics.examine` takes them; no two trials are of one kin."""
    means = printed[["trial_id", "split", "input_quality", "metric", "mean"]].rename(columns={"trial_id": "trial"})
    trials = printed[["trial_id", "architecture"]].drop_duplicates().set_axis(["trial", "network"], axis=1)
    return means.assign(region=REGION), trials.assign(kin=trials["trial"])


def examine_printed(printed: pd.DataFrame, reference: Reference) -> tuple[Finding, ...]:
    """Examine printed means; what they are compared with is Table 3, and what they have in common."""
    means, trials = means_of(printed)
    inputs = pd.DataFrame(
        [
            {"split": split, "region": REGION, "input_quality": REFERENCE_QUALITY, "metric": metric, "mean": mean}
            for split in printed["split"].unique()
            if split != "tiny"  # Table 3 is of the large splits
            for metric, mean in reference.requirements.items()
        ]
    )
    found = examine(means, trials, inputs, {})
    return (*found, *_examine_bold(printed, reference.bold))


def study_of_printed(printed: pd.DataFrame, findings: Sequence[Finding], reference: Reference) -> Study:
    """Take from printed means what tables need; means of a trial with swapped labels are no rivals of other tables'."""
    unfit = {trial: finding.kind for finding in reversed(findings) if finding.kept_out for trial in finding.trials}
    mislabelled = {trial for finding in findings if finding.kind == SWAPPED for trial in finding.trials}
    trials = printed[["trial_id", "model", "table", *AXES[:1], *AXES[2:]]].drop_duplicates(
        "trial_id", ignore_index=True
    )
    trials = trials.assign(
        global_residual=True, status=str(TrialStatus.COMPLETED), epoch_images=None, margin=np.nan, psnr_gain_db=np.nan
    )
    trials["epochs_run"] = [_epochs(row, reference) for row in trials.to_dict("records")]
    trials["epochs_allowed"] = trials["epochs_run"].where(trials["split"] == "tiny")
    cells = printed[["trial_id", "input_quality", "metric", "mean", "printed"]].assign(
        split=printed["split"].map(scored_split),
        region=REGION,
        n_images=printed["split"].map(reference.n_images).astype(int),
        n_left_out=0,
        mislabelled=printed["trial_id"].isin(mislabelled) & printed["metric"].isin(["mae", "mse"]),
        **dict.fromkeys(UNKNOWN, np.nan),
    )
    return Study(trials, cells, cells.iloc[:0].assign(system=""), unfit, {}, {})


def _epochs(trial: Row, reference: Reference) -> float:
    """Return the epochs run: Table 5 for tiny, Table 7 for data100; data101's are not printed."""
    if trial["split"] == "tiny":
        return TINY_EPOCHS
    model = f"{trial['architecture']}-{trial['training_quality']}"
    return reference.epochs.get(model, np.nan) if trial["split"] == "data100" else np.nan


def _examine_bold(printed: pd.DataFrame, bold: pd.DataFrame) -> list[Finding]:
    """Find numbers set in bold that are not the best of their row."""
    keys = ["table", "training_quality", "loss", "input_quality", "metric"]
    marked = bold.replace({"metric": {"psnr": "psnr_db"}}).assign(value=bold["value"].astype(float))
    told = printed[keys].astype(str).assign(value=printed["mean"])
    is_bold = pd.MultiIndex.from_frame(told).isin(pd.MultiIndex.from_frame(marked[list(told.columns)]))
    signed = printed["mean"] * printed["metric"].map(METRIC_DIRECTIONS)
    row = signed.groupby([printed[name] for name in ("table", "input_quality", "metric")])
    cells = printed.assign(better=printed.loc[row.transform("idxmax"), "printed"].to_numpy())
    findings = []
    for cell in cells[is_bold & (signed < row.transform("max"))].to_dict("records"):
        place = f"{cell['split']} {REGION} at {cell['input_quality']}"
        sentence = (
            f"{cell['trial_id']}: Table {cell['table']} sets its {METRIC_TITLES[cell['metric']]} {cell['printed']} in "
            f"bold, though {cell['better']} stands beside it ({place})"
        )
        findings.append(Finding(BOLD, (cell["trial_id"],), place, sentence))
    return findings
