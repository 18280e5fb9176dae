"""The figures that are drawn from scores, each with its caption; the violins have an album of their own."""

from collections.abc import Callable
from dataclasses import replace

from analysis.figures.curve import draw_quality_curve, quality_curve
from analysis.figures.distribution import relative_rows
from analysis.figures.lineup import line_up
from analysis.figures.outliers import FAR_OUT, Outliers, draw_ssim_outliers, ssim_outliers
from analysis.figures.picture import Picture, take_picture
from analysis.figures.size import RESTORED_COLOURS, draw_quality_and_bytes, points_of_scores, quality_and_bytes
from analysis.figures.violins_album import VIOLINS_ALBUM
from analysis.findings import Findings
from analysis.labels import label
from analysis.rivals import RESTORED
from analysis.run import RunError

N_NAMES = 8  # of the worst outliers, in a caption


def curve(findings: Findings) -> list[Picture]:
    run, lineup = findings.run, line_up(findings, "quality curve")
    table = quality_curve(run.scores, lineup, run.reference_quality, run.images.groups or None)
    if not (table["place"] > 0).any():
        raise RunError("No quality curve: JPEG as it is and the trials share no scored image.")
    caption = (
        "Mean PSNR and SSIM by the quality of the JPEG file that is restored, with 95 % intervals over images. Where a "
        f"coloured line is above the dotted one, the restored images are as good as JPEG-{run.reference_quality} in "
        "that mean. The intervals of two models on the same images may overlap although their difference is certain: "
        f"the tables pair them.{lineup.further()}"
    )
    n_left_out, n_unknown = int(table["n_left_out"].sum()), int(table["mean"].isna().sum())
    caption += f" Infinite values of PSNR, in no mean: {n_left_out}." if n_left_out else ""
    caption += f" Means that are no numbers, not drawn: {n_unknown}." if n_unknown else ""
    caption += " A single image tells of no interval." if table["low"].isna().any() else ""
    figure = draw_quality_curve(table, findings.pick, findings.strict, lineup.split)
    return [take_picture("quality_curve", caption, figure)]


def outliers(findings: Findings) -> list[Picture]:
    """Images that the best trial makes far worse than others (figure 28 of the thesis)."""
    run, lineup = findings.run, line_up(findings, "outliers of relative SSIM")
    best = lineup.trials[0]
    of_best = run.scores["trial_id"].isin([best.trial_id]) & (run.scores["split"] == lineup.split)
    rows, n_alone = relative_rows(run.scores, lineup.jpeg, run.scores[of_best & (run.scores["region"] == "full")])
    found = ssim_outliers(rows)
    if found.boxes.empty:
        raise RunError("No outliers of relative SSIM: no restored image has a finite SSIM before and after.")
    caption = (
        f"Change of SSIM from each JPEG file to the same image restored by {label(best)}: quartiles, and as outliers "
        f"what lies more than {FAR_OUT:.0f} times the distance between the quartiles below the lower one, at each "
        f"quality; right, their share of each camera system's images, with counts. {_outlier_sentence(found)}"
    )
    n_left_out = n_alone + found.n_left_out
    caption += (
        f" Scores that are not finite, or whose JPEG file has none, left out: {n_left_out}." if n_left_out else ""
    )
    title = f"Outliers of relative SSIM, {rows['image'].nunique()} {lineup.split} images, whole image"
    return [take_picture("ssim_outliers", caption, draw_ssim_outliers(found, title))]


def sizes(findings: Findings) -> list[Picture]:
    """Quality against bytes: JPEG as it is, restored, and other codecs."""
    run, lineup = findings.run, line_up(findings, "figure of quality and bytes")
    ladder = findings.tables.get("rivals_ladder")
    points = ladder.numbers if ladder else points_of_scores(run.scores, lineup)
    names = [record.trial_id for record in lineup.trials]
    restorers = names[: len(RESTORED_COLOURS)]
    table = quality_and_bytes(points, restorers)
    if not (table["kind"] == RESTORED).any():
        raise RunError("No figure of quality and bytes: JPEG as it is and the trials share no scored image.")
    caption = (
        "Mean PSNR by mean bytes of the files that are kept: JPEG as it is at each quality, the same files restored, "
    )
    caption += "and other codecs on the same images." if ladder else "as no other codec was tried."
    caption += replace(lineup, n_more=lineup.n_more + len(names) - len(restorers)).further()
    figure = draw_quality_and_bytes(table, findings.pick, "test" if ladder else lineup.split)
    return [take_picture("quality_and_bytes", caption, figure)]


def _outlier_sentence(found: Outliers) -> str:
    n_outliers, n_images = int(found.boxes["n_outliers"].sum()), int(found.boxes["n_images"].sum())
    if not n_outliers:
        return f"There are none among {n_images} changes."
    by_system = found.images.groupby("system").size().sort_values(ascending=False, kind="stable")
    systems = ", ".join(f"{count} of {system}" for system, count in by_system.items())
    names = [f"{row.name} at {row.input_quality}" for row in found.images.head(N_NAMES).itertuples(index=False)]
    more = " and others" if n_outliers > N_NAMES else ""
    share = f"{100 * n_outliers / n_images:.2f} %"
    worst = f"The worst: {', '.join(names)}{more}."
    return f"{n_outliers} of {n_images} changes are outliers ({share}): {systems}. {worst}"


SCORES_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (curve, sizes, outliers, *VIOLINS_ALBUM)
