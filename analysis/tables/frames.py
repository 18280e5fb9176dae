"""The frames of numbers behind the tables that set models beside each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL
from analysis.run import LINEAR
from analysis.statistics import Grouping, means_of
from analysis.study import is_filter
from analysis.tables.layout import MEAN, mark_of, shown_systems, with_holds
from models.names import METRICS
from search.records import TrialRecord

N_TRIALS = 24  # that a table has a column or rows for, the best; cells.parquet holds all
TIED_METRICS = ("psnr_db", "ssim")


def columns_of(findings: Findings, split: str, n_trials: int = N_TRIALS) -> list[TrialRecord]:
    """Return the models compared on a split: JPEG as it is on each split, then the best trials (on test finalists)."""
    run = findings.run
    trials = run.finalists if split == "test" else run.trials
    return [*run.baselines, *trials[:n_trials]]


def models_frame(findings: Findings, split: str, region: str, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Tabulate every quality and metric for every model, highest quality first; no cell is absent.

    Qualities at which none of the trials was scored are left out where any was. Returns what `cells_of` does, and
    status, improved_percent (of n_changed), holds: MEAN, or why there is none.
    """
    by_id, cells = {record.trial_id: record for record in records}, findings.cells
    rows = shown_systems(cells[(cells["split"] == split) & (cells["region"] == region)])
    tried = rows["trial_id"].isin([name for name, record in by_id.items() if not record.spec.is_baseline])
    qualities = sorted((rows[tried] if tried.any() else rows)["input_quality"].unique(), reverse=True)
    order: dict[str, Any] = {"system": sorted(rows["system"].unique()), "input_quality": qualities, "metric": METRICS}
    order["trial_id"] = list(by_id)
    places = pd.MultiIndex.from_product(list(order.values()), names=list(order))
    table = rows.set_index(list(order)).reindex(places).reset_index()
    table["reaches"] = table["reaches"].eq(True)
    table["status"] = table["trial_id"].map({name: record.status.value for name, record in by_id.items()})
    table["improved_percent"] = 100 * table["n_improved"] / table["n_changed"].where(table["n_changed"] > 0)
    return with_holds(table)


def changes_frame(findings: Findings, split: str, region: str) -> pd.DataFrame:
    """Return `models_frame` of the trials alone; nothing where no input of theirs was scored."""
    records = [record for record in columns_of(findings, split) if not record.spec.is_baseline]
    table = models_frame(findings, split, region, records)
    return table if table["n_changed"].sum() else table.iloc[:0]


def matrix_frame(findings: Findings, split: str) -> pd.DataFrame:
    """Tabulate networks beside each other, whole images of a split: a row per quality, network, loss, training quality.

    JPEG as it is stands in every column, the linear filter in those of its own training quality. Returns input_quality,
    made_on (the split trained on), network, loss, training_quality, psnr_db, ssim, margin (the smallest of four),
    n_images, trial_id, status, unfit, n_trials, share (of the reference's bytes at parity), is_measured, holds, mark,
    is_best, has_best_share.
    """
    cells, keys = findings.cells, ["trial_id", "input_quality"]
    whole = cells[(cells["split"] == split) & (cells["region"] == "full") & (cells["system"] == ALL)]
    if findings.study.trials.empty or whole.empty:
        return pd.DataFrame()
    means = whole.pivot(index=keys, columns="metric", values="mean")[list(TIED_METRICS)]
    means["n_images"] = whole[whole["metric"] == "psnr_db"].set_index(keys)["n_images"]
    means["margin"] = whole.groupby(keys)["margin"].min(skipna=False)
    rows = _matrix_rows(findings)
    is_trial = rows["network"] != BASELINE_LABEL
    scored = means.index.get_level_values(0).isin(rows.loc[is_trial, "trial_id"])
    qualities = sorted(means[scored].index.unique(1), reverse=True)
    parity = findings.parity
    shares = parity[(parity["split"] == split) & (parity["system"] == ALL)][["trial_id", "share", "is_measured"]]
    table = pd.DataFrame({"input_quality": qualities}).merge(rows, how="cross")
    table = with_holds(table.merge(means.reset_index(), on=keys, how="left").merge(shares, on="trial_id", how="left"))
    is_trial, fit = table["network"] != BASELINE_LABEL, table["unfit"] == ""
    for name, values in (("is_best", table["margin"]), ("has_best_share", -table["share"])):
        values = values.where(is_trial & fit)
        table[name] = values == values.groupby([table["input_quality"], table["made_on"]]).transform("max")
    return table if (is_trial & (table["holds"] == MEAN)).any() else table.iloc[:0]


def _matrix_rows(findings: Findings) -> pd.DataFrame:
    """Return a row for every place of the matrix that a chosen trial, JPEG as it is or the linear filter fills."""
    study, run = findings.study, findings.run
    chosen = study.chosen
    trained = chosen[~chosen["architecture"].map(is_filter)]
    columns = (trained if len(trained) else chosen)[["loss", "training_quality"]].drop_duplicates()
    order = [study.rank(axis, columns[axis]) for axis in ("loss", "training_quality")]
    columns = columns.iloc[pd.MultiIndex.from_arrays(order).argsort()]
    made_on = chosen["split"].unique()
    of_split = {record.spec.split: record for record in (*run.baselines[:1], *run.baselines)}
    jpeg = [(split, of_split.get(split, next(iter(run.baselines), None))) for split in made_on]
    rows = [(split, BASELINE_LABEL, record.trial_id, "completed", "", 1) for split, record in jpeg if record]
    names = ["split", "network", "trial_id", "status", "unfit", "n_trials"]
    linear = chosen[chosen["architecture"] == LINEAR].drop_duplicates(["split", "training_quality"])
    settings = ("architecture", "output_activation", "global_residual")
    labels = [_network(*setting) for setting in trained[list(settings)].itertuples(index=False, name=None)]
    parts = [
        pd.DataFrame(rows, columns=names).merge(columns, how="cross"),
        columns.merge(linear.assign(network="linear filter")[[*names, "training_quality"]], on="training_quality"),
        trained.assign(network=labels)[[*names, "loss", "training_quality"]],
    ]
    table = pd.concat(parts, ignore_index=True).rename(columns={"split": "made_on"})
    table = table.iloc[study.rank("split", table["made_on"]).argsort(kind="stable")]
    under = table["trial_id"].isin(findings.under_linear)
    marks = [mark_of(row) for row in table[["status", "unfit"]].to_dict("records")]
    return table.assign(mark=[f"{mark}{'↓' * is_under}" for mark, is_under in zip(marks, under, strict=True)])


def _network(architecture: str, activation: str, predicts_residual: bool) -> str:
    return ", ".join(
        filter(None, (architecture, "" if activation == "none" else activation, "" if predicts_residual else "direct"))
    )


def ties_frame(findings: Findings) -> pd.DataFrame:
    """Compare the best N_TRIALS of each split that can be the best with the best of them, on whole validation images.

    Returns trained_on, input_quality, metric, trial_id, n_images, n_fields, difference, low, high, is_best, tied (None
    where there are too few fields to tell); best first.
    """
    run, parts = findings.run, []
    able = pd.Series({record.trial_id: record.spec.split for record in findings.able("validation")}, dtype=object)
    scores = run.scores[(run.scores["split"] == "validation") & (run.scores["region"] == "full")]
    for split, own in able.groupby(able):
        rows = scores[scores["trial_id"].isin(own.index[:N_TRIALS])]
        for quality, at_quality in rows.groupby("input_quality", sort=True) if len(own) > 1 else ():
            for metric in TIED_METRICS:
                wide = at_quality.pivot_table(index="trial_id", columns="image", values=metric, observed=True)
                part = _differences(findings, wide.replace([np.inf, -np.inf], np.nan))
                parts.append(part.assign(trained_on=split, input_quality=int(str(quality)), metric=metric))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _differences(findings: Findings, wide: pd.DataFrame) -> pd.DataFrame:
    """Compare rows of scores, trial x image, with the best of them."""
    scores, means = wide.to_numpy(np.float64), wide.mean(axis=1).to_numpy()
    best = int(np.nanargmax(means)) if np.isfinite(means).any() else 0
    fields = pd.factorize(findings.run.images.fields_of(pd.Series(wide.columns.astype(int))))[0]
    gaps = scores - scores[best]
    rows, columns = np.nonzero(np.isfinite(gaps))
    found = means_of(gaps[rows, columns], Grouping(len(wide), rows, rows * wide.shape[1] + fields[columns]))
    table = pd.DataFrame({"trial_id": wide.index.astype(str), "n_images": found.n, "n_fields": found.n_groups})
    table = table.assign(difference=found.mean, low=found.low, high=found.high, is_best=np.arange(len(table)) == best)
    is_tied = (table["low"] <= 0) & (table["high"] >= 0)
    table["tied"] = is_tied.astype(object).where(table["low"].notna(), None)
    return table.sort_values("difference", ascending=False, ignore_index=True)
