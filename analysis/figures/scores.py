"""Figures of scores: the quality curve, quality against bytes, outliers of relative SSIM."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.cells import average
from analysis.codecs import JPEG, RESTORED, points_of_cells, title_of
from analysis.decide import Pick
from analysis.figures.compared import Compared, compared, shared_rows
from analysis.figures.picture import Drawn, counted, given, take_picture
from analysis.figures.style import COLOURS, LEVEL, finish, label_plainly, look, new_figure, tidy
from analysis.figures.violins import UNSHARED, relative_rows
from analysis.findings import Findings
from analysis.records import label
from analysis.strict import StrictPick

PANELS = {"psnr_db": "mean PSNR, dB", "ssim": "mean SSIM"}
ASIDE = 0.5  # steps of quality between models, so that their intervals stand side by side
SSIM_TICKS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
N_RESTORERS = 3  # beside other codecs
# So many times the distance between the quartiles below the lower one: "far out" of Tukey, Exploratory Data Analysis
# (1977). The thesis gives no rule for the 0.4 % that it calls outliers.
FAR_OUT = 3.0
N_NAMES = 8
RING: dict[str, Any] = {"linestyle": "none", "color": "#000000", "markersize": 14, "markerfacecolor": "none"}


@given(compared)
def curve(findings: Findings, shown: Compared) -> Drawn:
    """Draw mean PSNR and SSIM by input quality."""
    run = findings.run
    table = quality_curve(run.scores, shown, run.reference_quality, run.images.groups or None)
    if not (table["place"] > 0).any():
        return UNSHARED
    more = shown.further() + counted("Infinite values of PSNR, in no mean", int(table["n_left_out"].sum()))
    more += counted("Means that are no numbers, not drawn", int(table["mean"].isna().sum()))
    more += " Too few fields for intervals." if table["low"].isna().all() else ""
    figure = draw_quality_curve(table, findings.pick, findings.strict, shown.split)
    return [take_picture("quality_curve", figure, {"reference": f"JPEG-{run.reference_quality}"}, more)]


def quality_curve(
    scores: pd.DataFrame, shown: Compared, reference_quality: int, groups: Mapping[int, int] | None = None
) -> pd.DataFrame:
    """Average PSNR and SSIM by input quality over the images that what is compared has in common, whole image.

    Returns rows of `analysis.cells.average` with place (0 is JPEG as it is) and label.
    """
    rows, _ = shared_rows(scores, shown)
    cells = average(rows[rows["region"] == "full"], [shown.jpeg.trial_id], reference_quality, groups=groups)
    places = {record.trial_id: place for place, record in enumerate(shown.records)}
    labels = {record.trial_id: label(record) for record in shown.records}
    table = cells.assign(place=cells["trial_id"].map(places), label=cells["trial_id"].map(labels))
    return table[table["metric"].isin(list(PANELS))].sort_values(["place", "input_quality"], ignore_index=True)


def draw_quality_curve(table: pd.DataFrame, pick: Pick, strict: StrictPick, split: str) -> Figure:
    """Draw a `quality_curve`, with the reference's level as a line, the pick by means as a ring and what the strict
    rule demonstrates as a square."""
    n_places = table["place"].nunique()
    table = table.assign(x=table["input_quality"] + (table["place"] - (n_places - 1) / 2) * ASIDE)
    rings = (
        (f"the pick: quality {pick.quality}", "o", [pick.trial_id], pick.quality),
        (f"the strict rule's: quality {strict.quality}", "s", list(strict.trial_ids), strict.quality),
    )
    figure = new_figure(10.0, 4.4 + 0.2 * n_places)
    for panel, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        own = table[table["metric"] == metric]
        for place, line in own.groupby("place"):
            bounds = np.stack([line["mean"] - line["low"], line["high"] - line["mean"]])
            style = {"markersize": 4.5, "linewidth": 1.2, "capsize": 2, **look(int(str(place)))}
            panel.errorbar(line["x"], line["mean"], bounds, label=str(line["label"].iloc[0]), **style)
        for level in own.loc[(own["place"] == 0) & (own["input_quality"] == pick.reference_quality), "mean"]:
            panel.axhline(level, label=f"level of JPEG-{pick.reference_quality}", **LEVEL)
        for name, marker, trials, quality in rings:
            at = own[own["trial_id"].isin(trials) & (own["input_quality"] == quality)]
            if len(at):
                panel.plot(at["x"], at["mean"], label=name, marker=marker, **RING)
        panel.set(xlabel="JPEG quality of the input", ylabel=title, xticks=sorted(table["input_quality"].unique()))
    finish(figure, f"Mean over {table['n_images'].max()} {split} images with its 95 % interval, whole image")
    return figure


@given(compared)
def sizes(findings: Findings, shown: Compared) -> Drawn:
    """Draw quality against bytes: JPEG as it is, restored, and other codecs."""
    names, points = [record.trial_id for record in shown.trials], findings.codecs.points
    has_codecs = len(points) > 0
    if not has_codecs:
        points = points_of_cells(findings.cells, names, shown.jpeg.trial_id, shown.split)
    order = {JPEG: 0, **{name: place for place, name in enumerate(names[:N_RESTORERS], start=1)}}
    points = points[(points["kind"] != RESTORED) | points["name"].isin(list(order))]
    points = points.assign(order=points["name"].map(order).fillna(len(order)))
    points = points.sort_values(["order", "name", "setting"], ignore_index=True)
    if not (points["kind"] == RESTORED).any():
        return UNSHARED
    others = "and other codecs on the same images." if has_codecs else "as no other codec was tried."
    more = replace(shown, n_more=shown.n_more + max(0, len(names) - N_RESTORERS)).further()
    figure = draw_quality_and_bytes(points, findings.pick, "test" if has_codecs else shown.split)
    return [take_picture("quality_and_bytes", figure, {"others": others}, more)]


def draw_quality_and_bytes(points: pd.DataFrame, pick: Pick, split: str) -> Figure:
    """Draw points of `analysis.codecs` in their order, by PSNR and by SSIM; dotted lines cross at the reference."""
    figure = new_figure(10.0, 5.0 + 0.2 * points["name"].nunique())
    for panel, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        _draw_by_bytes(panel, points, metric, pick)
        panel.set(xscale="log", xlabel="mean bytes of a file", ylabel=title)
        label_plainly(panel.xaxis, "{x:,.0f}")
        if metric == "ssim":
            nearness = (  # of an SSIM to 1, in powers of ten
                lambda ssim: -np.log10(np.maximum(1 - np.asarray(ssim), 1e-6)),
                lambda powers: 1 - np.power(10, -powers),
            )
            panel.set_yscale("function", functions=nearness)
            panel.set_yticks([ssim for ssim in SSIM_TICKS if panel.get_ylim()[0] <= ssim <= panel.get_ylim()[1]])
    finish(figure, f"{points['n_images'].max()} {split} images, whole image")
    return figure


def _draw_by_bytes(panel: Axes, points: pd.DataFrame, metric: str, pick: Pick) -> None:
    for place, name in enumerate(dict.fromkeys(points["name"])):
        line = points[points["name"] == name]
        kind = str(line["kind"].iloc[0])
        style = look(place) | ({"linewidth": 1.8} if kind == RESTORED else {"linestyle": "--", "linewidth": 1})
        panel.plot(line["mean_bytes"], line[metric], label=title_of(name, kind), markersize=5, **style)
        if place < 2:  # JPEG as it is, and the best restorer
            for quality, *at in line[["setting", "mean_bytes", metric]].itertuples(index=False):
                aside = (4, 5) if place else (4, -11)
                panel.annotate(f"{quality}", at, aside, textcoords="offset points", fontsize=7, color=style["color"])
    reference = points[(points["name"] == JPEG) & (points["setting"] == pick.reference_quality)]
    for n_bytes, mean in zip(reference["mean_bytes"], reference[metric], strict=True):
        crossing = f"JPEG-{pick.reference_quality}: above and left of the crossing is smaller and better"
        panel.axhline(mean, label=crossing, **LEVEL)
        panel.axvline(n_bytes, **LEVEL)
    picked = points[(points["name"] == pick.trial_id) & (points["setting"] == pick.quality)]
    if not picked.empty:
        text = f"the pick: quality {pick.quality}"
        panel.plot(picked["mean_bytes"], picked[metric], label=text, marker="o", **RING)


@given(compared)
def far_outliers(findings: Findings, shown: Compared) -> Drawn:
    """Draw the images that the best trial makes far worse than others (figure 28 of the thesis)."""
    every, best = findings.run.scores, shown.trials[0]
    of_best = every["trial_id"].isin([best.trial_id]) & (every["split"] == shown.split) & (every["region"] == "full")
    changes, n_alone = relative_rows(findings.run, shown.jpeg, every[of_best])
    table = ssim_outliers(changes)
    if table.empty:
        return "no restored image has a finite SSIM before and after"
    words = {"restorer": label(best), "far": FAR_OUT, "found": _outlier_sentence(table)}
    n_left_out = n_alone + len(changes) - len(table)
    more = counted("Scores that are not finite, or whose JPEG file has none", n_left_out)
    title = f"Outliers of relative SSIM, {table['image'].nunique()} {shown.split} images, whole image"
    return [take_picture("ssim_outliers", draw_ssim_outliers(table, title), words, more)]


def ssim_outliers(changes: pd.DataFrame) -> pd.DataFrame:
    """Mark the images whose SSIM restoring changes for the worse by far more than that of others, at each quality.

    changes: rows of one trial and region, as `relative_rows` returns them. Returns those that are finite:
    input_quality, system, image, name, change, is_outlier.
    """
    table = changes.rename(columns={"ssim": "change"})[["input_quality", "system", "image", "name", "change"]]
    table = table[np.isfinite(table["change"])].astype({"system": str})
    by_quality = table.groupby("input_quality")["change"]
    low, high = (table["input_quality"].map(by_quality.quantile(share)) for share in (0.25, 0.75))
    found: pd.DataFrame = table.assign(is_outlier=table["change"] < low - FAR_OUT * (high - low))
    return found


def draw_ssim_outliers(table: pd.DataFrame, title: str) -> Figure:
    """Draw `ssim_outliers`: the changes with their outliers, and the share of outliers by camera system if any are."""
    n_panels = 2 if table["is_outlier"].any() else 1
    figure = new_figure(5.0 * n_panels, 4.4)
    left, *others = figure.subplots(1, n_panels, squeeze=False)[0]
    systems = sorted(table["system"].unique())
    colours = dict(zip(systems, len(systems) * COLOURS, strict=False))
    table = table.assign(share=100.0 * table["is_outlier"])
    by_quality = {str(quality): own["change"] for quality, own in table.groupby("input_quality")}
    left.boxplot(list(by_quality.values()), tick_labels=list(by_quality), whis=FAR_OUT, flierprops={"markersize": 3})
    left.axhline(0, **LEVEL)
    left.set_ylabel("change of SSIM by restoring\nbelow 0: made worse")
    for right in others:
        seaborn.barplot(table, x="input_quality", y="share", hue="system", palette=colours, errorbar=None, ax=right)
        right.set_ylabel("outliers, % of the system's images")
        right.set_ylim(bottom=0, top=max(right.get_ylim()[1], 1.0))
    for panel in (left, *others):
        panel.set_xlabel("JPEG quality of the input")
        tidy(panel, "y")
    figure.suptitle(title, fontsize=11)
    return figure


def _outlier_sentence(table: pd.DataFrame) -> str:
    found = table[table["is_outlier"]].sort_values("change")
    if found.empty:
        return f"There are none among {len(table)} changes."
    systems = ", ".join(f"{count} of {system}" for system, count in found["system"].value_counts().items())
    named = ", ".join(f"{row.name} at {row.input_quality}" for row in found.head(N_NAMES).itertuples(index=False))
    more = " and others" if len(found) > N_NAMES else ""
    share = f"{len(found) / len(table):.2%}".replace("%", " %")
    return f"{len(found)} of {len(table)} changes are outliers ({share}): {systems}. The worst: {named}{more}."
