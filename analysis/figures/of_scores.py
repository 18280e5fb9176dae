"""The figures of scores, with their captions: quality, bytes, distributions over images, outliers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import STEP_QUALITY
from analysis.codecs import RESTORED, points_of_cells
from analysis.figures import outliers, scores, violins
from analysis.figures.style import (
    COLOURS,
    Compared,
    Drawn,
    Picture,
    compared,
    counted,
    given,
    shared_rows,
    take_picture,
)
from analysis.findings import Findings
from analysis.records import heading, label
from models.names import METRICS

# Those of the thesis' figures 24 to 27; the reference's and the pick's are shown besides.
QUALITIES = (25, 40, 50, 75)
REGION_TITLES = {"full": "whole image", "crop": "centre crop"}
X_LABEL = "JPEG quality of the input"
TAILS = "A long tail means that some images are served badly, which a mean does not show."
UNSHARED = "JPEG as it is and the trials share no scored image"
N_NAMES = 8


@given(compared)
def curve(findings: Findings, shown: Compared) -> Drawn:
    """Draw mean PSNR and SSIM by input quality."""
    run = findings.run
    table = scores.quality_curve(run.scores, shown, run.reference_quality, run.images.groups or None)
    if not (table["place"] > 0).any():
        return UNSHARED
    caption = (
        "Mean PSNR and SSIM by the quality of the JPEG file that is restored, with 95 % intervals over fields. Where a "
        f"coloured line is above the dotted one, the restored images are as good as JPEG-{run.reference_quality} in "
        "that mean. The intervals of two models on the same images may overlap although their difference is certain: "
        f"the tables pair them.{shown.further()}"
    )
    caption += counted("Infinite values of PSNR, in no mean", int(table["n_left_out"].sum()))
    caption += counted("Means that are no numbers, not drawn", int(table["mean"].isna().sum()))
    caption += " Too few fields for intervals." if table["low"].isna().all() else ""
    figure = scores.draw_quality_curve(table, findings.pick, findings.strict, shown.split)
    return [take_picture("quality_curve", "Quality curve", caption, figure)]


@given(compared)
def sizes(findings: Findings, shown: Compared) -> Drawn:
    """Draw quality against bytes: JPEG as it is, restored, and other codecs."""
    names, points = [record.trial_id for record in shown.trials], findings.codecs.points
    has_codecs = len(points) > 0
    if not has_codecs:
        points = points_of_cells(findings.cells, names, shown.jpeg.trial_id, shown.split)
    restorers = names[: len(scores.RESTORED_COLOURS)]
    table = scores.quality_and_bytes(points, restorers)
    if not (table["kind"] == RESTORED).any():
        return UNSHARED
    others = "and other codecs on the same images." if has_codecs else "as no other codec was tried."
    caption = (
        "Mean PSNR by mean bytes of the files that are kept: JPEG as it is at each quality, the same files restored, "
        f"{others} Mean PSNR is the kindest of the four metrics to other codecs: the table of bytes at parity has all."
        f"{replace(shown, n_more=shown.n_more + len(names) - len(restorers)).further()}"
    )
    figure = scores.draw_quality_and_bytes(table, findings.pick, "test" if has_codecs else shown.split)
    return [take_picture("quality_and_bytes", "Quality and bytes", caption, figure)]


@given(compared)
def far_outliers(findings: Findings, shown: Compared) -> Drawn:
    """Draw the images that the best trial makes far worse than others (figure 28 of the thesis)."""
    every, best = findings.run.scores, shown.trials[0]
    of_best = every["trial_id"].isin([best.trial_id]) & (every["split"] == shown.split) & (every["region"] == "full")
    rows, n_alone = violins.relative_rows(every, shown.jpeg, every[of_best])
    found = outliers.ssim_outliers(rows)
    if found.boxes.empty:
        return "no restored image has a finite SSIM before and after"
    caption = (
        f"Change of SSIM from each JPEG file to the same image restored by {label(best)}: quartiles, and as outliers "
        f"what lies more than {outliers.FAR_OUT:.0f} times the distance between the quartiles below the lower one, at "
        f"each quality; right, their share of each camera system's images, with counts. {_outlier_sentence(found)}"
    )
    caption += counted("Scores that are not finite, or whose JPEG file has none", n_alone + found.n_left_out)
    title = f"Outliers of relative SSIM, {rows['image'].nunique()} {shown.split} images, whole image"
    return [take_picture("ssim_outliers", "Outliers", caption, outliers.draw_ssim_outliers(found, title))]


def _outlier_sentence(found: outliers.Outliers) -> str:
    n_outliers, n_images = int(found.boxes["n_outliers"].sum()), int(found.boxes["n_images"].sum())
    if not n_outliers:
        return f"There are none among {n_images} changes."
    systems = ", ".join(f"{count} of {system}" for system, count in found.images["system"].value_counts().items())
    names = [f"{row.name} at {row.input_quality}" for row in found.images.head(N_NAMES).itertuples(index=False)]
    more = " and others" if n_outliers > N_NAMES else ""
    share = f"{100 * n_outliers / n_images:.2f} %"
    return f"{n_outliers} of {n_images} changes are outliers ({share}): {systems}. The worst: {', '.join(names)}{more}."


def input_violins(findings: Findings) -> Drawn:
    """Draw JPEG as it is by quality: whole and cropped, and by camera system (figures 21 and 34 of the thesis)."""
    run, split = findings.run, findings.run.deciding_split
    ids = [record.trial_id for record in run.baselines]
    rows = run.scores[run.scores["trial_id"].isin(ids) & (run.scores["split"] == split)]
    if rows.empty:
        return f"JPEG as it is has no scores on {split} images"
    rows = rows.drop_duplicates(["image", "input_quality", "region"])
    images = f"JPEG as it is, {rows['image'].nunique()} {split} images"
    regions = rows.assign(series=_titled(rows["region"], REGION_TITLES))
    whole, further = _largest_systems(rows[rows["region"] == "full"])
    caption, title = f"Scores of every image as JPEG, against its original, by quality. {TAILS}", "JPEG as it is"
    found = violins.distribution_of(regions, "input_quality", "series")
    pictures = _draw("input_violins", title, caption, found, violins.ViolinSheet(images, X_LABEL))
    if whole["system"].nunique() > 1:
        caption = f"Scores of every image as JPEG, by quality and camera system.{further}"
        found = violins.distribution_of(whole, "input_quality", "system")
        sheet = violins.ViolinSheet(f"{images}, whole image", X_LABEL)
        pictures += _draw("input_violins_by_system", f"{title}, by camera system", caption, found, sheet)
    return pictures or "no score is a finite number"


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
    levels, level = _finite_means(rows[is_reference]), f"mean of JPEG-{reference}: what is to be reached"
    images = f"{rows['image'].nunique()} {shown.split} images"
    caption = (
        f"Scores of every image before and after restoring, {where}, by the quality of its JPEG file. "
        f"{TAILS}{shown.further()}{note}"
    )
    found = violins.distribution_of(rows.assign(series=_labelled(rows, shown)), "input_quality", "series")
    sheet = violins.ViolinSheet(f"{images}, {where}", X_LABEL, levels, level)
    return _draw(name, f"Models, {shown.split} images, {where}", caption, found, sheet)


@given(compared)
def change_violins(findings: Findings, shown: Compared) -> Drawn:
    """Draw what restoring changes in each image (figures 25 and 27 of the thesis)."""
    rows, note = _shown_rows(findings, shown)
    changed, n_alone = violins.relative_rows(findings.run.scores, shown.jpeg, rows)
    note += counted("Scores without one of their JPEG file, left out", n_alone)
    levels, level, pictures = dict.fromkeys(METRICS, 0.0), "0: as the JPEG file that was restored", []
    for region, where in REGION_TITLES.items():
        own = changed[changed["region"] == region]
        own = own.assign(series=_labelled(own, shown))
        title = f"Restored minus its own input, {own['image'].nunique()} {shown.split} images, {where}"
        caption = (
            f"Relative reconstruction: each image's score after restoring minus that of its JPEG file, {where}. What "
            f"lies beyond the line on the side that is not better was made worse.{shown.further()}{note}"
        )
        found = violins.distribution_of(own, "input_quality", "series", logarithmic=())
        sheet = violins.ViolinSheet(title, X_LABEL, levels, level, is_change=True)
        pictures += _draw(f"change_violins_{region}", f"What restoring changes, {where}", caption, found, sheet)
    return pictures or "no restored image has scores of its JPEG file"


@given(compared)
def system_violins(findings: Findings, shown: Compared) -> Drawn:
    """Draw models by camera system at one quality (figure 33 of the thesis)."""
    rows, note = _shown_rows(findings, shown)
    scored = [int(quality) for quality in rows["input_quality"].unique()]
    wanted = [quality for quality in (findings.pick.quality, STEP_QUALITY) if quality in scored]
    quality = next(iter([*wanted, *sorted(scored)]), 0)
    whole, further = _largest_systems(rows[(rows["region"] == "full") & (rows["input_quality"] == quality)])
    if whole["system"].nunique() < 2:
        return "the images that were scored are of a single camera system"
    names = {record.trial_id: heading(record) for record in shown.records}
    where = f"{whole['image'].nunique()} {shown.split} images, whole image"
    caption = (
        f"Scores of every image, restored from JPEG-{quality} and as it is, by camera system: a model may serve one "
        f"system and fail another.{shown.further()}{further}{note}"
    )
    found = violins.distribution_of(whole.assign(model=_titled(whole["trial_id"], names)), "model", "system")
    sheet = violins.ViolinSheet(f"JPEG-{quality} as it is and restored, {where}", "")
    return _draw("system_violins", "By camera system", caption, found, sheet) or "no score is a finite number"


def _draw(
    name: str, title: str, caption: str, found: violins.Distribution, sheet: violins.ViolinSheet
) -> list[Picture]:
    if found.table.empty:
        return []
    return [take_picture(name, title, caption + found.left_out(), violins.draw_violins(found, sheet))]


def _shown_rows(findings: Findings, shown: Compared) -> tuple[pd.DataFrame, str]:
    """Return the rows of what is compared at the qualities that are shown, and what is to be said of the others."""
    rows, n_unshared = shared_rows(findings.run.scores, shown)
    note = counted("Images and regions not scored by all of them, left out", n_unshared)
    scored = sorted(rows.loc[rows["trial_id"] != shown.jpeg.trial_id, "input_quality"].unique())
    wanted = {*QUALITIES, findings.run.reference_quality, findings.pick.quality}
    kept = [quality for quality in scored if quality in wanted] or scored
    others = [str(quality) for quality in scored if quality not in kept]
    note += f" Further qualities, in the tables: {', '.join(others)}." if others else ""
    return rows[rows["input_quality"].isin(kept)], note


def _finite_means(rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean of the finite scores of each metric; a metric without any is not there."""
    means = rows[list(METRICS)].replace([np.inf, -np.inf], np.nan).mean().dropna()
    return {str(metric): float(mean) for metric, mean in means.items()}


def _largest_systems(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the camera systems with most images, as many as there are colours, and name the others."""
    sizes = rows.groupby("system", observed=True)["image"].nunique().sort_values(ascending=False, kind="stable")
    others = sorted(map(str, sizes.index[len(COLOURS) :]))
    kept = rows[rows["system"].isin(sizes.index[: len(COLOURS)])]
    return kept, f" Further camera systems, in the tables: {', '.join(others)}." if others else ""


def _labelled(rows: pd.DataFrame, shown: Compared) -> "pd.Categorical[Any]":
    return _titled(rows["trial_id"], {record.trial_id: label(record) for record in shown.records})


def _titled(column: "pd.Series[Any]", titles: Mapping[str, str]) -> "pd.Categorical[Any]":
    """Replace names by their titles, in the titles' order."""
    return pd.Categorical(column.astype(str).map(dict(titles)), list(dict.fromkeys(titles.values())))
