"""The frames of numbers behind the tables of a run, a function each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL, settings_of
from analysis.run import LINEAR
from analysis.statistics import Grouping, means_of, on_front
from analysis.study import AXES, is_filter, trials_frame
from analysis.tables.layout import MEAN, MEASURED, mark_of, shown_systems, with_holds
from models.names import METRICS, REGIONS
from search.records import TrialRecord

SUBSETS = ("train", "validation", "test")
KB_BYTES = 1000
RAW_BYTES_PER_PIXEL = 3
N_TRIALS = 24  # that a table has a column or rows for, the best; cells.parquet holds all
N_VALUES_LISTED = 4  # of more, the range or the number
TIED_METRICS = ("psnr_db", "ssim")
NO_VALUE = {"patience": "none: every epoch is trained", "epoch_images": "all", "clip_norm": "not clipped"}


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


def suspects_frame(owner: Any) -> pd.DataFrame:
    """Tabulate what means give away: kind, trials, where, kept_out, sentence."""
    rows = [(o.kind, " ".join(o.trials), o.where, o.kept_out, o.sentence) for o in owner.oddities]
    return pd.DataFrame(rows, columns=["kind", "trials", "where", "kept_out", "sentence"])
