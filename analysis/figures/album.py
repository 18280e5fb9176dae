"""The figures of a report as files, each with the sentence that stands under it."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from analysis.figures.canvas import COLOURS, to_png, to_svg
from analysis.figures.curve import draw_quality_curve, quality_curve
from analysis.figures.strip import comparison_strip, draw_comparison_strip
from analysis.figures.violin import draw_psnr_violin, psnr_by_quality
from analysis.findings import Findings
from analysis.run import RunError
from analysis.samples import Samples, read_samples

STRIP_QUALITIES = (50, 25)


@dataclass(frozen=True)
class Picture:
    """A drawn figure. name: of its files, without ending; caption: what it shows and how to read it."""

    name: str
    caption: str
    png: bytes
    svg: bytes


def draw_pictures(findings: Findings) -> tuple[list[Picture], list[str]]:
    """Draw every figure that the run has data for; returns them, and a sentence for each that is missing."""
    pictures: list[Picture] = []
    notes: list[str] = []
    makers: tuple[Callable[[Findings], list[Picture]], ...] = (_curve, _violin, _strips)
    for make in makers:
        try:
            pictures += make(findings)
        except RunError as error:
            notes.append(str(error))
    return pictures, notes


def _curve(findings: Findings) -> list[Picture]:
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
    return [_picture("quality_curve", caption, draw_quality_curve(table, findings.pick, split))]


def _violin(findings: Findings) -> list[Picture]:
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
    return [_picture("psnr_violin", caption, figure)]


def _strips(findings: Findings) -> list[Picture]:
    if findings.best is None:
        raise RunError("No comparison of pixels: no trial has scores.")
    samples = read_samples(findings.run.path, findings.best.trial_id)
    picked = findings.pick.quality
    wanted = STRIP_QUALITIES if picked is None else (picked, *(q for q in STRIP_QUALITIES if q < picked))
    return [_strip(samples, kind, wanted) for kind in dict.fromkeys(samples.kinds)]


def _strip(samples: Samples, kind: str, wanted: tuple[int, ...]) -> Picture:
    image = samples.kinds.index(kind)
    qualities = [quality for quality in wanted if quality in samples.qualities] or [min(samples.qualities)]
    why = "among those that JPEG treats worst" if kind == "worst" else "chosen beforehand"
    caption = f"The centre of {samples.names[image]}, {why}: original, JPEG, restored, and what each changed."
    figure = draw_comparison_strip(comparison_strip(samples, image, qualities), f"{samples.names[image]}: {why}")
    return _picture(f"strip_{kind}", caption, figure)


def _picture(name: str, caption: str, figure: Figure) -> Picture:
    return Picture(name, caption, to_png(figure), to_svg(figure))
