"""The tables of what a run was made of: trials, networks, settings, images, files."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.findings import Findings
from analysis.records import settings_of
from analysis.statistics import Grouping, means_of, on_pareto_front
from analysis.study import AXES, BASELINE, trials_frame
from analysis.tables.appendix import spread_below, spread_cell, with_holds
from analysis.tables.formats import NOT_TRIED, is_missing, write_spread
from analysis.tables.spec import Cell, Layout, Row, Table, lay_out, read_catalogue
from models.names import METRICS, REGIONS

TINY = "tiny has no test images of its own: data101's stand in, and it never draws from them."
SUBSETS = ("train", "validation", "test")
KB_BYTES = 1000
RAW_BYTES_PER_PIXEL = 3
N_VALUES_LISTED = 4  # of more, the range or the number
NO_VALUE = {"patience": "none: every epoch is trained", "epoch_images": "all", "clip_norm": "not clipped"}


def trials_tables(findings: Findings) -> list[Table | None]:
    """Return the tables of trials, networks and settings."""
    words = {"first": findings.run.ranking.words, "size_px": findings.run.facts["dataset"]["size_px"]}
    names = read_catalogue()["configuration"]["names"]
    named = {"setting": lambda row, name: Cell(names.get(row[name], row[name].replace("_", " ")), row[name])}
    shows = {"setting": _setting, "epochs": lambda row, name: Cell(f"{row[name]}/{row['epochs_allowed']}")}
    values = Layout(named, cell=lambda row: Cell(str(row["values"])))
    return [
        lay_out("trials", all_trials_frame(findings), Layout(shows), words),
        lay_out("networks", networks_frame(findings), words=words),
        lay_out("configuration", configuration_frame(findings), values),
    ]


def data_tables(findings: Findings) -> list[Table | None]:
    """Return the tables of images and files."""
    words = {"reference": f"JPEG-{findings.run.reference_quality}", "split": findings.run.deciding_split}
    splits = splits_frame(findings)
    tiny = (TINY,) if (splits["split"] == "tiny").any() else ()
    return [
        lay_out("requirements", requirements_frame(findings), Layout(cell=spread_cell, below=spread_below), words),
        lay_out("sizes", sizes_frame(findings), words=words),
        lay_out("sizes_by_system", system_sizes_frame(findings), Layout({"size": _size}), words),
        lay_out("splits", splits, Layout({"count": _count}, below=lambda frame: tiny)),
    ]


def all_trials_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate every record in the order of `Run.trials`, with what it is suspect of, and the fronts that it is on: of
    what trials are ranked by, against multiply-accumulates and against measured milliseconds."""
    run = findings.run
    table = trials_frame(sorted([*run.trials, *run.baselines], key=run.ranking.key))
    names = table["trial_id"]
    suspect = [findings.suspects.get(name, "") for name in names]
    merits = {record.trial_id: run.ranking.merit(record) for record in run.trials}
    merit = names.map(merits).astype(float).mask(names.isin(list(findings.study.unfit)))
    costs = {"MACs": table["macs_per_pixel"].replace(0, np.nan), "ms": table["restore_ms"]}
    on = pd.DataFrame({name: on_pareto_front(cost.astype(float), merit) for name, cost in costs.items()})
    fronts = [", ".join(on.columns[row]) for row in on.to_numpy()]
    table = table.assign(suspect=suspect, fronts=fronts)
    return table.assign(under_linear=names.isin(findings.under_linear))


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
    n_pixels = findings.run.facts["dataset"]["size_px"] ** 2
    table = table.assign(image_gmacs=table["macs_per_pixel"] * n_pixels / 1e9)
    return table.assign(weights_kb=table["weights_bytes"] / KB_BYTES).reset_index()


def configuration_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the settings of the trials of each split: setting, split, values (in words).

    A setting that no trial has is left out.
    """
    trials, dataset = findings.study.trials, findings.run.facts["dataset"]
    if trials.empty:
        return trials
    names = dict.fromkeys(name for record in findings.run.trials for name in settings_of(record))
    names = dict.fromkeys([*AXES, *("epochs_allowed" if name == "epochs" else name for name in names)])
    rows = []
    for split, own in trials.groupby("split", sort=False):
        subsets = dataset.get("splits", {}).get(split, dataset)["subsets"]
        rows.append(("training_images", str(split), f"{subsets.get('train', 0):,}"))
        for name in names:
            values = own[name].astype(object).where(own[name].notna(), None)
            if name != "split" and (values.notna().any() or name in NO_VALUE):
                rows.append((name, str(split), _describe(name, values)))
    return pd.DataFrame(rows, columns=["setting", "split", "values"])


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


def requirements_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate what has to be reached on the deciding split: cells of the reference, with trained_on and holds."""
    run, cells = findings.run, findings.cells
    trained_on = cells["trial_id"].map({record.trial_id: record.spec.split for record in run.baselines})
    is_reference = (cells["input_quality"] == run.reference_quality) & (cells["split"] == run.deciding_split)
    own = cells.drop(columns="reaches").assign(trained_on=trained_on, status="")[is_reference & trained_on.notna()]
    rank = {name: place for place, name in enumerate((*reversed(REGIONS), *METRICS))}
    order = ["trained_on", "system", "region", "metric"]
    return with_holds(own).sort_values(order, key=lambda names: names.map(lambda n: rank.get(n, n)), ignore_index=True)


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
    saved = 100 * (1 - table["mean_kb"] / table["system"].map(reference).astype(float))
    return table.assign(saved_percent=saved, saved_raw_percent=100 * (1 - table["mean_kb"] / raw_kb))


def splits_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the subsets of each split: split, subset, system (ALL, or each where the run tells), n_images, n_scored
    (None of those trained on, and by system), n_fields (groups of images that show the same field). What a split scores
    without having it, as tiny does the test images of data100, is counted from the scores, by system too."""
    dataset, images = findings.run.facts["dataset"], findings.run.images.table
    splits = dataset.get("splits") or {dataset["split"]: dataset}
    rows = []
    for split, facts in splits.items():
        for subset in SUBSETS:
            own = images[images[split] == subset] if split in images else images.iloc[:0]
            n_scored = None if subset == "train" else facts["scored"].get(subset, 0)
            borrowed = not len(own) and bool(n_scored) and len(splits) == 1
            if borrowed:
                scored = findings.run.scores.loc[findings.run.scores["split"] == subset, "image"]
                own = images[images["image"].isin(scored)]
            n_fields = own["group"].nunique() if len(own) else None
            rows.append((split, subset, ALL, facts["subsets"].get(subset, 0), n_scored, n_fields))
            for system, part in own.groupby("system") if "system" in own else ():
                counts = (0, len(part)) if borrowed else (len(part), None)
                rows.append((split, subset, str(system), *counts, part["group"].nunique()))
    table = pd.DataFrame(rows, columns=["split", "subset", "system", "n_images", "n_scored", "n_fields"])
    return table.astype({"n_scored": "Int64", "n_fields": "Int64"})


def _count(row: Row, name: str) -> Cell:
    if not is_missing(row[name]):
        return Cell(f"{row[name]:,}", row[name])
    lacking = "unknown" if name == "n_fields" else "trained on" if row["subset"] == "train" else ""
    return Cell("" if row["system"] else lacking)


def _setting(row: Row, name: str) -> Cell:
    return Cell(NOT_TRIED) if row["architecture"] == BASELINE else Cell(str(row[name]), row[name])


def _size(row: Row, name: str) -> Cell:
    return Cell(write_spread(name, row[name], row["sd_kb"], row["high_kb"], row["n_images"]), row[name])
