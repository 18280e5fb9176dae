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
SAME = 1e-9  # relative: what rounding alone changes
ALL = ""  # the system of cells over every camera system
BYTES = "jpeg_bytes"
KEYS = ["split", "region", "input_quality"]
IMAGE = ["split", "region", "image"]
MEASURED = (
    *("mean", "sd", "low", "high", "n_images", "n_fields", "n_left_out", "reference_mean", "step", "margin", "reaches"),
    *("gain", "gain_low", "gain_high", "change", "change_sd", "change_low", "change_high", "n_changed", "n_improved"),
    *("mean_beside_psnr", "mean_bytes", "reference_bytes"),
)


@dataclass(frozen=True)
class Baseline:
    """Every score of JPEG as it is in arrays that are looked up by the places of a quality and of an image.

    qualities: those that were scored; images: the values of each column of IMAGE that occur, whose combinations are
    the places of an image. known: bool [qualities + 1, places + 1], whether there is a score; scores: metric or BYTES
    -> float of the same shape, NaN where there is none. The last of each axis stands for what is unknown.
    """

    qualities: "pd.Index[Any]"
    images: Mapping[str, "pd.Index[Any]"]
    known: NDArray[np.bool_]
    scores: Mapping[str, Floats]

    def place_qualities(self, qualities: Any) -> Places:
        """Return the place of each quality."""
        return _places(self.qualities, pd.Series(qualities))

    def place_images(self, rows: pd.DataFrame) -> Places:
        """Return the place of each row's image, split and region."""
        return _place_images(self.images, rows)


@dataclass(frozen=True)
class _Yardstick:
    """JPEG as it is, with the places of two of its qualities: the reference and STEP_QUALITY."""

    baseline: Baseline
    reference: int
    lower: int

    def paired(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, Places]:
        """Keep the rows whose images have a score at the reference quality, all where none has; and their places."""
        images, known = self.baseline.place_images(rows), self.baseline.known[self.reference]
        has_score = known[images]
        return (rows[has_score], images[has_score]) if known.any() else (rows, images)


@dataclass(frozen=True)
class _Sides:
    """One metric of N rows: their own, and JPEG's of the same images at the reference, STEP_QUALITY, and as input."""

    own: Floats
    reference: Floats
    lower: Floats
    entered: Floats


def cells_of(run: Run) -> pd.DataFrame:
    """Average the scores of every trial of a run, over all camera systems and over each."""
    baselines = [record.trial_id for record in run.baselines]
    as_written = {(r.spec.encoder, r.spec.split): r.trial_id for r in run.trials if r.spec.returns_input}
    own = [record for record in run.trials if record.spec.encoder is not None]
    inputs = {record.trial_id: as_written.get((record.spec.encoder, record.spec.split), "") for record in own}
    return average(run.scores, baselines, run.reference_quality, (False, True), run.images.groups or None, inputs)


def average(
    scores: pd.DataFrame,
    baseline_ids: Collection[str],
    reference_quality: int,
    by_system: Sequence[bool] = (False,),
    groups: Mapping[int, int] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Average every trial's scores, and those of JPEG as it is over the same images.

    scores: as in `analysis.run.Run`; baseline_ids: the trials that are JPEG as it is, one for each split of the run;
    by_system: whether over each camera system, over all, or both; groups: image -> group of images that belong
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
    baseline = baseline_of(scores, baseline_ids)
    places = baseline.place_qualities([reference_quality, STEP_QUALITY])
    yardstick = _Yardstick(baseline, int(places[0]), int(places[1]))
    parts: list[dict[str, Any]] = []
    for trial_id, every in scores.groupby("trial_id", sort=True, observed=True):
        rows, images = yardstick.paired(every)
        own = (inputs or {}).get(str(trial_id))
        entered = baseline if own is None else baseline_of(scores, [own])
        sides = _sides(rows, yardstick, images, entered)
        for split_up in by_system:
            keys = [*KEYS, *(["system"] if split_up else [])]
            parts += _average_cells(rows, sides, (yardstick, images), keys, groups, str(trial_id))
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
    points = (
        rows.assign(is_unknown=rows["margin"].isna())
        .groupby([*keys, "input_quality"], observed=True, as_index=False)
        .agg(
            margin=("margin", "min"),
            is_unknown=("is_unknown", "any"),
            mean_bytes=("mean_bytes", "first"),
            reference_bytes=("reference_bytes", "first"),
        )
    )
    points["margin"] = points["margin"].mask(points["is_unknown"])
    table = []
    for key, own in points.groupby(keys, observed=True):
        share = float(bytes_at_parity(own["mean_bytes"], own["margin"], own["reference_bytes"].mean()))
        sizes = own["mean_bytes"] / own["reference_bytes"]
        measured = bool(sizes.min() * (1 - SAME) <= share <= sizes.max() * (1 + SAME))
        table.append({**dict(zip(keys, key, strict=True)), "share": share, "is_measured": measured})
    return pd.DataFrame(table, columns=[*keys, "share", "is_measured"])


def baseline_of(scores: pd.DataFrame, baseline_ids: Collection[str]) -> Baseline:
    """Take the scores of JPEG as it is from those of a run. baseline_ids: a trial for each split of the run.

    An image that several of them scored counts once: its files are the same.
    """
    rows = scores[scores["trial_id"].isin(list(baseline_ids))][::-1]  # of what is set twice the last stays: the first
    qualities, *parts = (pd.Index(rows[name].unique()) for name in ("input_quality", *IMAGE))
    images = dict(zip(IMAGE, parts, strict=True))
    at = _places(qualities, rows["input_quality"]), _place_images(images, rows)
    shape = len(qualities) + 1, _n_places(images) + 1
    known = np.zeros(shape, np.bool_)
    known[at] = True
    tables = {name: np.full(shape, np.nan) for name in (*METRICS, BYTES)}
    for name, table in tables.items():
        table[at] = rows[name].to_numpy(np.float64)
    return Baseline(qualities, images, known, tables)


def is_perfect(scores: Floats) -> NDArray[np.bool_]:
    """Say which scores are those of an image identical to its original: an infinite PSNR."""
    return np.isinf(scores)


def _average_cells(
    rows: pd.DataFrame,
    sides: Mapping[str, _Sides],
    baseline: tuple[_Yardstick, Places],
    keys: list[str],
    groups: Mapping[int, int] | None,
    trial_id: str,
) -> list[dict[str, Any]]:
    """Return the columns of a trial's cells, of each metric."""
    by_cell = rows.groupby(keys, sort=True, observed=True)
    cells = Grouping(by_cell.ngroups, by_cell.ngroup().to_numpy(np.int64), _groups(by_cell, rows["image"], groups))
    index = by_cell.size().index.to_frame(index=False)
    yardstick, images = baseline
    finite = ~_left_out(sides["psnr_db"])
    shared: dict[str, Any] = {
        "trial_id": np.full(cells.n, trial_id, object),
        "system": np.full(cells.n, ALL, object),
        **{name: index[name].to_numpy(int if name == "input_quality" else object) for name in keys},
        "mean_bytes": cells.mean(rows[BYTES].to_numpy(np.float64)),
        "reference_bytes": cells.mean(yardstick.baseline.scores[BYTES][yardstick.reference, images]),
    }
    return [
        {
            **shared,
            **_average_metric(sides[metric], cells, metric),
            "metric": np.full(cells.n, metric, object),
            "mean_beside_psnr": cells.of(finite).mean(sides[metric].own[finite]),
        }
        for metric in METRICS
    ]


def _average_metric(sides: _Sides, cells: Grouping, metric: str) -> dict[str, NDArray[Any]]:
    direction = METRIC_DIRECTIONS[metric]
    kept = ~_left_out(sides)
    own = means_of(sides.own[kept], cells.of(kept))
    gained = means_of(direction * (sides.own[kept] - sides.reference[kept]), cells.of(kept))
    reference, lower = (cells.of(kept).mean(side[kept]) for side in (sides.reference, sides.lower))
    step = np.abs(reference - lower)
    step[step == 0] = np.nan
    gain = direction * (own.mean - reference)
    changed = ~(is_perfect(sides.own) | is_perfect(sides.entered) | np.isnan(sides.entered))
    change = sides.own[changed] - sides.entered[changed]
    found = means_of(change, cells.of(changed))
    return {
        **{"mean": own.mean, "sd": own.sd, "low": own.low, "high": own.high, "reference_mean": reference},
        **{"n_images": own.n, "n_fields": own.n_groups, "n_left_out": cells.counts - own.n},
        **{"step": step, "margin": gain / step, "reaches": gain >= 0},
        **{"gain": gain, "gain_low": gained.low, "gain_high": gained.high},
        **{"change": found.mean, "change_sd": found.sd, "change_low": found.low, "change_high": found.high},
        **{"n_changed": found.n, "n_improved": cells.of(changed).count(direction * change > 0)},
    }


def _sides(rows: pd.DataFrame, yardstick: _Yardstick, images: Places, entered: Baseline) -> dict[str, _Sides]:
    at = entered.place_qualities(rows["input_quality"]), entered.place_images(rows)
    sides = {}
    for metric in METRICS:
        jpeg = yardstick.baseline.scores[metric]
        found = (jpeg[yardstick.reference, images], jpeg[yardstick.lower, images], entered.scores[metric][at])
        sides[metric] = _Sides(*(_numbers(side, metric) for side in (rows[metric].to_numpy(np.float64), *found)))
    return sides


def _left_out(sides: _Sides) -> NDArray[np.bool_]:
    return is_perfect(sides.own) | is_perfect(sides.reference) | is_perfect(sides.lower)


def _numbers(scores: Floats, metric: str) -> Floats:
    """Return scores with NaN for whatever is neither a number nor the infinite PSNR of an identical image."""
    is_odd = np.isinf(scores) & ~((scores > 0) & (metric == "psnr_db"))
    return np.where(is_odd, np.nan, scores) if is_odd.any() else scores


def _groups(by_cell: Any, images: "pd.Series[Any]", groups: Mapping[int, int] | None) -> Places | None:
    """Return a number for each cell and group of images; an image without a group is one of its own."""
    if groups is None:
        return None
    known = images.map(groups)
    named = pd.MultiIndex.from_arrays([by_cell.ngroup(), known.isna(), known.fillna(images)])
    return np.asarray(named.factorize()[0])


def _n_places(images: Mapping[str, "pd.Index[Any]"]) -> int:
    return int(np.prod([len(index) for index in images.values()]))


def _place_images(images: Mapping[str, "pd.Index[Any]"], rows: pd.DataFrame) -> Places:
    place, is_known = np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)
    for name, index in images.items():
        part = _places(index, rows[name])
        place = place * len(index) + part
        is_known &= part >= 0
    return np.where(is_known, place, _n_places(images))


def _places(index: "pd.Index[Any]", values: "pd.Series[Any]") -> Places:
    """Return each value's place in an index, -1, which is the last one, where it is not there."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        known = np.append(index.get_indexer(pd.Index(values.cat.categories)), -1)
        return np.asarray(known[values.cat.codes.to_numpy()], np.int64)
    return np.asarray(index.get_indexer(pd.Index(values)), np.int64)
