"""The violins of a report: distributions over images of the files, the models and what the models change."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from analysis.comparison import STEP_QUALITY
from analysis.figures.canvas import COLOURS
from analysis.figures.distribution import distribution_of, relative_rows
from analysis.figures.lineup import Lineup, line_up, shared_rows
from analysis.figures.picture import Picture, take_picture
from analysis.figures.violin import ViolinSheet, draw_violins
from analysis.findings import Findings
from analysis.labels import REGION_TITLES, heading, label
from analysis.run import RunError
from models.names import METRICS

Names: TypeAlias = "pd.Categorical[Any]"

# Those of the thesis' figures 24 to 27; the reference's and the pick's are shown besides.
QUALITIES = (25, 40, 50, 75)
X_LABEL = "JPEG quality of the input"
TAILS = "A long tail means that some images are served badly, which a mean does not show."


def input_violins(findings: Findings) -> list[Picture]:
    """JPEG as it is by quality: whole image and centre crop, and by camera system (figures 21 and 34 of the thesis)."""
    run, split = findings.run, findings.run.deciding_split
    ids = [record.trial_id for record in run.baselines]
    rows = run.scores[run.scores["trial_id"].isin(ids) & (run.scores["split"] == split)]
    if rows.empty:
        raise RunError(f"No violins of JPEG as it is: it has no scores on {split} images.")
    rows = rows.drop_duplicates(["image", "input_quality", "region"])
    by_region = distribution_of(rows.assign(series=_titled(rows["region"], REGION_TITLES)), "input_quality", "series")
    sheet = ViolinSheet(f"JPEG as it is, {by_region.n_images} {split} images", X_LABEL)
    caption = f"Scores of every image as JPEG, against its original, by quality. {TAILS}{by_region.left_out()}"
    pictures = [take_picture("input_violins", caption, draw_violins(by_region, sheet))]
    whole, further = _largest_systems(rows[rows["region"] == "full"])
    if whole["system"].nunique() > 1:
        by_system = distribution_of(whole, "input_quality", "system")
        sheet = ViolinSheet(f"JPEG as it is, {by_system.n_images} {split} images, whole image", X_LABEL)
        caption = f"Scores of every image as JPEG, by quality and camera system.{further}{by_system.left_out()}"
        pictures.append(take_picture("input_violins_by_system", caption, draw_violins(by_system, sheet)))
    return pictures


def model_violins(findings: Findings) -> list[Picture]:
    """Restored images beside JPEG as it is (figures 24 and 26 of the thesis).

    Where a single trial has test scores, the others are compared with it on validation images besides.
    """
    lineup = line_up(findings, "violins of models")
    pictures = [_model_violins(findings, lineup, region, f"model_violins_{region}") for region in REGION_TITLES]
    if lineup.split == "test" and len(lineup.trials) == 1:
        others = line_up(findings, "violins of models", "validation")
        if len(others.trials) > 1:
            pictures.append(_model_violins(findings, others, "full", "model_violins_validation"))
    return pictures


def _model_violins(findings: Findings, lineup: Lineup, region: str, name: str) -> Picture:
    rows, note = _shown_rows(findings, lineup, "violins of models")
    rows, reference = rows[rows["region"] == region], findings.run.reference_quality
    found = distribution_of(rows.assign(series=_labelled(rows, lineup)), "input_quality", "series")
    is_reference = (rows["trial_id"] == lineup.jpeg.trial_id) & (rows["input_quality"] == reference)
    levels, level = _finite_means(rows[is_reference]), f"mean of JPEG-{reference}: what is to be reached"
    title = f"{found.n_images} {lineup.split} images, {REGION_TITLES[region]}"
    caption = (
        f"Scores of every image before and after restoring, {REGION_TITLES[region]}, by the quality of its JPEG file. "
        f"{TAILS}{lineup.further()}{note}{found.left_out()}"
    )
    return take_picture(name, caption, draw_violins(found, ViolinSheet(title, X_LABEL, levels, level)))


def change_violins(findings: Findings) -> list[Picture]:
    """What restoring changes in each image (figures 25 and 27 of the thesis)."""
    lineup = line_up(findings, "violins of relative reconstruction")
    rows, note = _shown_rows(findings, lineup, "violins of relative reconstruction")
    changed, n_alone = relative_rows(findings.run.scores, lineup.jpeg, rows)
    if changed.empty:
        raise RunError("No violins of relative reconstruction: no restored image has scores of its JPEG file.")
    note += f" Scores without one of their JPEG file, left out: {n_alone}." if n_alone else ""
    pictures = []
    for region, title in REGION_TITLES.items():
        of_region = changed[changed["region"] == region]
        if of_region.empty:
            continue
        series = of_region.assign(series=_labelled(of_region, lineup))
        found = distribution_of(series, "input_quality", "series", logarithmic=())
        sheet = ViolinSheet(
            f"Restored minus its own input, {found.n_images} {lineup.split} images, {title}",
            X_LABEL,
            dict.fromkeys(METRICS, 0.0),
            "0: as the JPEG file that was restored",
            is_change=True,
        )
        caption = (
            f"Relative reconstruction: each image's score after restoring minus that of its JPEG file, {title}. What "
            f"lies beyond the line on the side that is not better was made worse.{lineup.further()}{note}"
            f"{found.left_out()}"
        )
        pictures.append(take_picture(f"change_violins_{region}", caption, draw_violins(found, sheet)))
    return pictures


def system_violins(findings: Findings) -> list[Picture]:
    """Models by camera system at one quality (figure 33 of the thesis)."""
    lineup = line_up(findings, "violins by camera system")
    rows, note = _shown_rows(findings, lineup, "violins by camera system")
    quality = _telling_quality(findings, rows)
    whole, further = _largest_systems(rows[(rows["region"] == "full") & (rows["input_quality"] == quality)])
    if whole["system"].nunique() < 2:
        raise RunError("No violins by camera system: the images that were scored are of a single one.")
    names = {record.trial_id: heading(record) for record in lineup.records}
    found = distribution_of(whole.assign(model=_titled(whole["trial_id"], names)), "model", "system")
    sheet = ViolinSheet(
        f"JPEG-{quality} as it is and restored, {found.n_images} {lineup.split} images, whole image", ""
    )
    caption = (
        f"Scores of every image, restored from JPEG-{quality} and as it is, by camera system: a model may serve one "
        f"system and fail another.{lineup.further()}{further}{note}{found.left_out()}"
    )
    return [take_picture("system_violins", caption, draw_violins(found, sheet))]


def _shown_rows(findings: Findings, lineup: Lineup, figure: str) -> tuple[pd.DataFrame, str]:
    """Return the rows of a line-up at the qualities that are shown, and what is to be said of the others."""
    rows, n_unshared = shared_rows(findings.run.scores, lineup)
    note = f" Images and regions not scored by all of them, left out: {n_unshared}." if n_unshared else ""
    trained = rows["trial_id"] != lineup.jpeg.trial_id
    scored = sorted(rows.loc[trained, "input_quality"].unique())
    if not scored:
        raise RunError(f"No {figure}: JPEG as it is and the trials share no scored image.")
    wanted = {*QUALITIES, findings.run.reference_quality, findings.pick.quality}
    shown = [quality for quality in scored if quality in wanted] or scored
    others = [str(quality) for quality in scored if quality not in shown]
    note += f" Further qualities, in the tables: {', '.join(others)}." if others else ""
    return rows[rows["input_quality"].isin(shown)], note


def _finite_means(rows: pd.DataFrame) -> dict[str, float]:
    """Return the mean of the finite scores of each metric; a metric without any is not there."""
    finite = {metric: rows.loc[np.isfinite(rows[metric]), metric] for metric in METRICS}
    return {metric: float(values.mean()) for metric, values in finite.items() if len(values)}


def _telling_quality(findings: Findings, rows: pd.DataFrame) -> int:
    """Return the pick's quality, else STEP_QUALITY, else the lowest that was scored."""
    scored = [int(quality) for quality in rows["input_quality"].unique()]
    return next((quality for quality in (findings.pick.quality, STEP_QUALITY) if quality in scored), min(scored))


def _largest_systems(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the camera systems with most images, as many as there are colours, and name the others."""
    sizes = rows.groupby("system", observed=True)["image"].nunique().sort_values(ascending=False, kind="stable")
    others = sorted(map(str, sizes.index[len(COLOURS) :]))
    kept = rows[rows["system"].isin(sizes.index[: len(COLOURS)])]
    return kept, f" Further camera systems, in the tables: {', '.join(others)}." if others else ""


def _labelled(rows: pd.DataFrame, lineup: Lineup) -> Names:
    return _titled(rows["trial_id"], {record.trial_id: label(record) for record in lineup.records})


def _titled(column: "pd.Series[Any]", titles: Mapping[str, str]) -> Names:
    """Replace names by their titles, in the titles' order."""
    return pd.Categorical(column.astype(str).map(dict(titles)), list(dict.fromkeys(titles.values())))


VIOLINS_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (
    input_violins,
    model_violins,
    change_violins,
    system_violins,
)
