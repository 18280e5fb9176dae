"""The tables that set models beside each other: every mean, what restoring changes, and networks in a matrix."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from analysis.cells import ALL
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL, fidelity_sentence, heading
from analysis.run import LINEAR
from analysis.study import CHOICE, is_filter
from analysis.tables.appendix import legend, mark_of, spread_below, spread_cell, with_holds
from analysis.tables.formats import MEAN, NOT_SCORED, NOT_TRIED, REGION_WORDS, is_missing, write_mean, write_spread
from analysis.tables.spec import Cell, Column, Layout, Row, Table, lay_out
from models.names import METRICS
from search.records import TrialRecord

N_TRIALS = 24  # that a table has a column or rows for, the best; cells.parquet holds all
MATRIX_METRICS = ("psnr_db", "ssim")


def model_tables(findings: Findings) -> list[Table | None]:
    """Return the tables of networks and models side by side."""
    splits = ("test", "validation")
    matrices = [table for split in reversed(splits) for table in _matrices(findings, split)]
    means = [table for split in splits for region in REGION_WORDS for table in _models(findings, split, region)]
    return [*matrices, *means]


def columns_of(findings: Findings, split: str, n_trials: int = N_TRIALS) -> list[TrialRecord]:
    """Return the models compared on a split: JPEG as it is on each split, then the best trials (on test finalists)."""
    run = findings.run
    return [*run.baselines, *(run.tested if split == "test" else run.trials)[:n_trials]]


def summary_table(findings: Findings, records: Sequence[TrialRecord], split: str) -> Table | None:
    """Lay out a row per quality and a column per record: mean PSNR, mean SSIM, and how many of the 8 means reach."""
    both = pd.concat([models_frame(findings, split, region, records) for region in REGION_WORDS])
    rows = []
    for (quality, trial_id), own in both[both["system"] == ALL].groupby(["input_quality", "trial_id"], sort=False):
        means = own[: len(METRICS)].set_index("metric")["mean"].to_dict()
        shown = " ".join(write_mean(metric, means[metric]) for metric in MATRIX_METRICS)
        has_mean = (own["holds"] == MEAN).any()
        text = f"{shown} {own['reaches'].sum()}/{len(own)}" if has_mean else own["holds"].iloc[0]
        rows.append((quality, trial_id, text))
    frame = pd.DataFrame(rows, columns=["input_quality", "trial_id", "text"])
    short = partial(heading, settings="{loss}\nq{quality}")  # enough so for a terminal
    return lay_out("summary", frame, Layout(head=_heads(records, short), cell=lambda row: Cell(row["text"])))


def models_frame(findings: Findings, split: str, region: str, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Tabulate every quality and metric for every model, highest quality first; no cell is absent.

    Over all camera systems, and over each where there are several. Qualities at which none of the trials was scored are
    left out where any was. Returns what `cells_of` does, and status, improved_percent (of n_changed), holds: MEAN, or
    why there is none.
    """
    by_id, cells = {record.trial_id: record for record in records}, findings.cells
    rows = cells[(cells["split"] == split) & (cells["region"] == region)]
    rows = rows if rows["system"].nunique() > 2 else rows[rows["system"] == ALL]
    tried = rows["trial_id"].isin([name for name, record in by_id.items() if not record.spec.is_baseline])
    qualities = sorted((rows[tried] if tried.any() else rows)["input_quality"].unique(), reverse=True)
    order: dict[str, Any] = {"system": sorted(rows["system"].unique()), "input_quality": qualities, "metric": METRICS}
    places = pd.MultiIndex.from_product([*order.values(), list(by_id)], names=[*order, "trial_id"])
    table = rows.set_index([*order, "trial_id"]).reindex(places).reset_index()
    table["reaches"] = table["reaches"].eq(True)
    table["status"] = table["trial_id"].map({name: record.status.value for name, record in by_id.items()})
    table["improved_percent"] = 100 * table["n_improved"] / table["n_changed"].where(table["n_changed"] > 0)
    return with_holds(table)


def matrix_frame(findings: Findings, split: str) -> pd.DataFrame:
    """Tabulate networks beside each other, whole images of a split: a row per quality, network, loss, training quality.

    Networks of which nothing was scored there have none, nor have losses and qualities of such alone. JPEG as it is
    stands in every column, the linear filter in those of its own training quality. Returns input_quality, made_on (the
    split trained on), network, loss, training_quality, psnr_db, ssim, margin (the smallest of four), n_images,
    trial_id, encoder, status, unfit, n_trials, holds, mark, is_best (of the files of its encoder).
    """
    cells, keys = findings.cells, ["trial_id", "input_quality"]
    whole = cells[(cells["split"] == split) & (cells["region"] == "full") & (cells["system"] == ALL)]
    if findings.study.trials.empty or whole.empty:
        return pd.DataFrame()
    means = whole.pivot(index=keys, columns="metric", values="mean")[list(MATRIX_METRICS)]
    means["n_images"] = whole[whole["metric"] == "psnr_db"].set_index(keys)["n_images"]
    means["margin"] = whole.groupby(keys)["margin"].min(skipna=False)
    rows = _matrix_rows(findings)
    tried = means.index.get_level_values(0).isin(rows.loc[rows["network"] != BASELINE_LABEL, "trial_id"])
    qualities = sorted(means[tried].index.unique(1), reverse=True)
    table = pd.DataFrame({"input_quality": qualities}).merge(rows, how="cross")
    table = with_holds(table.merge(means.reset_index(), on=keys, how="left"))
    table["is_best"] = _are_best(table, table["margin"], ["input_quality", "made_on", "encoder"])
    is_told = (table["network"] != BASELINE_LABEL) & (table["holds"] == MEAN)
    if not is_told.any():
        return table.iloc[:0]
    is_scored = table["holds"] != NOT_SCORED  # on test images most networks are not, and so most columns are empty
    is_shown = is_scored.groupby([table["made_on"], table["network"]]).transform("any")
    trained = [record.trial_id for record in findings.run.trials if record.spec.is_trained]
    of_networks = is_scored & table["trial_id"].isin(trained)
    has_network = of_networks.groupby([table["loss"], table["training_quality"]]).transform("any")
    return table[is_shown & has_network] if of_networks.any() else table[is_shown]


def parity_frame(findings: Findings, matrix: pd.DataFrame, split: str) -> pd.DataFrame:
    """Tabulate bytes at parity as `matrix_frame` does networks: over all camera systems, then over each of several.

    Returns its columns, with system, share (of the reference's bytes), is_measured (between qualities that were
    scored), is_best (bytes are bytes, whatever writes the files).
    """
    once = matrix.drop_duplicates(["made_on", "network", "loss", "training_quality"])
    shares = findings.parity[findings.parity["split"] == split]
    systems = sorted(shares["system"].unique())  # ALL, which is no name, comes first
    shown = once.merge(pd.DataFrame({"system": systems if len(systems) > 2 else [ALL]}), how="cross")
    table = shown.merge(shares.drop(columns="split"), on=["trial_id", "system"], how="left")
    table["is_best"] = _are_best(table, -table["share"], ["made_on", "system"])
    return table.sort_values("system", kind="stable")


def _are_best(table: pd.DataFrame, values: "pd.Series[float]", by: list[str]) -> "pd.Series[bool]":
    """Mark the trials with the largest value of those that are fit and agree in what is named."""
    values = values.where((table["network"] != BASELINE_LABEL) & (table["unfit"] == ""))
    return values == values.groupby([table[key] for key in by], dropna=False).transform("max")


def _matrix_rows(findings: Findings) -> pd.DataFrame:
    """Return a row for every place of the matrix that a chosen trial, JPEG as it is or the linear filter fills."""
    study, run = findings.study, findings.run
    chosen = study.chosen.assign(network=[_network(row) for row in study.chosen.to_dict("records")])
    trained = chosen[~chosen["architecture"].map(is_filter)]
    columns = (trained if len(trained) else chosen)[["loss", "training_quality"]].drop_duplicates()
    columns = columns.sort_values(["loss", "training_quality"], key=study.rank)
    names = ["split", "network", "trial_id", "encoder", "status", "unfit", "n_trials"]
    of_split = {record.spec.split: record.trial_id for record in run.baselines}
    first = next(iter(of_split.values()), None)
    made_on = list(chosen["split"].unique()) if first else []
    jpeg = [(split, BASELINE_LABEL, of_split.get(split, first), None, "completed", "", 1) for split in made_on]
    linear = chosen[chosen["architecture"] == LINEAR].drop_duplicates(["split", "training_quality", "encoder"])
    linear = linear[linear["encoder"].isin(trained["encoder"])] if len(trained) else linear
    parts = [
        pd.DataFrame(jpeg, columns=names).merge(columns, how="cross"),
        columns.merge(linear[[*names, "training_quality"]], on="training_quality"),
        trained[[*names, "loss", "training_quality"]],
    ]
    table = pd.concat(parts).sort_values("split", key=study.rank, kind="stable").rename(columns={"split": "made_on"})
    under = table["trial_id"].isin(findings.under_linear)
    marks = [mark_of(row) for row in table[["status", "unfit"]].to_dict("records")]
    return table.assign(mark=[f"{mark}{'↓' * is_under}" for mark, is_under in zip(marks, under, strict=True)])


def _network(row: Row) -> str:
    on = "" if is_missing(row["encoder"]) else f"on {row['encoder']}"
    if row["architecture"] == LINEAR:
        return " ".join(filter(None, ("linear filter", on)))
    activation, direct = row["output_activation"], "" if row["global_residual"] else "direct"
    return ", ".join(filter(None, (row["architecture"], "" if activation == "none" else activation, direct, on)))


def _matrices(findings: Findings, split: str) -> list[Table | None]:
    words = {"split": split, "reference": f"JPEG-{findings.run.reference_quality}"}
    frame = matrix_frame(findings, split)
    n_splits = frame["made_on"].nunique() if len(frame) else 0
    rows = (Column("made on", "made_on"), Column("network", "network")) if n_splits > 1 else ()
    shown = Layout(rows=rows, blank=NOT_TRIED, below=_matrix_below)
    has_parity = len(frame) and frame["input_quality"].nunique() > 1
    parity = parity_frame(findings, frame, split) if has_parity else frame.iloc[:0]
    by_quality = replace(shown, cell=_means_cell, part_title=lambda row: f"JPEG-{row['input_quality']} restored")
    return [
        lay_out("bytes_at_parity", parity, replace(shown, cell=_parity_cell, part_title=_system_title), words),
        lay_out("networks_at_quality", frame, replace(by_quality, is_open=split == findings.run.deciding_split), words),
    ]


def _models(findings: Findings, split: str, region: str) -> list[Table | None]:
    run, records, where = findings.run, columns_of(findings, split), f"{split} split, {REGION_WORDS[region]}"
    n_trials = len(run.tested if split == "test" else run.trials)
    more = f"The best {N_TRIALS} of {n_trials} trials; tables/cells.parquet holds all."
    further = (more,) if n_trials > N_TRIALS else ()
    words = {"split": split, "region": region, "where": where, "reference": f"JPEG-{run.reference_quality}"}
    words["unequal"] = fidelity_sentence(records)
    means = models_frame(findings, split, region, records)
    changes = models_frame(findings, split, region, [record for record in records if not record.spec.is_baseline])
    changes = changes if changes["n_changed"].sum() else changes.iloc[:0]
    change = Layout(head=_heads(records, heading), cell=_change_cell, part_title=_system_title, below=lambda _: further)
    mean = replace(change, cell=spread_cell, below=lambda frame: (*spread_below(frame), *further))
    return [lay_out("quality", means, mean, words), lay_out("relative", changes, change, words)]


def _system_title(row: Row) -> str:
    return f"Camera system {row['system']}" if row["system"] else "All camera systems"


def _heads(records: Sequence[TrialRecord], name: Callable[[TrialRecord], str]) -> Callable[[Row], str]:
    heads = {record.trial_id: name(record) for record in records}
    return lambda row: heads[row["trial_id"]]


def _parity_cell(row: Row) -> Cell:
    if is_missing(row["share"]):
        return Cell(str(row["holds"]).replace(MEAN, "unknown"))
    beyond = "" if row["is_measured"] else "≈ "
    return Cell(f"{beyond}{row['share']:.0%}", row["share"], bool(row["is_best"]), marks=row["mark"])


def _means_cell(row: Row) -> Cell:
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]))
    ssim = "" if is_missing(row["psnr_db"]) else f" · {write_mean('ssim', row['ssim'])}"
    return Cell(write_mean("psnr_db", row["psnr_db"]) + ssim, row["psnr_db"], bool(row["is_best"]), marks=row["mark"])


def _matrix_below(frame: pd.DataFrame) -> tuple[str, ...]:
    has_linear = frame["network"].str.startswith("linear filter").any()
    linear = ", the linear filter in those of its own training quality" if has_linear else ""
    lines = [
        f"Over up to {frame.loc[frame['holds'] == MEAN, 'n_images'].max():.0f} images. Bold: the best by its smallest "
        f"margin of the four means, or by bytes. {NOT_TRIED}: not tried. {BASELINE_LABEL} stands in every column"
        f"{linear}."
    ]
    lines += legend("".join(frame["mark"]))
    if "is_measured" in frame and frame["is_measured"].eq(False).any():
        lines += ["≈: beyond the qualities that were scored."]
    return (*lines, *([CHOICE] if (frame["n_trials"] > 1).any() else []))


def _change_cell(row: Row) -> Cell:
    if is_missing(row["n_changed"]) or not row["n_changed"]:
        return Cell(NOT_SCORED)
    n_changed = int(row["n_changed"])
    text = write_spread(row["metric"], row["change"], row["change_sd"], row["change_high"], n_changed)
    signed = text if is_missing(row["change"]) or text.startswith("-") else f"+{text}"
    improved = "" if is_missing(row["change"]) else f", {row['improved_percent']:.1f} % of {n_changed}"
    return Cell(f"{signed}{improved}", row["change"])
