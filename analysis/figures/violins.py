"""Violins: distributions over images of the four metrics, of JPEG as it is, of models, and of what a model changes."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.cells import STEP_QUALITY
from analysis.decide import METRIC_TITLES
from analysis.figures.compared import Compared, compared, shared_rows
from analysis.figures.picture import Drawn, Picture, counted, given, take_picture
from analysis.figures.style import COLOURS, LEVEL, finish, label_plainly, new_figure
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL, heading, label
from analysis.run import Run
from models.names import METRIC_DIRECTIONS, METRICS
from search.records import TrialRecord

# Those of the thesis' figures 24 to 27; the reference's and the pick's are shown besides.
QUALITIES = (25, 40, 50, 75)
REGION_TITLES = {"full": "whole image", "crop": "centre crop"}
# Shown on a logarithmic axis, as their values span a power of ten or two: an error of 0 has no place on it.
ERRORS = ("mae", "mse")
# Of no more images a violin's shape is mostly its smoothing: each is a point instead.
FEW_IMAGES = 20
X_LABEL = "JPEG quality of the input"
UNSHARED = "JPEG as it is and the trials share no scored image"
NOT_FINITE = "no score is a finite number"


@dataclass(frozen=True)
class Sheet:
    """What stands around violins. heading: above them; x, series: columns of the rows that are drawn.

    levels: metric -> a value to draw as a line, and level: what that is. is_change: the values are differences.
    """

    heading: str
    x: str
    series: str
    levels: Mapping[str, float] = field(default_factory=dict)
    level: str = ""
    is_change: bool = False


def input_violins(findings: Findings) -> Drawn:
    """Draw JPEG as it is by quality: whole and cropped, and by camera system (figures 21 and 34 of the thesis)."""
    run, split = findings.run, findings.run.deciding_split
    ids = [record.trial_id for record in run.baselines]
    rows = run.scores[run.scores["trial_id"].isin(ids) & (run.scores["split"] == split)]
    if rows.empty:
        return f"JPEG as it is has no scores on {split} images"
    rows = rows.drop_duplicates(["image", "input_quality", "region"])
    rows = rows.assign(where=_titled(rows["region"], REGION_TITLES))
    images = f"JPEG as it is, {rows['image'].nunique()} {split} images"
    pictures = _draw("input_violins", rows, Sheet(images, "input_quality", "where"))
    whole, further = _largest_systems(rows[rows["region"] == "full"])
    if whole["system"].nunique() > 1:
        sheet = Sheet(f"{images}, whole image", "input_quality", "system")
        pictures += _draw("input_violins_by_system", whole, sheet, more=further)
    return pictures or NOT_FINITE


@given(compared)
def model_violins(findings: Findings, shown: Compared) -> Drawn:
    """Draw restored images beside JPEG as it is (figures 24 and 26 of the thesis).

    Where a single trial has test scores, the others are compared with it on validation images besides.
    """
    pictures = [one for region in REGION_TITLES for one in _models(findings, shown, region, f"model_violins_{region}")]
    others = compared(findings, "validation") if shown.split == "test" and len(shown.trials) == 1 else shown
    if isinstance(others, Compared) and others is not shown and len(others.trials) > 1:
        pictures += _models(findings, others, "full", "model_violins_validation")
    return pictures or UNSHARED


def _models(findings: Findings, shown: Compared, region: str, name: str) -> list[Picture]:
    rows, note = _shown_rows(findings, shown)
    rows, reference, where = rows[rows["region"] == region], findings.run.reference_quality, REGION_TITLES[region]
    is_reference = (rows["trial_id"] == shown.jpeg.trial_id) & (rows["input_quality"] == reference)
    means = rows.loc[is_reference, list(METRICS)].replace([np.inf, -np.inf], np.nan).mean().dropna()
    levels = {str(metric): float(mean) for metric, mean in means.items()}
    above, level = f"{rows['image'].nunique()} {shown.split} images, {where}", f"mean of JPEG-{reference}: required"
    sheet, words = Sheet(above, "input_quality", "model", levels, level), {"split": shown.split, "where": where}
    return _draw("model_violins", rows, sheet, words, f"{shown.further()}{note}", name)


@given(compared)
def change_violins(findings: Findings, shown: Compared) -> Drawn:
    """Draw what restoring changes in each image (figures 25 and 27 of the thesis)."""
    rows, note = _shown_rows(findings, shown)
    changed, n_alone = relative_rows(findings.run, shown.jpeg, rows)
    more = shown.further() + note + counted("Scores without one of their JPEG file, left out", n_alone)
    levels, level, pictures = dict.fromkeys(METRICS, 0.0), "0: as the JPEG file that was restored", []
    for region, where in REGION_TITLES.items():
        own = changed[changed["region"] == region]
        above = f"Restored minus its own input, {own['image'].nunique()} {shown.split} images, {where}"
        sheet = Sheet(above, "input_quality", "model", levels, level, is_change=True)
        pictures += _draw("change_violins", own, sheet, {"where": where}, more, f"change_violins_{region}")
    return pictures or "no restored image has scores of its JPEG file"


@given(compared)
def system_violins(findings: Findings, shown: Compared) -> Drawn:
    """Draw models by camera system at one quality (figure 33 of the thesis)."""
    rows, note = _shown_rows(findings, shown)
    scored = sorted(int(quality) for quality in rows["input_quality"].unique())
    wanted = [quality for quality in (findings.pick.quality, STEP_QUALITY) if quality in scored]
    quality = next(iter([*wanted, *scored]), 0)
    whole, further = _largest_systems(rows[(rows["region"] == "full") & (rows["input_quality"] == quality)])
    if whole["system"].nunique() < 2:
        return "the images that were scored are of a single camera system"
    headings = {record.trial_id: heading(record) for record in shown.records}
    whole = whole.assign(model=_titled(whole["trial_id"], headings))
    above = f"JPEG-{quality} as it is and restored, {whole['image'].nunique()} {shown.split} images, whole image"
    more, sheet = f"{shown.further()}{further}{note}", Sheet(above, "model", "system")
    return _draw("system_violins", whole, sheet, {"quality": quality}, more) or NOT_FINITE


def relative_rows(run: Run, jpeg: TrialRecord, rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Turn scores of restored images into what restoring changed: minus those of the JPEG file that was restored.

    Relative reconstruction, section 3.5 of the thesis. jpeg: JPEG as it is, which trials restore that have no encoder.
    Returns the rows whose input has scores, without JPEG as it is, and the number of those whose input has none.
    """
    own = {record.trial_id: run.input_of(record) for record in run.trials if record.spec.encoder is not None}
    restored, keys = rows[rows["trial_id"] != jpeg.trial_id], ["split", "region", "image", "input_quality"]
    entered = restored["trial_id"].astype(str).map(lambda trial_id: own.get(trial_id, jpeg.trial_id)).astype(str)
    inputs = run.scores.loc[run.scores["trial_id"].isin(entered.unique()), ["trial_id", *keys, *METRICS]]
    inputs = inputs.astype({"trial_id": str}).rename(columns={"trial_id": "entered"})
    left = restored[keys].assign(entered=entered)
    both = left.merge(inputs, on=[*keys, "entered"], how="left", indicator=True).set_axis(restored.index)
    known = both["_merge"] == "both"
    with np.errstate(invalid="ignore"):  # inf - inf, where neither side has an error
        changed = restored.assign(**{metric: restored[metric] - both[metric] for metric in METRICS})
    return changed[known], int((~known).sum())


def distribution_of(rows: pd.DataFrame, sheet: Sheet) -> tuple[pd.DataFrame, str]:
    """Return x, series, metric and value of what an axis can show, and say how many values of a metric it cannot.

    Values that are not finite are left out, and errors of 0 on a logarithmic axis.
    """
    table = rows.melt([sheet.x, sheet.series], list(METRICS), "metric", "value")
    is_logarithmic = table["metric"].isin([] if sheet.is_change else ERRORS)
    kept = np.isfinite(table["value"]) & ~(is_logarithmic & (table["value"] <= 0))
    lacking = table.loc[~kept, "metric"].value_counts().reindex(METRICS).dropna()
    counts = ", ".join(f"{count:.0f} of {METRIC_TITLES[str(metric)]}" for metric, count in lacking.items())
    note = f" Values left out, being not finite or an error of 0 (an image identical to its original): {counts}."
    table = table.rename(columns={sheet.x: "x", sheet.series: "series"})[kept]
    return table.assign(x=_category(table["x"]), series=_category(table["series"])), note if counts else ""


def draw_violins(table: pd.DataFrame, sheet: Sheet) -> Figure:
    """Draw a distribution with quartiles; series stand beside each other, two of them as the halves of a violin.

    Where a violin would be of few images each is a point instead.
    """
    names = [str(name) for name in table["series"].cat.categories]
    pale = (to_hex((0.6 * np.array(to_rgb(colour)) + 0.4).tolist()) for colour in COLOURS)
    fills = {name: "#bbbbbb" if name == BASELINE_LABEL else next(pale) for name in names}
    is_few = bool(table.groupby(["x", "series", "metric"], observed=True).size().max() <= FEW_IMAGES)
    metrics = [metric for metric in METRICS if (table["metric"] == metric).any()]
    figure = new_figure(8.6, 0.6 + 2.0 * len(metrics) + 0.18 * len(names))
    shown = {"x": "x", "y": "value", "hue": "series", "hue_order": names, "palette": fills, "legend": False}
    violin = {"split": len(names) == 2, "inner": "quart", "cut": 0, "gridsize": 64, "density_norm": "width"}
    for panel, metric in zip(figure.subplots(len(metrics), sharex=True, squeeze=False)[:, 0], metrics, strict=True):
        own = table[table["metric"] == metric]
        panel.set_yscale("log" if metric in ERRORS and not sheet.is_change else "linear")
        with warnings.catch_warnings():  # of an axis whose values are all one, which matplotlib widens as it says
            warnings.filterwarnings("ignore", "Attempting to set identical low and high")
            if is_few:
                seaborn.stripplot(own, **shown, dodge=len(fills) > 1, jitter=False, size=4, linewidth=0.5, ax=panel)
            else:
                seaborn.violinplot(own, **shown, **violin, saturation=1, linewidth=0.8, ax=panel)
        if metric in sheet.levels:
            panel.axhline(sheet.levels[metric], **LEVEL)
        if panel.get_yscale() == "log":
            low, high = panel.get_ylim()
            label_plainly(panel.yaxis, "{x:g}", (1, 2, 5) if high > 5 * low else (1, 1.5, 2, 3, 4, 5, 7))
        side = "above" if METRIC_DIRECTIONS[metric] > 0 else "below"
        change = f"change of {METRIC_TITLES[metric]}\n{side} 0: better"
        plain = f"{METRIC_TITLES[metric]}\n{'higher' if side == 'above' else 'lower'} is better"
        panel.set(xlabel=X_LABEL if sheet.x == "input_quality" else "", ylabel=change if sheet.is_change else plain)
    handles: list[Any] = [Patch(facecolor=fill, edgecolor="#444444", label=name) for name, fill in fills.items()]
    handles += [Line2D([], [], label=sheet.level, **LEVEL)] if sheet.levels else []
    reading = "points: images" if is_few else "dashes: median, dots: quartiles"
    finish(figure, f"{sheet.heading}\n{reading}", *handles, lines="y")
    return figure


def _draw(
    entry: str, rows: pd.DataFrame, sheet: Sheet, words: Mapping[str, Any] | None = None, more: str = "", name: str = ""
) -> list[Picture]:
    table, note = distribution_of(rows, sheet)
    return [] if table.empty else [take_picture(entry, draw_violins(table, sheet), words, more + note, name)]


def _shown_rows(findings: Findings, shown: Compared) -> tuple[pd.DataFrame, str]:
    """Return the rows of what is compared at the qualities that are shown, and what is to be said of the others."""
    rows, n_unshared = shared_rows(findings.run.scores, shown)
    rows = rows.assign(model=_titled(rows["trial_id"], {record.trial_id: label(record) for record in shown.records}))
    note = counted("Images and regions not scored by all of them, left out", n_unshared)
    scored = sorted(rows.loc[rows["trial_id"] != shown.jpeg.trial_id, "input_quality"].unique())
    wanted = {*QUALITIES, findings.run.reference_quality, findings.pick.quality}
    kept = [quality for quality in scored if quality in wanted] or scored
    others = ", ".join(str(quality) for quality in scored if quality not in kept)
    note += f" Further qualities, in the tables: {others}." if others else ""
    return rows[rows["input_quality"].isin(kept)], note


def _largest_systems(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the camera systems with most images, as many as there are colours, and name the others."""
    n_images = rows.groupby("system", observed=True)["image"].nunique().sort_values(ascending=False, kind="stable")
    others = ", ".join(sorted(map(str, n_images.index[len(COLOURS) :])))
    kept = rows[rows["system"].isin(n_images.index[: len(COLOURS)])]
    return kept, f" Further camera systems, in the tables: {others}." if others else ""


def _titled(column: "pd.Series[Any]", titles: Mapping[str, str]) -> "pd.Categorical[Any]":
    """Replace names by their titles, in the titles' order."""
    return pd.Categorical(column.astype(str).map(dict(titles)), list(dict.fromkeys(titles.values())))


def _category(column: "pd.Series[Any]") -> "pd.Categorical[Any]":
    """Return words or numbers as categories without unused ones, in the order that a column of categories has."""
    return pd.Categorical(column).remove_unused_categories()
