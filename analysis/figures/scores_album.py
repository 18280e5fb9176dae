"""The figures that are drawn from scores and learning curves, each with its caption."""

from collections.abc import Callable

from analysis.figures.canvas import COLOURS
from analysis.figures.curve import draw_quality_curve, quality_curve
from analysis.figures.picture import Picture, take_picture
from analysis.figures.violin import draw_psnr_violin, psnr_by_quality
from analysis.findings import Findings
from analysis.run import RunError


def curve(findings: Findings) -> list[Picture]:
    run, split = findings.run, findings.run.deciding_split
    if run.baseline is None or findings.best is None:
        raise RunError("No quality curve: it takes JPEG as it is and a trial, both scored.")
    others = [record for record in (run.finalists or run.alive) if record != findings.best]
    shown = [findings.best, *others][: len(COLOURS)]
    table = quality_curve(run.scores, [run.baseline, *shown], split)
    if table.empty:
        raise RunError("No quality curve: JPEG as it is and the trials share no scored image.")
    left = len(others) + 1 - len(shown)
    caption = (
        "Mean PSNR and SSIM by the quality of the JPEG file that is restored. Where a coloured line is above the "
        f"dotted one, the restored images are as good as JPEG-{run.reference_quality} in that mean."
    )
    caption += f" Further trials, in the tables: {left}." if left else ""
    return [take_picture("quality_curve", caption, draw_quality_curve(table, findings.pick, split))]


def violin(findings: Findings) -> list[Picture]:
    run, split = findings.run, findings.run.deciding_split
    if run.baseline is None or findings.best is None:
        raise RunError("No violins: they take JPEG as it is and a trial, both scored.")
    table, n_left_out = psnr_by_quality(run.scores, run.baseline, findings.best, split)
    if table.empty:
        raise RunError("No violins: JPEG as it is and the best trial share no image of finite PSNR.")
    caption = (
        "PSNR of every image, before and after restoring, by the quality of its JPEG file. A long lower tail means "
        "that some images are served badly, which a mean does not show."
    )
    figure = draw_psnr_violin(table, n_left_out, run.reference_quality, split)
    return [take_picture("psnr_violin", caption, figure)]


SCORES_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (curve, violin)
