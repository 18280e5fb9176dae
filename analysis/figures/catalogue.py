"""Every figure of a run, in the order of the page: what it is drawn from, its caption, and why one is missing."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.image import imsave
from numpy.typing import NDArray

from analysis.cells import STEP_QUALITY
from analysis.checks import RunError
from analysis.codecs import RESTORED, points_of_cells
from analysis.figures import compared as pixels_compared
from analysis.figures import gallery, outliers, scores, search, spectra, violins
from analysis.figures.pixels import to_luma, worst_place
from analysis.figures.style import COLOURS, Compared, Picture, compared, margin_axis, shared_rows, take_picture
from analysis.figures.tiles import draw_tiles
from analysis.findings import Findings
from analysis.pictures import Gallery, Samples, read_gallery, read_samples
from analysis.records import fidelity_sentence, heading, label
from models.names import METRICS

Drawn = list[Picture] | str  # pictures, or the reason why there is none

# Those of the thesis' figures 24 to 27; the reference's and the pick's are shown besides.
QUALITIES = (25, 40, 50, 75)
REGION_TITLES = {"full": "whole image", "crop": "centre crop"}
X_LABEL = "JPEG quality of the input"
TAILS = "A long tail means that some images are served badly, which a mean does not show."
WHY_SHOWN = {"fixed": "chosen beforehand", "worst": "among those that JPEG treats worst"}
ERRORS = "Errors are in steps of 8 bits: mid-grey is none, white is too dark a picture, black too bright a one."
N_MODELS, N_NAMES = 3, 8
SLIDER_PX = 128
NO_SAMPLES = "no trial has scores and is free of suspicion"


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the catalogue. section: of the page; draw: makes it; is_folded: starts folded on the page."""

    title: str
    section: str
    draw: Callable[[Findings], Drawn]
    is_folded: bool = True


@dataclass(frozen=True)
class BeforeAfter:
    """A part of an image, PNG files: original, as JPEG, restored. caption: what it shows."""

    original: bytes
    degraded: bytes
    restored: bytes
    quality: int
    caption: str


def draw_figures(findings: Findings) -> tuple[dict[str, list[Picture]], list[str]]:
    """Draw every figure that the run has data for, by its title; and a sentence for each that is missing."""
    pictures: dict[str, list[Picture]] = {}
    notes: list[str] = []
    for spec in CATALOGUE:
        drawn = spec.draw(findings)
        if isinstance(drawn, str):
            notes.append(f"No figure {spec.title.lower()!r}: {drawn.rstrip('.')}.")
        else:
            pictures[spec.title] = drawn
    return pictures, list(dict.fromkeys(notes))


def before_after(findings: Findings) -> BeforeAfter | None:
    """Cut the part of a sample image where JPEG errs most, to be compared by eye; None where there is no sample."""
    samples = _samples_of_best(findings)
    if isinstance(samples, str) or findings.best is None:
        return None
    name, quality = samples.names[-1], samples.nearest_quality(_looked_at(findings))
    original, degraded, restored = samples.versions(name, quality)
    place = worst_place(to_luma(original) - to_luma(degraded), SLIDER_PX)
    parts = [_png(version[place]) for version in (original, degraded, restored)]
    return BeforeAfter(
        parts[0],
        parts[1],
        parts[2],
        quality,
        f"{name}, where JPEG-{quality} errs most; restored by {label(findings.best)}.",
    )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png")
    return buffer.getvalue()


def curve(findings: Findings) -> Drawn:
    run, shown = findings.run, compared(findings)
    if isinstance(shown, str):
        return shown
    table = scores.quality_curve(run.scores, shown, run.reference_quality, run.images.groups or None)
    if not (table["place"] > 0).any():
        return "JPEG as it is and the trials share no scored image"
    caption = (
        "Mean PSNR and SSIM by the quality of the JPEG file that is restored, with 95 % intervals over fields. Where a "
        f"coloured line is above the dotted one, the restored images are as good as JPEG-{run.reference_quality} in "
        "that mean. The intervals of two models on the same images may overlap although their difference is certain: "
        f"the tables pair them.{shown.further()}"
    )
    n_left_out, n_unknown = int(table["n_left_out"].sum()), int(table["mean"].isna().sum())
    caption += f" Infinite values of PSNR, in no mean: {n_left_out}." if n_left_out else ""
    caption += f" Means that are no numbers, not drawn: {n_unknown}." if n_unknown else ""
    caption += " Too few fields for intervals." if table["low"].isna().all() else ""
    figure = scores.draw_quality_curve(table, findings.pick, findings.strict, shown.split)
    return [take_picture("quality_curve", "Quality curve", caption, figure)]


def sizes(findings: Findings) -> Drawn:
    """Quality against bytes: JPEG as it is, restored, and other codecs."""
    shown, points = compared(findings), findings.codecs.points
    if isinstance(shown, str):
        return shown
    names, split = [record.trial_id for record in shown.trials], "test" if len(points) else shown.split
    if not len(points):
        points = points_of_cells(findings.cells, names, shown.jpeg.trial_id, shown.split)
    restorers = names[: len(scores.RESTORED_COLOURS)]
    table = scores.quality_and_bytes(points, restorers)
    if not (table["kind"] == RESTORED).any():
        return "JPEG as it is and the trials share no scored image"
    others = "and other codecs on the same images." if len(findings.codecs.points) else "as no other codec was tried."
    caption = (
        "Mean PSNR by mean bytes of the files that are kept: JPEG as it is at each quality, the same files restored, "
        f"{others} Mean PSNR is the kindest of the four metrics to other codecs: the table of bytes at parity has all."
        f"{replace(shown, n_more=shown.n_more + len(names) - len(restorers)).further()}"
    )
    figure = scores.draw_quality_and_bytes(table, findings.pick, split)
    return [take_picture("quality_and_bytes", "Quality and bytes", caption, figure)]


def far_outliers(findings: Findings) -> Drawn:
    """Images that the best trial makes far worse than others (figure 28 of the thesis)."""
    run, shown = findings.run, compared(findings)
    if isinstance(shown, str):
        return shown
    best = shown.trials[0]
    of_best = run.scores["trial_id"].isin([best.trial_id]) & (run.scores["split"] == shown.split)
    rows, n_alone = violins.relative_rows(
        run.scores, shown.jpeg, run.scores[of_best & (run.scores["region"] == "full")]
    )
    found = outliers.ssim_outliers(rows)
    if found.boxes.empty:
        return "no restored image has a finite SSIM before and after"
    caption = (
        f"Change of SSIM from each JPEG file to the same image restored by {label(best)}: quartiles, and as outliers "
        f"what lies more than {outliers.FAR_OUT:.0f} times the distance between the quartiles below the lower one, at "
        f"each quality; right, their share of each camera system's images, with counts. {_outlier_sentence(found)}"
    )
    n_left_out = n_alone + found.n_left_out
    caption += f" Scores that are not finite, or whose JPEG file has none: {n_left_out}." if n_left_out else ""
    title = f"Outliers of relative SSIM, {rows['image'].nunique()} {shown.split} images, whole image"
    return [take_picture("ssim_outliers", "Outliers", caption, outliers.draw_ssim_outliers(found, title))]


def _outlier_sentence(found: outliers.Outliers) -> str:
    n_outliers, n_images = int(found.boxes["n_outliers"].sum()), int(found.boxes["n_images"].sum())
    if not n_outliers:
        return f"There are none among {n_images} changes."
    by_system = found.images.groupby("system").size().sort_values(ascending=False, kind="stable")
    systems = ", ".join(f"{count} of {system}" for system, count in by_system.items())
    names = [f"{row.name} at {row.input_quality}" for row in found.images.head(N_NAMES).itertuples(index=False)]
    more = " and others" if n_outliers > N_NAMES else ""
    share = f"{100 * n_outliers / n_images:.2f} %"
    return f"{n_outliers} of {n_images} changes are outliers ({share}): {systems}. The worst: {', '.join(names)}{more}."


def input_violins(findings: Findings) -> Drawn:
    """JPEG as it is by quality: whole image and centre crop, and by camera system (figures 21 and 34 of the thesis)."""
    run, split = findings.run, findings.run.deciding_split
    ids = [record.trial_id for record in run.baselines]
    rows = run.scores[run.scores["trial_id"].isin(ids) & (run.scores["split"] == split)]
    if rows.empty:
        return f"JPEG as it is has no scores on {split} images"
    rows = rows.drop_duplicates(["image", "input_quality", "region"])
    regions = violins.distribution_of(
        rows.assign(series=_titled(rows["region"], REGION_TITLES)), "input_quality", "series"
    )
    sheet = violins.ViolinSheet(f"JPEG as it is, {regions.n_images} {split} images", X_LABEL)
    caption = f"Scores of every image as JPEG, against its original, by quality. {TAILS}{regions.left_out()}"
    pictures = _violins("input_violins", "JPEG as it is", caption, regions, sheet)
    whole, further = _largest_systems(rows[rows["region"] == "full"])
    if whole["system"].nunique() > 1:
        systems = violins.distribution_of(whole, "input_quality", "system")
        sheet = violins.ViolinSheet(f"JPEG as it is, {systems.n_images} {split} images, whole image", X_LABEL)
        caption = f"Scores of every image as JPEG, by quality and camera system.{further}{systems.left_out()}"
        pictures += _violins("input_violins_by_system", "JPEG as it is, by camera system", caption, systems, sheet)
    return pictures or "no score is a finite number"


def model_violins(findings: Findings) -> Drawn:
    """Restored images beside JPEG as it is (figures 24 and 26 of the thesis).

    Where a single trial has test scores, the others are compared with it on validation images besides.
    """
    shown = compared(findings)
    if isinstance(shown, str):
        return shown
    pictures = [
        picture for region in REGION_TITLES for picture in _models(findings, shown, region, f"model_violins_{region}")
    ]
    if shown.split == "test" and len(shown.trials) == 1:
        others = compared(findings, "validation")
        if isinstance(others, Compared) and len(others.trials) > 1:
            pictures += _models(findings, others, "full", "model_violins_validation")
    return pictures or "JPEG as it is and the trials share no scored image"


def _models(findings: Findings, shown: Compared, region: str, name: str) -> list[Picture]:
    rows, note = _shown_rows(findings, shown)
    rows, reference = rows[rows["region"] == region], findings.run.reference_quality
    if rows.empty:
        return []
    found = violins.distribution_of(rows.assign(series=_labelled(rows, shown)), "input_quality", "series")
    is_reference = (rows["trial_id"] == shown.jpeg.trial_id) & (rows["input_quality"] == reference)
    levels, level = _finite_means(rows[is_reference]), f"mean of JPEG-{reference}: what is to be reached"
    title = f"{found.n_images} {shown.split} images, {REGION_TITLES[region]}"
    caption = (
        f"Scores of every image before and after restoring, {REGION_TITLES[region]}, by the quality of its JPEG file. "
        f"{TAILS}{shown.further()}{note}{found.left_out()}"
    )
    sheet = violins.ViolinSheet(title, X_LABEL, levels, level)
    return _violins(name, f"Models, {shown.split} images, {REGION_TITLES[region]}", caption, found, sheet)


def change_violins(findings: Findings) -> Drawn:
    """What restoring changes in each image (figures 25 and 27 of the thesis)."""
    shown = compared(findings)
    if isinstance(shown, str):
        return shown
    rows, note = _shown_rows(findings, shown)
    changed, n_alone = violins.relative_rows(findings.run.scores, shown.jpeg, rows)
    note += f" Scores without one of their JPEG file, left out: {n_alone}." if n_alone else ""
    pictures = []
    for region, title in REGION_TITLES.items():
        of_region = changed[changed["region"] == region]
        if of_region.empty:
            continue
        series = of_region.assign(series=_labelled(of_region, shown))
        found = violins.distribution_of(series, "input_quality", "series", logarithmic=())
        sheet = violins.ViolinSheet(
            f"Restored minus its own input, {found.n_images} {shown.split} images, {title}",
            X_LABEL,
            dict.fromkeys(METRICS, 0.0),
            "0: as the JPEG file that was restored",
            is_change=True,
        )
        caption = (
            f"Relative reconstruction: each image's score after restoring minus that of its JPEG file, {title}. What "
            f"lies beyond the line on the side that is not better was made worse.{shown.further()}{note}"
            f"{found.left_out()}"
        )
        pictures += _violins(f"change_violins_{region}", f"What restoring changes, {title}", caption, found, sheet)
    return pictures or "no restored image has scores of its JPEG file"


def system_violins(findings: Findings) -> Drawn:
    """Models by camera system at one quality (figure 33 of the thesis)."""
    shown = compared(findings)
    if isinstance(shown, str):
        return shown
    rows, note = _shown_rows(findings, shown)
    scored = [int(quality) for quality in rows["input_quality"].unique()]
    wanted = [quality for quality in (findings.pick.quality, STEP_QUALITY) if quality in scored]
    quality = next(iter([*wanted, *sorted(scored)]), 0)
    whole, further = _largest_systems(rows[(rows["region"] == "full") & (rows["input_quality"] == quality)])
    if whole["system"].nunique() < 2:
        return "the images that were scored are of a single camera system"
    names = {record.trial_id: heading(record) for record in shown.records}
    found = violins.distribution_of(whole.assign(model=_titled(whole["trial_id"], names)), "model", "system")
    where = f"{found.n_images} {shown.split} images, whole image"
    sheet = violins.ViolinSheet(f"JPEG-{quality} as it is and restored, {where}", "")
    caption = (
        f"Scores of every image, restored from JPEG-{quality} and as it is, by camera system: a model may serve one "
        f"system and fail another.{shown.further()}{further}{note}{found.left_out()}"
    )
    return _violins("system_violins", "By camera system", caption, found, sheet) or "no score is a finite number"


def _violins(
    name: str, title: str, caption: str, found: violins.Distribution, sheet: violins.ViolinSheet
) -> list[Picture]:
    return [take_picture(name, title, caption, violins.draw_violins(found, sheet))] if len(found.table) else []


def _shown_rows(findings: Findings, shown: Compared) -> tuple[pd.DataFrame, str]:
    """Return the rows of what is compared at the qualities that are shown, and what is to be said of the others."""
    rows, n_unshared = shared_rows(findings.run.scores, shown)
    note = f" Images and regions not scored by all of them, left out: {n_unshared}." if n_unshared else ""
    scored = sorted(rows.loc[rows["trial_id"] != shown.jpeg.trial_id, "input_quality"].unique())
    wanted = {*QUALITIES, findings.run.reference_quality, findings.pick.quality}
    kept = [quality for quality in scored if quality in wanted] or scored
    others = [str(quality) for quality in scored if quality not in kept]
    note += f" Further qualities, in the tables: {', '.join(others)}." if others else ""
    return rows[rows["input_quality"].isin(kept)], note


def _finite_means(rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean of the finite scores of each metric; a metric without any is not there."""
    finite = {metric: rows.loc[np.isfinite(rows[metric]), metric] for metric in METRICS}
    return {metric: float(values.mean()) for metric, values in finite.items() if len(values)}


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


def learning(findings: Findings) -> Drawn:
    trials = findings.run.trials
    table = search.learning_curves(trials)
    if table.empty:
        return "no trial has one"
    axis, drawn = margin_axis(trials), set(table["trial_id"])
    named = {record.trial_id: label(record) for record in trials if record.trial_id in drawn}
    named = dict(list(named.items())[: len(COLOURS)])
    without, n_lost = len(trials) - len(drawn), int(table["loss"].isna().sum())
    caption = (
        "Loss and monitored margin by epoch, a column for each loss function, whose values do not compare; the best "
        f"{len(named)} trials by margin have a colour and a number. {fidelity_sentence(trials)}"
    )
    caption += "" if table["validation_loss"].notna().any() else " No trial was asked for a validation loss."
    caption += f" Epochs whose loss is no finite number, not drawn: {n_lost}." if n_lost else ""
    caption += f" Trials without a curve, not drawn: {without}." if without else ""
    caption = f"{caption.strip()}{axis.below(table['margin'])}"
    figure = search.draw_learning_curves(table, named, axis)
    return [take_picture("learning_curves", "Learning curves", caption, figure)]


def history(findings: Findings) -> Drawn:
    records = [record for record in findings.run.records if not record.spec.is_baseline]
    if not records:
        return "no trial has ended"
    ranking = findings.run.ranking
    table, axis = search.search_history(records, ranking), margin_axis(records, ranking)
    what = "bytes at parity" if ranking.by_parity else "margin"
    caption = f"The monitored {what} of every trial in the order in which they ended, and the epochs that it took."
    stopped_at = search.rungs(table)
    if stopped_at:
        caption += f" Trials were stopped at epoch {', '.join(map(str, stopped_at))}, where dotted lines are."
    without = int(table["value"].isna().sum())
    caption += f" Trials without a margin, marked on the lower edge: {without}." if without else ""
    caption += axis.below(table["value"])
    return [take_picture("search_history", "Search history", caption, search.draw_search_history(table, axis))]


def cost(findings: Findings) -> Drawn:
    trials, ranking = findings.run.trials, findings.run.ranking
    table, axis = search.quality_and_cost(trials, ranking), margin_axis(trials, ranking)
    known = table.dropna(subset=["macs_per_pixel", "parameters"])
    if known.empty:
        return "no trial with a margin tells what its network costs"
    shown = [record for record in trials if record.trial_id in set(known["trial_id"])]
    caption = (
        f"The monitored {'bytes at parity' if ranking.by_parity else 'margin'} by what a network costs. The line is "
        f"the Pareto front: no trial is both better and cheaper than one on it. {fidelity_sentence(shown)}"
    ).strip()
    others = len(trials) - len(known)
    caption += f" Trials that diverged, died, failed or have no margin or cost, not drawn: {others}." if others else ""
    caption += axis.below(known["value"])
    figure = search.draw_quality_and_cost(known, axis)
    return [take_picture("quality_and_cost", "Quality and cost", caption, figure)]


def panels(findings: Findings) -> Drawn:
    best = _samples_of_best(findings)
    if isinstance(best, str) or findings.best is None:
        return str(best)
    samples, lacking = {heading(findings.best): best}, []
    others = {record.trial_id: record for split in ("test", "validation") for record in findings.able(split)}
    for trial_id, record in others.items():
        if record == findings.best or len(samples) == N_MODELS or record.spec.split != findings.best.spec.split:
            continue  # trials of another split have other images
        own = _samples(findings, trial_id)
        if isinstance(own, str):
            lacking.append(trial_id)
        else:
            samples[heading(record)] = own
    odd = f" Without readable pictures, and so not shown: {', '.join(lacking)}." if lacking else ""
    odd += "".join(f" Not shown, being suspect: {trial} ({why})." for trial, why in list(findings.suspects.items())[:3])
    quality = _looked_at(findings)
    wanted = {"fixed": (findings.run.reference_quality, quality)}
    return [
        _panel(samples, kind, shown, odd)
        for kind in dict.fromkeys(best.kinds)
        for shown in dict.fromkeys(map(best.nearest_quality, wanted.get(kind, (quality,))))
    ]


def _panel(samples: Mapping[str, Samples], kind: str, quality: int, lacking: str) -> Picture:
    first = next(iter(samples.values()))
    name, why = first.names[first.kinds.index(kind)], WHY_SHOWN.get(kind, kind)
    caption = (
        f"The part of {name}, {why}, where JPEG-{quality} errs most: original, JPEG and restored. Below in grey, by "
        "the "
        "curve that makes the original's levels equally frequent, which shows JPEG's blocks; at the bottom what each "
        f"version lacks, which is what a network is to add to the JPEG picture. {ERRORS}{lacking}"
    )
    columns = {title: one for title, one in samples.items() if name in one.names and quality in one.qualities}
    rows = pixels_compared.comparison_panel(columns, name, quality)
    figure = draw_tiles(
        rows, f"{name}: {why}", pixels_compared.PANEL_ROWS, side_inches=2.9, scale=pixels_compared.PANEL_SCALE
    )
    return take_picture(f"panel_{kind}_q{quality}", f"Comparison at JPEG-{quality}: {name}, {why}", caption, figure)


def noise(findings: Findings) -> Drawn:
    samples = _samples_of_best(findings)
    if isinstance(samples, str):
        return samples
    name = _usual_images(samples)[0]
    rows = pixels_compared.predicted_noise(samples, name, sorted(samples.qualities, reverse=True))
    caption = (
        "What JPEG took from the luma of the centre of an image, what the network adds, and what is still missing "
        "then: the more the third column looks like the second, the less is left in the last. RMS and correlation are "
        f"of the whole image. {ERRORS}"
    )
    figure = draw_tiles(rows, _best_title(findings, name))
    return [take_picture("predicted_noise", "Predicted noise", caption, figure, is_photograph=True)]


def channels(findings: Findings) -> Drawn:
    samples = _samples_of_best(findings)
    if isinstance(samples, str):
        return samples
    name, quality = _usual_images(samples)[0], samples.nearest_quality(_looked_at(findings))
    caption = (
        "Luma and chroma of the centre of an image. JPEG keeps chroma at half the resolution and rounds it more "
        f"coarsely, so that its detail is lost first. RMS is of the whole image. {ERRORS}"
    )
    rows = pixels_compared.split_channels(samples, name, quality)
    title, scale = _best_title(findings, name), "error,\nsteps of 8 bits"
    figure = draw_tiles(rows, title, pixels_compared.CHANNELS, scale=scale)
    return [take_picture("channels", "Channels", caption, figure, is_photograph=True)]


def _spectra(findings: Findings) -> Drawn:
    samples = _samples_of_best(findings)
    if isinstance(samples, str):
        return samples
    names, quality = _usual_images(samples), samples.nearest_quality(_looked_at(findings))
    images = f"{len(names)} {'image' if len(names) == 1 else 'images'}"
    title = _best_title(findings, f"JPEG-{quality}, {images}")
    caption = (
        f"Power of luma by frequency, over all directions, in {images} at JPEG-{quality}, faded to their "
        "borders. JPEG drops fine detail, at the right, and adds the edges of its blocks of 8 pixels; where the "
        "restored line is below JPEG's in the right panel, the network puts right what JPEG did at that scale."
    )
    levels = (
        f"How often each value occurs in {images} at JPEG-{quality}, on a logarithmic scale: where JPEG rounds "
        "a flat region to one value, its line has teeth that the original's does not have."
    )
    figure = spectra.draw_spectra(spectra.mean_spectra(samples, names, quality), title)
    counts = spectra.draw_value_histograms(spectra.value_histograms(samples, names, quality), title)
    return [
        take_picture("spectra", "Spectra", caption, figure),
        take_picture("histograms", "Histograms", levels, counts),
    ]


def equalised(findings: Findings) -> Drawn:
    record = findings.best or findings.run.baseline_of(None)
    samples = NO_SAMPLES if record is None else _samples(findings, record.trial_id)
    if isinstance(samples, str):
        return samples
    name = _usual_images(samples)[0]
    caption = (
        "The centre of an image in grey, by the curve that makes the original's levels equally frequent: JPEG's blocks "
        "show first in the background, and at low quality in the cells."
    )
    greys = pixels_compared.equalised_greys(samples, name, sorted(samples.qualities))
    return [take_picture("equalised", "Equalised grey", caption, draw_tiles(greys, name, side_inches=2.6))]


def sheets(findings: Findings) -> Drawn:
    found = _gallery(findings)
    if isinstance(found, str):
        return found
    if not len(found.sheet):
        return "the gallery holds no image for it"
    systems = {system: found.sheet_systems.count(system) for system in sorted(set(found.sheet_systems))}
    counts = ", ".join(f"{system} ({count})" for system, count in systems.items())
    side = found.crop_px
    (whole, systems_of_rows), (crops, _) = gallery.sample_sheet(found), gallery.sample_sheet(found, side)
    drawn_by_lot = f"Images drawn by lot, of each camera system in turn: {counts}."
    cut = "The centre crops of the same images, which are scored beside the whole."
    return [
        take_picture(name, title, caption, draw_tiles(rows, head, systems_of_rows, 1.75), is_photograph=True)
        for name, title, caption, rows, head in (
            ("sample_sheet", "Sample images", drawn_by_lot, whole, "Sample images by camera system"),
            ("sample_crops", "Their centre crops", cut, crops, f"Centre crops of {side} x {side} pixels"),
        )
    ]


def worst(findings: Findings) -> Drawn:
    found = _gallery(findings)
    if isinstance(found, str):
        return found
    if not len(found.worst_original):
        return "JPEG as it is had no test scores when the gallery was made"
    caption = (
        f"The test images with the largest mean squared error as JPEG-{found.quality}, {_restorer(findings, found)}. "
        "The "
        "frame marks the square where their luma errs most, which is shown beside it; MSE and PSNR are of the whole "
        "image. Mid-grey is no error."
    )
    figure = draw_tiles(gallery.worst_inputs(found), "The worst inputs")
    return [take_picture("worst_inputs", "Worst images", caption, figure, is_photograph=True)]


def feature_maps(findings: Findings) -> Drawn:
    found = _gallery(findings)
    if isinstance(found, str):
        return found
    if found.maps is None:
        return "VGG16's weights were not used in this run, or there was nothing to show"
    caption = (
        f"What the last convolution of VGG16 sees of {found.worst_names[0]} and of it as JPEG-{found.quality}: the "
        "maps that respond most to the original, black for nothing. The share is the mean difference from the "
        "original's map; the perceptual loss makes such differences small."
    )
    maps = gallery.compare_maps(found.maps, found.map_numbers)
    figure = draw_tiles(maps, _restorer(findings, found), gallery.VERSIONS, side_inches=1.3)
    return [take_picture("feature_maps", "Feature maps of VGG16", caption, figure)]


def _restorer(findings: Findings, found: Gallery) -> str:
    named = [label(record) for record in findings.run.records if record.trial_id == found.trial_id]
    return f"restored by {named[0] if named else found.trial_id}" if found.trial_id else "no trial could restore them"


def _gallery(findings: Findings) -> Gallery | str:
    try:
        return read_gallery(findings.run.path)
    except RunError as error:
        return str(error)


def _samples(findings: Findings, trial_id: str) -> Samples | str:
    try:
        return read_samples(findings.run.path, trial_id)
    except RunError as error:
        return str(error)


def _samples_of_best(findings: Findings) -> Samples | str:
    return _samples(findings, findings.best.trial_id) if findings.best else NO_SAMPLES


def _usual_images(samples: Samples) -> list[str]:
    """Name the images that were chosen beforehand, all where none was."""
    fixed = [name for name, kind in zip(samples.names, samples.kinds, strict=True) if kind == "fixed"]
    return fixed or list(samples.names)


def _best_title(findings: Findings, what: str) -> str:
    return f"{what}\n{label(findings.best)}" if findings.best else what


def _looked_at(findings: Findings) -> int:
    """Return the quality to show: the picked one, or the usual one."""
    return findings.pick.quality or STEP_QUALITY


CATALOGUE: tuple[FigureSpec, ...] = (
    FigureSpec("Quality and bytes", "decision", sizes, is_folded=False),
    FigureSpec("Quality curve", "decision", curve, is_folded=False),
    FigureSpec("Worst images", "decision", worst, is_folded=False),
    FigureSpec("Comparison panels", "comparison", panels),
    FigureSpec("Models image by image", "comparison", model_violins),
    FigureSpec("What restoring changes, image by image", "comparison", change_violins),
    FigureSpec("Models by camera system", "comparison", system_violins),
    FigureSpec("Outliers of relative SSIM", "comparison", far_outliers),
    FigureSpec("Predicted noise", "comparison", noise),
    FigureSpec("Luma and chroma", "comparison", channels),
    FigureSpec("Spectra and histograms", "comparison", _spectra),
    FigureSpec("Feature maps of VGG16", "comparison", feature_maps),
    FigureSpec("Quality and cost", "trials", cost),
    FigureSpec("Search history", "trials", history),
    FigureSpec("Learning curves", "trials", learning),
    FigureSpec("Sample images", "data", sheets),
    FigureSpec("Equalised grey", "data", equalised),
    FigureSpec("JPEG as it is, image by image", "data", input_violins),
)
