"""Cells: the one long frame of means that tables, figures and decisions are read from.

A cell is the mean of a metric over the images of a trial, split, region, camera system and input quality, beside
JPEG-75's and its own input's means of the same images.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.run import Run
from analysis.statistics import Floats, Grouping, Places, means_of
from models.names import METRIC_DIRECTIONS, METRICS
from models.parity import bytes_at_parity

# One unit of margin is what JPEG loses between the reference quality and this one, as in the monitored margin.
STEP_QUALITY = 50
N_QUALITIES = 256  # more than there are
SAME = 1e-9  # relative: what rounding alone changes
ALL = ""  # the system of cells over every camera system
BYTES = "jpeg_bytes"
KEYS = ["split", "region", "input_quality"]
MEASURED = (
    *("mean", "sd", "low", "high", "n_images", "n_fields", "n_left_out", "reference_mean", "step", "margin", "reaches"),
    *("gain", "gain_low", "gain_high", "change", "change_sd", "change_low", "change_high", "n_changed", "n_improved"),
    *("mean_beside_psnr", "mean_bytes", "reference_bytes"),
)
Groups = Mapping[int, int] | None  # image -> group of images that belong together


def cells_of(run: Run) -> pd.DataFrame:
    """Average the scores of every trial of a run, over all camera systems and over each."""
    baselines = [record.trial_id for record in run.baselines]
    inputs = {record.trial_id: run.input_of(record) for record in run.trials if record.spec.encoder is not None}
    return average(run.scores, baselines, run.reference_quality, True, run.images.groups or None, inputs)


def average(
    scores: pd.DataFrame,
    baseline_ids: Collection[str],
    reference_quality: int,
    by_system: bool = False,
    groups: Groups = None,
    inputs: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Average every trial's scores, and those of JPEG as it is over the same images.

    scores: as in `analysis.run.Run`; baseline_ids: the trials that are JPEG as it is, one for each split of the run;
    by_system: whether over each camera system besides; groups: image -> group of images that belong
    together, for the intervals; inputs: trial -> the trial that scored its input, where that is not JPEG as it is.
    Returns a row per metric, trial_id, KEYS and system (ALL, or each):
    mean, reference_mean: over the same images; a score that is no number makes its mean NaN. sd, low, high: over
        images, the latter the 95 % interval of the mean; NaN where there are too few fields.
    step: the reference's mean minus JPEG-50's, as a size; margin: (mean - reference_mean) / step, signed so that
        positive is better; both NaN where JPEG-50 is missing or equal.
    reaches: the mean is at least as good as the reference's; False where either is NaN.
    gain, gain_low, gain_high: image by image over the reference, positive is better, with its 95 % interval.
    n_images: in the mean; n_left_out: images identical to their original on either side, whose PSNR is infinite.
    change, change_sd, change_low, change_high: of restored minus input, image by image (relative reconstruction in the
        thesis' section 3.5); n_changed: images in it; n_improved: those of them that are better than their input.
    mean_beside_psnr: over the images alone that the mean PSNR is over. mean_bytes, reference_bytes: of the files.
    """
    baseline = _Baseline.of(scores[scores["trial_id"].isin(list(baseline_ids))])
    parts: list[dict[str, Any]] = []
    for trial_id, every in scores.groupby("trial_id", sort=True, observed=True):
        rows, places = baseline.paired(every, reference_quality)
        own = (inputs or {}).get(str(trial_id))
        entered = baseline if own is None else _Baseline.of(scores[scores["trial_id"] == own])
        beside = [baseline.at(places, quality) for quality in (reference_quality, STEP_QUALITY)]
        beside.append(entered.at(places, rows["input_quality"].to_numpy(np.int64)))
        sides = {metric: _sides(rows[metric].to_numpy(np.float64), beside, metric) for metric in METRICS}
        shared = {"trial_id": str(trial_id), "system": ALL, "reference_bytes": beside[0][:, -1]}
        for keys in [KEYS, [*KEYS, "system"]] if by_system else [KEYS]:
            parts += _average_cells(rows, sides, shared, keys, groups)
    columns = ["trial_id", *KEYS, "system", "metric", *MEASURED]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in columns})
    by_metric = pd.MultiIndex.from_arrays([table["system"] != ALL, pd.Categorical(table["metric"], METRICS).codes])
    return table.iloc[np.argsort(by_metric, kind="stable")].reset_index(drop=True)


def cell_notes(cells: pd.DataFrame) -> list[str]:
    """Say which means leave images out, and which are not numbers."""
    notes, cells = [], cells[cells["system"] == ALL]
    short = cells[cells["n_left_out"] > 0]
    if not short.empty:
        worst = short.sort_values("n_left_out", ascending=False).iloc[0]
        notes.append(
            f"PSNR means that leave out images identical to their original, whose PSNR is infinite: {len(short)}. "
            f"The most, {worst['n_left_out']}, at quality {worst['input_quality']} of {worst['trial_id']} "
            f"({worst['split']} split, {worst['region']} region); each cell says how many."
        )
    unknown = cells[~np.isfinite(cells["mean"].astype(float)) & (cells["n_images"] > 0)]
    for trial_id in unknown["trial_id"].unique():
        notes.append(f"Some scores of {trial_id} are not finite numbers: those means count as not reaching JPEG.")
    return notes


def parity_of(cells: pd.DataFrame, metrics: Collection[str] = METRICS) -> pd.DataFrame:
    """Return the bytes at parity of each trial, split and system by its means of whole images.

    Returns trial_id, split, system, share (of the reference's bytes, see `models.parity`), is_measured: whether it lies
    between qualities that were scored.
    """
    rows = cells[(cells["region"] == "full") & cells["metric"].isin(list(metrics))]
    keys = ["trial_id", "split", "system"]
    by_quality, table = rows.groupby([*keys, "input_quality"], observed=True), []
    points = by_quality[["mean_bytes", "reference_bytes"]].first()
    points = points.assign(margin=by_quality["margin"].min(skipna=False))
    for key, own in points.groupby(keys, observed=True):
        share = float(bytes_at_parity(own["mean_bytes"], own["margin"], own["reference_bytes"].mean()))
        sizes = own["mean_bytes"] / own["reference_bytes"]
        measured = bool(sizes.min() * (1 - SAME) <= share <= sizes.max() * (1 + SAME))
        table.append({**dict(zip(keys, key, strict=True)), "share": share, "is_measured": measured})
    return pd.DataFrame(table, columns=[*keys, "share", "is_measured"])


@dataclass(frozen=True)
class _Baseline:
    """JPEG as it is. keys: N_QUALITIES times what `_places` gives, plus the quality, of what was scored; qualities:
    those that were; scores: float [keys + 1, METRICS and BYTES], the last row NaN for what is not there."""

    keys: "pd.Index[int]"
    qualities: Collection[int]
    scores: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "_Baseline":
        """Take rows of scores; an image that several of them scored counts once: its files are the same."""
        qualities = rows["input_quality"].to_numpy(np.int64)
        keys = pd.Index(_places(rows) * N_QUALITIES + qualities)
        scores = rows[[*METRICS, BYTES]].to_numpy(np.float64)[~keys.duplicated()]
        with_none = np.vstack([scores, np.full((1, scores.shape[1]), np.nan)])
        return cls(keys.drop_duplicates(), frozenset(qualities.tolist()), with_none)

    def at(self, places: Places, quality: int | Places) -> Floats:
        """Return JPEG's scores at each place and a quality: float [N, METRICS and BYTES], NaN where there is none."""
        return self.scores[self._found(places, quality)]

    def paired(self, rows: pd.DataFrame, quality: int) -> tuple[pd.DataFrame, Places]:
        """Return the rows whose images have a score at a quality, all where none has, and their places."""
        places = _places(rows)
        if quality not in self.qualities:
            return rows, places
        is_paired = self._found(places, quality) >= 0
        return (rows, places) if is_paired.all() else (rows[is_paired], places[is_paired])

    def _found(self, places: Places, quality: int | Places) -> Places:
        return np.asarray(self.keys.get_indexer(pd.Index(places * N_QUALITIES + quality)))


def _places(rows: pd.DataFrame) -> Places:
    """Return a number for each row's image, split and region."""
    place = 4 * rows["image"].to_numpy(np.int64) + 2 * (rows["split"] == "test") + (rows["region"] == "full")
    return np.asarray(place, np.int64)


def _sides(own: Floats, beside: Sequence[Floats], metric: str) -> Floats:
    """Return a metric of N rows: their own, and JPEG's of the same images at the reference, STEP_QUALITY and as input.

    float [4, N]; NaN is whatever is neither a number nor the infinite PSNR of an identical image.
    """
    sides = np.stack([own, *(scores[:, METRICS.index(metric)] for scores in beside)])
    is_odd = np.isinf(sides) & ~((sides > 0) & (metric == "psnr_db"))
    return np.where(is_odd, np.nan, sides) if is_odd.any() else sides


def _average_cells(
    rows: pd.DataFrame, sides: Mapping[str, Floats], shared: Mapping[str, Any], keys: list[str], groups: Groups
) -> list[dict[str, Any]]:
    """Return the columns of a trial's cells, of each metric."""
    by_cell = rows.groupby(keys, sort=True, observed=True)
    cells = Grouping(by_cell.ngroups, by_cell.ngroup().to_numpy(np.int64), _groups(by_cell, rows["image"], groups))
    index = by_cell.size().index.to_frame(index=False)
    finite = ~_left_out(sides["psnr_db"])
    same = {name: np.full(cells.n, shared[name], object) for name in ("trial_id", "system")}
    same |= {name: index[name].to_numpy(int if name == "input_quality" else object) for name in keys}
    same["mean_bytes"] = cells.mean(rows[BYTES].to_numpy(np.float64))
    same["reference_bytes"] = cells.mean(shared["reference_bytes"])
    parts = []
    for metric in METRICS:
        beside = cells.of(finite).mean(sides[metric][0][finite])
        own = {"metric": np.full(cells.n, metric, object), "mean_beside_psnr": beside}
        parts.append({**same, **own, **_average_metric(sides[metric], cells, metric)})
    return parts


def _average_metric(sides: Floats, cells: Grouping, metric: str) -> dict[str, NDArray[Any]]:
    direction, kept = METRIC_DIRECTIONS[metric], ~_left_out(sides)
    within, (ours, jpeg, low) = cells.of(kept), sides[:3, kept]
    own, gained = means_of(ours, within), means_of(direction * (ours - jpeg), within)
    reference, lower = within.mean(jpeg), within.mean(low)
    step = np.abs(reference - lower)
    step[step == 0] = np.nan
    gain = direction * (own.mean - reference)
    changed = ~(np.isinf(sides[0]) | ~np.isfinite(sides[3]))
    change = sides[0][changed] - sides[3][changed]
    found = means_of(change, cells.of(changed))
    return {
        **{"mean": own.mean, "sd": own.sd, "low": own.low, "high": own.high, "reference_mean": reference},
        **{"n_images": own.n, "n_fields": own.n_groups, "n_left_out": cells.counts - own.n},
        **{"step": step, "margin": gain / step, "reaches": gain >= 0},
        **{"gain": gain, "gain_low": gained.low, "gain_high": gained.high},
        **{"change": found.mean, "change_sd": found.sd, "change_low": found.low, "change_high": found.high},
        **{"n_changed": found.n, "n_improved": cells.of(changed).of(direction * change > 0).counts},
    }


def _left_out(sides: Floats) -> NDArray[np.bool_]:
    """Mark the images identical to their original on some side, whose PSNR is infinite."""
    return np.asarray(np.isinf(sides[:3]).any(axis=0))


def _groups(by_cell: Any, images: "pd.Series[Any]", groups: Groups) -> Places | None:
    """Return a number for each cell and group of images; an image without a group is one of its own."""
    if groups is None:
        return None
    known = images.map(groups)
    named = pd.MultiIndex.from_arrays([by_cell.ngroup(), known.isna(), known.fillna(images)])
    return np.asarray(named.factorize()[0])
