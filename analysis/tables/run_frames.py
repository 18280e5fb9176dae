"""The frames of numbers behind the tables of what a run was made of."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.findings import Findings
from analysis.records import settings_of
from analysis.statistics import Grouping, means_of, on_front
from analysis.study import AXES, trials_frame
from analysis.tables.layout import MEASURED, with_holds
from models.names import METRICS, REGIONS

SUBSETS = ("train", "validation", "test")
KB_BYTES = 1000
RAW_BYTES_PER_PIXEL = 3
N_VALUES_LISTED = 4  # of more, the range or the number
NO_VALUE = {"patience": "none: every epoch is trained", "epoch_images": "all", "clip_norm": "not clipped"}


def requirements_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate what has to be reached on the deciding split: the reference's mean of each metric, in each region.

    Returns trained_on, system, region, metric, MEASURED, holds.
    """
    run, cells = findings.run, findings.cells
    trained_on = cells["trial_id"].map({record.trial_id: record.spec.split for record in run.baselines})
    is_reference = (cells["input_quality"] == run.reference_quality) & (cells["split"] == run.deciding_split)
    table = with_holds(cells.assign(trained_on=trained_on, status="")[is_reference & trained_on.notna()])
    ranks = {name: place for place, name in enumerate((*reversed(REGIONS), *METRICS))}
    order = table.assign(**{name: table[name].map(ranks) for name in ("region", "metric")})
    table = table.loc[order.sort_values(["trained_on", "system", "region", "metric"], kind="stable").index]
    return table[["trained_on", "system", "region", "metric", *MEASURED, "holds"]].reset_index(drop=True)


def sizes_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the JPEG files by quality, highest first, over every image of the dataset.

    Returns input_quality, n_images, mean_kb (of 1000 bytes), saved_percent (against the reference quality) and
    saved_raw_percent (against 3 bytes a pixel).
    """
    dataset = findings.run.facts["dataset"]
    sizes = sorted(((int(quality), size) for quality, size in dataset["mean_jpeg_bytes"].items()), reverse=True)
    table = pd.DataFrame(sizes, columns=["input_quality", "mean_kb"]).assign(n_images=dataset["n_images"], system=ALL)
    table["mean_kb"] /= KB_BYTES
    return _with_savings(table, findings).drop(columns="system")


def system_sizes_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the JPEG files by camera system and quality, over the images that JPEG as it is was scored on.

    Returns the columns of `sizes_frame` after system, with n_fields, sd_kb, low_kb and high_kb, the 95 % interval.
    """
    run, scores = findings.run, findings.run.scores
    files = scores[scores["trial_id"].isin([record.trial_id for record in run.baselines])]
    files = files.drop_duplicates(["input_quality", "image"])
    groups = files.groupby(["system", "input_quality"], observed=True)
    fields = groups.ngroup() * len(scores) + pd.factorize(run.images.fields_of(files["image"].astype(int)))[0]
    cells = Grouping(groups.ngroups, groups.ngroup().to_numpy(), pd.factorize(fields)[0])
    found = means_of(files["jpeg_bytes"].to_numpy(np.float64) / KB_BYTES, cells)
    table = groups.size().index.to_frame(index=False).astype({"system": str})
    table = table.assign(n_images=found.n, n_fields=found.n_groups, mean_kb=found.mean, sd_kb=found.sd)
    table = _with_savings(table.assign(low_kb=found.low, high_kb=found.high), findings)
    return table.sort_values(["system", "input_quality"], ascending=[True, False], ignore_index=True)


def _with_savings(table: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    run = findings.run
    reference = table[table["input_quality"] == run.reference_quality].set_index("system")["mean_kb"]
    raw_kb = RAW_BYTES_PER_PIXEL * run.facts["dataset"]["size_px"] ** 2 / KB_BYTES
    return table.assign(
        saved_percent=100 * (1 - table["mean_kb"] / table["system"].map(reference).astype(float)),
        saved_raw_percent=100 * (1 - table["mean_kb"] / raw_kb),
    )


def splits_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the subsets of each split: split, subset, system (ALL, or each where the run tells), n_images, n_scored
    (None of those trained on, and by system), n_fields (groups of images that show the same field)."""
    dataset, images = findings.run.facts["dataset"], findings.run.images.table
    splits = dataset.get("splits") or {dataset["split"]: dataset}
    rows = []
    for split, facts in splits.items():
        for subset in SUBSETS:
            own = images[images[split] == subset] if split in images else images.iloc[:0]
            n_scored = None if subset == "train" else facts["scored"].get(subset, 0)
            n_fields = own["group"].nunique() if len(own) else None
            rows.append((split, subset, ALL, facts["subsets"].get(subset, 0), n_scored, n_fields))
            for system, part in own.groupby("system") if "system" in own else ():
                rows.append((split, subset, str(system), len(part), None, part["group"].nunique()))
    table = pd.DataFrame(rows, columns=["split", "subset", "system", "n_images", "n_scored", "n_fields"])
    return table.astype({"n_scored": "Int64", "n_fields": "Int64"})


def networks_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the networks that were tried.

    Returns architecture, parameters, macs_per_pixel, weights_bytes, image_gmacs, weights_kb (NaN where the run does not
    say), n_trials, n_under_linear.
    """
    trials, costs = findings.study.trials, ["parameters", "macs_per_pixel", "weights_bytes"]
    if trials.empty:
        return trials
    by_network = trials.assign(under=trials["trial_id"].isin(findings.under_linear)).groupby("architecture")
    table = by_network[costs].max().replace(0, np.nan)  # a trial that failed has none
    table = table.assign(n_trials=by_network.size(), n_under_linear=by_network["under"].sum())
    table = table.reindex([name for name in findings.study.values("architecture") if name in table.index])
    return table.reset_index().assign(
        image_gmacs=table["macs_per_pixel"].to_numpy() * findings.run.facts["dataset"]["size_px"] ** 2 / 1e9,
        weights_kb=table["weights_bytes"].to_numpy() / KB_BYTES,
    )


def configuration_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the settings of the trials of each split: setting, split, n_values, values (in words).

    A setting that no trial has is left out.
    """
    trials, dataset = findings.study.trials, findings.run.facts["dataset"]
    if trials.empty:
        return trials
    names = dict.fromkeys(name for record in findings.run.trials for name in settings_of(record))
    names = dict.fromkeys([*AXES, *("epochs_allowed" if name == "epochs" else name for name in names)])
    rows: list[tuple[str, str, int, str]] = []
    for split, own in trials.groupby("split", sort=False):
        subsets = dataset.get("splits", {}).get(split, dataset)["subsets"]
        rows.append(("training_images", str(split), 1, f"{subsets.get('train', 0):,}"))
        for name in names:
            values = own[name].astype(object).where(own[name].notna(), None)
            if name != "split" and (values.notna().any() or name in NO_VALUE):
                rows.append((name, str(split), values.nunique(dropna=False), _describe(name, values)))
    return pd.DataFrame(rows, columns=["setting", "split", "n_values", "values"])


def _describe(name: str, values: "pd.Series[Any]") -> str:
    """Say a value, or several with their counts, or their range where they are many."""
    counts = values.value_counts(dropna=False)
    if len(counts) == 1:
        return _word(name, counts.index[0])
    if len(counts) <= N_VALUES_LISTED or not all(isinstance(value, int | float) for value in counts.index):
        return ", ".join(f"{_word(name, value)} ({count})" for value, count in counts.items())
    return f"{_word(name, min(counts.index))} to {_word(name, max(counts.index))} ({len(counts)} values)"


def _word(name: str, value: Any) -> str:
    if value is None:
        return NO_VALUE.get(name, "none")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def all_trials_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate every record in the order of `Run.trials`, with what it is suspect of."""
    run, parity = findings.run, findings.parity
    shares = parity[(parity["split"] == "validation") & (parity["system"] == ALL)].set_index("trial_id")["share"]
    table = trials_frame(sorted([*run.trials, *run.baselines], key=run.ranking.key))
    return table.assign(
        parity=table["trial_id"].map(shares),
        suspect=[findings.suspects.get(trial_id, "") for trial_id in table["trial_id"]],
        under_linear=table["trial_id"].isin(findings.under_linear),
    )


def front_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the trials that none beats in bytes at parity and in what restoring costs, fewest bytes first.

    Returns trial_id, bytes_at_parity, macs_per_pixel, restore_ms, fronts (the costs it is on the front of); nothing
    where records have no bytes at parity.
    """
    trials = findings.study.trials
    if not findings.run.ranking.by_parity:
        return trials.iloc[:0]
    able = trials[~trials["trial_id"].isin(list(findings.study.unfit)) & trials["merit"].notna()]
    fronts = {
        "MACs": on_front(able["macs_per_pixel"].replace(0, np.nan), able["merit"]),
        "milliseconds": on_front(able["restore_ms"].astype(float), able["merit"]),
    }
    named = [", ".join(name for name, is_on in fronts.items() if is_on[place]) for place in range(len(able))]
    table = able.assign(fronts=named)[["trial_id", "bytes_at_parity", "macs_per_pixel", "restore_ms", "fronts"]]
    return table[table["fronts"] != ""].sort_values(["bytes_at_parity", "trial_id"], ignore_index=True)
