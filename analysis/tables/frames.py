"""The frames of numbers behind the tables of a run, a function each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL, fidelity, settings_of, short_heading
from analysis.run import LINEAR
from analysis.statistics import Grouping, means_of
from analysis.study import AXES, Study, is_filter, trials_frame
from analysis.tables.layout import MEAN, MEASURED, holds, mark_of
from analysis.tables.spec import Cell, Column, Part, Table, write_mean
from models.names import METRICS, REGIONS
from search.records import TrialRecord

SUBSETS = ("train", "validation", "test")
KB_BYTES = 1000
RAW_BYTES_PER_PIXEL = 3
N_TRIALS = 24  # that a table has a column or rows for, the best; cells.parquet holds all
N_VALUES_LISTED = 4  # of more, the range or the number
TIED_METRICS = ("psnr_db", "ssim")
NO_VALUE = {"patience": "none: every epoch is trained", "epoch_images": "all", "clip_norm": "not clipped"}


def columns_of(findings: Findings, split: str) -> list[TrialRecord]:
    """Return the models compared on a split: JPEG as it is on each split, then the best trials (on test finalists)."""
    run = findings.run
    trials = run.finalists if split == "test" else run.trials
    return [*run.baselines, *trials[:N_TRIALS]]


def quality_frame(findings: Findings, split: str, region: str, by_system: bool) -> pd.DataFrame:
    """Tabulate every quality and metric for every model, highest quality first; no cell is absent.

    Qualities at which none of the trials was scored are left out where any was.
    Returns system, input_quality, metric, trial_id, label, status, epochs_run, MEASURED, reaches and holds: MEAN, or
    why there is none.
    """
    records, cells = columns_of(findings, split), findings.cells
    rows = cells[(cells["split"] == split) & (cells["region"] == region) & ((cells["system"] != ALL) == by_system)]
    tried = {record.trial_id for record in records if not record.spec.is_baseline}
    scored = rows.loc[rows["trial_id"].isin(tried), "input_quality"].unique()
    qualities = sorted(scored if len(scored) else rows["input_quality"].unique(), reverse=True)
    order: dict[str, Any] = {"system": sorted(rows["system"].unique()), "input_quality": qualities, "metric": METRICS}
    order["trial_id"] = [record.trial_id for record in records]
    names = list(order)
    table = rows.set_index(names).reindex(pd.MultiIndex.from_product(list(order.values()), names=names)).reset_index()
    table[["n_images", "n_left_out"]] = table[["n_images", "n_left_out"]].fillna(0).astype(int)
    table["reaches"] = table["reaches"].eq(True)
    by_id = {record.trial_id: record for record in records}
    owners = [by_id[trial_id] for trial_id in table["trial_id"]]
    table["status"] = [record.status.value for record in owners]
    table["epochs_run"] = [record.epochs_run for record in owners]
    counts = zip(table["status"], table["n_images"], table["n_left_out"], strict=True)
    table["holds"] = [holds(*count) for count in counts]
    return table[[*names, "status", "epochs_run", *MEASURED, "reference_mean", "margin", "reaches", "holds"]]


def relative_frame(findings: Findings, split: str, region: str, by_system: bool) -> pd.DataFrame:
    """Tabulate what each trial changes at each quality, best trial first and highest quality first.

    Returns trial_id, status, epochs (in words), system, input_quality, metric, change, change_sd, change_low,
    change_high, n_changed, n_improved, improved_percent (of n_changed).
    """
    run, cells = findings.run, findings.cells
    records = [*run.finalists] if split == "test" else [*run.trials]
    rows = cells[(cells["split"] == split) & (cells["region"] == region) & ((cells["system"] != ALL) == by_system)]
    trials = pd.DataFrame(
        {
            "trial_id": [record.trial_id for record in records[:N_TRIALS]],
            "status": [record.status.value for record in records[:N_TRIALS]],
            "epochs": [fidelity(record) for record in records[:N_TRIALS]],
        }
    ).astype({"trial_id": object})
    trials["rank"] = range(len(trials))
    measured = ["change", "change_sd", "change_low", "change_high", "n_changed", "n_improved"]
    kept = rows[["trial_id", "system", "input_quality", "metric", *measured]].astype({"trial_id": object})
    table = trials.merge(kept, on="trial_id")
    table["improved_percent"] = 100 * table["n_improved"] / table["n_changed"].where(table["n_changed"] > 0)
    table["place"] = table["metric"].map({metric: place for place, metric in enumerate(METRICS)})
    order = {"rank": True, "system": True, "input_quality": False, "place": True}
    table = table.sort_values(list(order), ascending=list(order.values()), ignore_index=True)
    return table.drop(columns=["rank", "place"]) if table["n_changed"].any() else table.iloc[:0]


def matrix_frame(findings: Findings, split: str) -> pd.DataFrame:
    """Tabulate networks beside each other, whole images of a split: a row per quality, network, loss, training quality.

    JPEG as it is stands in every column, the linear filter in those of its own training quality. Returns input_quality,
    made_on (the split trained on), network, loss, training_quality, psnr_db, psnr_high, ssim, margin (the smallest of
    four), n_images, trial_id, status, unfit, n_trials, share (of the reference's bytes at parity), holds, mark,
    is_best, has_best_share.
    """
    study, cells = findings.study, findings.cells
    whole = cells[(cells["split"] == split) & (cells["region"] == "full") & (cells["system"] == ALL)]
    if study.trials.empty or whole.empty:
        return pd.DataFrame()
    keys = ["trial_id", "input_quality"]
    means = whole.pivot(index=keys, columns="metric", values="mean")[["psnr_db", "ssim"]]
    psnr = whole[whole["metric"] == "psnr_db"].set_index(keys)
    means = means.assign(
        psnr_high=psnr["high"],
        n_images=psnr["n_images"],
        margin=whole.groupby(keys)["margin"].min().mask(whole["margin"].isna().groupby([whole[k] for k in keys]).any()),
    )
    parity = findings.parity
    shares = parity[(parity["split"] == split) & (parity["system"] == ALL)].set_index("trial_id")
    rows = _matrix_rows(findings, study)
    tried = rows.loc[rows["network"] != BASELINE_LABEL, "trial_id"]
    qualities = sorted(psnr.loc[psnr.index.get_level_values(0).isin(tried)].index.unique(1), reverse=True)
    table = rows.merge(pd.DataFrame({"input_quality": qualities}), how="cross")
    table = table.merge(means.reset_index(), on=keys, how="left")
    table = table.merge(shares[["share", "is_measured"]], left_on="trial_id", right_index=True, how="left")
    counts = zip(table["status"], table["n_images"].fillna(0).astype(int), strict=True)
    table["holds"] = [holds(status, n_images, 0) for status, n_images in counts]
    fit = (table["unfit"] == "") & ~table["network"].isin([BASELINE_LABEL])
    place = [table["input_quality"], table["made_on"]]
    table["is_best"] = table["margin"].where(fit) == table["margin"].where(fit).groupby(place).transform("max")
    table["has_best_share"] = table["share"].where(fit) == table["share"].where(fit).groupby(place).transform("min")
    if not table.loc[table["network"] != BASELINE_LABEL, "holds"].eq(MEAN).any():
        return pd.DataFrame()
    return table.sort_values(["input_quality", "row", "column"], ascending=[False, True, True], ignore_index=True)


def _matrix_rows(findings: Findings, study: Study) -> pd.DataFrame:
    """Return a row for every place of the matrix: the chosen trial, or that none was run."""
    chosen = study.chosen
    trained = chosen[~chosen["architecture"].map(is_filter)]
    columns = trained[["loss", "training_quality"]].drop_duplicates()
    if columns.empty:
        columns = chosen[["loss", "training_quality"]].drop_duplicates()
    ranks = {axis: {value: rank for rank, value in enumerate(study.values(axis))} for axis in AXES}
    order = [ranks["loss"][c.loss] * 1000 + ranks["training_quality"][c.training_quality] for c in columns.itertuples()]
    columns = columns.assign(column=order)
    parts = []
    for made_on in study.values("split"):
        own = chosen[chosen["split"] == made_on]
        jpeg = next((r for r in findings.run.baselines if r.spec.split == made_on), None)
        jpeg = jpeg or next(iter(findings.run.baselines), None)
        if jpeg is not None and not own.empty:
            parts.append(columns.assign(network=BASELINE_LABEL, trial_id=jpeg.trial_id, status="completed", row=-2))
            parts[-1]["made_on"] = made_on
        linear = own[own["architecture"] == LINEAR].drop_duplicates("training_quality")
        if len(linear):
            kept = linear[["training_quality", "trial_id", "status", "unfit", "n_trials"]]
            parts.append(columns.merge(kept, on="training_quality").assign(network="linear filter", row=-1))
            parts[-1]["made_on"] = made_on
        own = own[~own["architecture"].map(is_filter)]
        settings = own[["architecture", "output_activation", "global_residual"]].drop_duplicates()
        for place, setting in enumerate(settings.to_dict("records")):
            same = own[(own[list(setting)] == pd.Series(setting)).all(axis=1)]
            kept = same[["loss", "training_quality", "trial_id", "status", "unfit", "n_trials"]]
            part = columns.merge(kept, on=["loss", "training_quality"], how="left")
            parts.append(part.assign(network=_network(setting), row=place, made_on=made_on))
    table = pd.concat(parts, ignore_index=True)
    table["status"], table["unfit"] = table["status"].fillna("not run"), table["unfit"].fillna("")
    table["n_trials"] = table["n_trials"].fillna(0).astype(int)
    under = findings.under_linear
    marks = [mark_of(row) for row in table.to_dict("records")]
    table["mark"] = [f"{m}{'↓' if t in under else ''}" for m, t in zip(marks, table["trial_id"], strict=True)]
    return table


def _network(setting: dict[Any, Any]) -> str:
    activation = "" if setting["output_activation"] == "none" else f", {setting['output_activation']}"
    return f"{setting['architecture']}{activation}{'' if setting['global_residual'] else ', direct'}"


def requirements_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate what has to be reached on the deciding split: the reference's mean of each metric, in each region.

    Returns trained_on, system, region, metric, mean, sd, low, high, n_images, n_left_out, holds.
    """
    run, cells = findings.run, findings.cells
    parts = []
    for record in run.baselines:
        rows = cells[
            (cells["trial_id"] == record.trial_id)
            & (cells["input_quality"] == run.reference_quality)
            & (cells["split"] == run.deciding_split)
        ]
        parts.append(rows.assign(trained_on=record.spec.split))
    if not sum(map(len, parts)):
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    table["holds"] = [holds("", n, left) for n, left in zip(table["n_images"], table["n_left_out"], strict=True)]
    order = pd.DataFrame({"region": table["region"].map(REGIONS.index), "metric": table["metric"].map(METRICS.index)})
    table = table.iloc[
        pd.MultiIndex.from_arrays([table["trained_on"], table["system"], -order["region"], order["metric"]]).argsort()
    ]
    return table[["trained_on", "system", "region", "metric", *MEASURED, "holds"]].reset_index(drop=True)


def sizes_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the JPEG files by quality, highest first, over every image of the dataset.

    Returns input_quality, n_images, mean_kb (of 1000 bytes), saved_percent (against the reference quality) and
    saved_raw_percent (against 3 bytes a pixel).
    """
    dataset = findings.run.facts["dataset"]
    sizes = sorted(((int(quality), size) for quality, size in dataset["mean_jpeg_bytes"].items()), reverse=True)
    table = pd.DataFrame(sizes, columns=["input_quality", "mean_kb"])
    table["mean_kb"] /= KB_BYTES
    table.insert(1, "n_images", dataset["n_images"])
    reference_kb = dataset["mean_jpeg_bytes"].get(str(findings.run.reference_quality), np.nan) / KB_BYTES
    return _with_savings(table, reference_kb, dataset["size_px"])


def system_sizes_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the JPEG files by camera system and quality, over the images that JPEG as it is was scored on.

    Returns the columns of `sizes_frame` after system, with n_fields, sd_kb, low_kb and high_kb, the 95 % interval.
    """
    run, scores = findings.run, findings.run.scores
    is_baseline = scores["trial_id"].isin([record.trial_id for record in run.baselines])
    files = scores.loc[is_baseline, ["system", "input_quality", "image", "jpeg_bytes"]]
    files = files.drop_duplicates(["input_quality", "image"])
    groups = files.groupby(["system", "input_quality"], observed=True)
    cells = groups.ngroup().to_numpy()
    fields = pd.MultiIndex.from_arrays([cells, run.images.fields_of(files["image"].astype(int))]).factorize()[0]
    found = means_of(files["jpeg_bytes"].to_numpy(np.float64) / KB_BYTES, Grouping(groups.ngroups, cells, fields))
    table = (
        groups.size()
        .index.to_frame(index=False)
        .assign(n_images=found.n, n_fields=found.n_groups, mean_kb=found.mean, sd_kb=found.sd)
        .assign(low_kb=found.low, high_kb=found.high)
    )
    table["system"] = table["system"].astype(str)
    reference = table[table["input_quality"] == run.reference_quality].set_index("system")["mean_kb"]
    table = _with_savings(table, table["system"].map(reference).astype(float), run.facts["dataset"]["size_px"])
    return table.sort_values(["system", "input_quality"], ascending=[True, False], ignore_index=True)


def _with_savings(table: pd.DataFrame, reference_kb: Any, size_px: int) -> pd.DataFrame:
    raw_kb = RAW_BYTES_PER_PIXEL * size_px**2 / KB_BYTES
    return table.assign(
        saved_percent=100 * (1 - table["mean_kb"] / reference_kb),
        saved_raw_percent=100 * (1 - table["mean_kb"] / raw_kb),
    )


def splits_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the subsets of each split: split, subset, system (ALL, or each where the run tells), n_images, n_scored
    (None of those trained on, and by system), n_fields (groups of images that show the same field)."""
    run = findings.run
    dataset, images = run.facts["dataset"], run.images.table
    splits = dataset.get("splits") or {dataset["split"]: {"subsets": dataset["subsets"], "scored": dataset["scored"]}}
    rows = []
    for split, facts in splits.items():
        for subset in SUBSETS:
            place = {"split": split, "subset": subset}
            n_scored = None if subset == "train" else facts["scored"].get(subset, 0)
            own = images[images[split] == subset] if split in images else images.iloc[:0]
            n_fields = own["group"].nunique() if len(own) else None
            n_images = facts["subsets"].get(subset, 0)
            rows.append({**place, "system": ALL, "n_images": n_images, "n_scored": n_scored, "n_fields": n_fields})
            for system, part in own.groupby("system") if "system" in own else ():
                counts = {"n_images": len(part), "n_scored": None, "n_fields": part["group"].nunique()}
                rows.append({**place, "system": str(system), **counts})
    return pd.DataFrame(rows).astype({"n_scored": "Int64", "n_fields": "Int64"})


def networks_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the networks that were tried.

    Returns architecture, parameters, macs_per_pixel, weights_bytes, image_gmacs, weights_kb (NaN where the run does not
    say), n_trials, n_under_linear.
    """
    trials = findings.study.trials
    if trials.empty:
        return trials
    by_network = trials.assign(under=trials["trial_id"].isin(findings.under_linear)).groupby("architecture")
    table = by_network[["parameters", "macs_per_pixel", "weights_bytes"]].max()  # a trial that failed has none
    table = table.assign(n_trials=by_network.size(), n_under_linear=by_network["under"].sum())
    table = table.reindex([name for name in findings.study.values("architecture") if name in table.index])
    table = table.reset_index().replace({"parameters": 0, "macs_per_pixel": 0, "weights_bytes": 0}, np.nan)
    return table.assign(
        image_gmacs=table["macs_per_pixel"] * findings.run.facts["dataset"]["size_px"] ** 2 / 1e9,
        weights_kb=table["weights_bytes"] / KB_BYTES,
    )


def configuration_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the settings of the trials of each split: setting, split, n_values, values (in words).

    A setting that no trial has is left out.
    """
    trials, dataset = findings.study.trials, findings.run.facts["dataset"]
    if trials.empty:
        return trials
    names = list(dict.fromkeys(name for record in findings.run.trials for name in settings_of(record)))
    names = [name if name != "epochs" else "epochs_allowed" for name in names]
    ordered = [*(axis for axis in AXES if axis != "split"), *(name for name in names if name not in AXES)]
    splits, rows = dataset.get("splits", {}), []
    for split, own in trials.groupby("split", sort=False):
        subsets = splits.get(split, {}).get("subsets", dataset["subsets"])
        row = {"setting": "training_images", "split": str(split), "n_values": 1}
        rows.append({**row, "values": f"{subsets.get('train', 0):,}"})
        for name in ordered:
            values = own[name].astype(object).where(own[name].notna(), None)
            if values.notna().any() or name in NO_VALUE:
                n_values = values.nunique(dropna=False)
                rows.append(row | {"setting": name, "n_values": n_values, "values": _describe(name, values)})
    return pd.DataFrame(rows)


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
    """Tabulate every record, best monitored margin first, with what it is suspect of."""
    run = findings.run
    table = trials_frame([*run.trials, *run.baselines])
    table = table.sort_values("margin", ascending=False, na_position="last", kind="stable", ignore_index=True)
    parity = findings.parity
    shares = parity[(parity["split"] == "validation") & (parity["system"] == ALL)].set_index("trial_id")["share"]
    return table.assign(
        parity=table["trial_id"].map(shares),
        suspect=[findings.suspects.get(trial_id, "") for trial_id in table["trial_id"]],
        under_linear=table["trial_id"].isin(findings.under_linear),
    )


def ties_frame(findings: Findings) -> pd.DataFrame:
    """Compare every trial that can be the best with the best one of its split, on whole validation images.

    Returns trained_on, input_quality, metric, trial_id, n_images, n_fields, difference, low, high, is_best, tied (None
    where there are too few fields to tell); best first.
    """
    run, parts = findings.run, []
    able = pd.Series({record.trial_id: record.spec.split for record in findings.able("validation")}, dtype=object)
    scores = run.scores[(run.scores["split"] == "validation") & (run.scores["region"] == "full")]
    for split, own in able.groupby(able):
        rows = scores[scores["trial_id"].isin(own.index)]
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
    fields = findings.run.images.fields_of(pd.Series(wide.columns.astype(int))).to_numpy()
    gaps = scores - scores[best]
    rows, columns = np.nonzero(np.isfinite(gaps))
    groups = pd.MultiIndex.from_arrays([rows, fields[columns]]).factorize()[0] if rows.size else None
    found = means_of(gaps[rows, columns], Grouping(len(wide), rows, groups))
    table = pd.DataFrame(
        {
            **{"trial_id": wide.index.astype(str), "n_images": found.n, "n_fields": found.n_groups},
            **{"difference": found.mean, "low": found.low, "high": found.high},
        }
    )
    table["is_best"] = np.arange(len(table)) == best
    known = table["low"].notna()
    table["tied"] = ((table["low"] <= 0) & (table["high"] >= 0)).astype(object).where(known, None)
    return table.sort_values("difference", ascending=False, ignore_index=True)


def suspects_frame(owner: Any) -> pd.DataFrame:
    """Tabulate what means give away: kind, trials, where, kept_out, sentence."""
    return pd.DataFrame(
        [
            {
                **{"kind": oddity.kind, "trials": " ".join(oddity.trials), "where": oddity.where},
                **{"kept_out": oddity.kept_out, "sentence": oddity.sentence},
            }
            for oddity in owner.oddities
        ]
    )


def epochs_frame(owner: Any) -> pd.DataFrame:
    """Tabulate how long the trial of each cell was trained, and how that ended: the chosen trials."""
    study: Study = owner.study
    if study.trials.empty:
        return pd.DataFrame()
    chosen = study.chosen
    down = [axis for axis in AXES if axis != "training_quality"]
    sides = chosen[down].drop_duplicates().assign(row=lambda table: range(len(table)))
    values = study.values("training_quality")
    across = pd.DataFrame({"training_quality": pd.Series(values, dtype=object), "column": range(len(values))})
    every = sides.merge(across, how="cross").astype({axis: object for axis in AXES})
    kept = [*AXES, "trial_id", "status", "epochs_run", "epochs_allowed", "unfit", "n_trials"]
    table = every.merge(chosen[kept].astype({axis: object for axis in AXES}), on=list(AXES), how="left")
    return table.sort_values(["row", "column"], ignore_index=True).drop(columns=["row", "column"])


def summary_table(findings: Findings, records: Sequence[TrialRecord], split: str) -> Table | None:
    """Lay out a row per quality and a column per record: mean PSNR, mean SSIM, and how many of the 8 means reach."""
    cells = findings.cells
    own = cells[(cells["split"] == split) & (cells["system"] == ALL)]
    own = own[own["trial_id"].isin([record.trial_id for record in records])]
    tried = own["trial_id"].isin([record.trial_id for record in records if not record.spec.is_baseline])
    qualities = sorted((own[tried] if tried.any() else own)["input_quality"].unique(), reverse=True)
    lines = []
    for quality in qualities:
        line = [Cell(str(quality))]
        for record in records:
            rows = own[(own["trial_id"] == record.trial_id) & (own["input_quality"] == quality)]
            whole = rows[rows["region"] == "full"].set_index("metric")["mean"]
            means = " ".join(write_mean(metric, whole.get(metric)) for metric in TIED_METRICS)
            n_reached = f" {int(rows['reaches'].sum())}/{len(METRICS) * len(REGIONS)}"
            line.append(Cell(means + n_reached if len(whole) else holds(record.status.value, 0, 0)))
        lines.append(tuple(line))
    part = Part("", (Column("quality"),), tuple((short_heading(record),) for record in records), tuple(lines))
    return Table("summary", "", "", "", (), own, (part,), True) if lines else None
