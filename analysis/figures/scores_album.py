"""The figures that are drawn from scores and learning curves, each with its caption."""

from collections.abc import Callable

from analysis.figures.canvas import COLOURS
from analysis.figures.curve import draw_quality_curve, quality_curve
from analysis.figures.picture import Picture, take_picture
from analysis.figures.violins_album import VIOLINS_ALBUM
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


SCORES_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (curve, *VIOLINS_ALBUM)
