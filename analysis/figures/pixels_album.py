"""The figures that are drawn from the pictures a run keeps, each with its caption."""

from collections.abc import Callable

from analysis.figures.picture import Picture, take_picture
from analysis.figures.strip import comparison_strip, draw_comparison_strip
from analysis.findings import Findings
from analysis.run import RunError
from analysis.samples import Samples, read_samples

STRIP_QUALITIES = (50, 25)


def strips(findings: Findings) -> list[Picture]:
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
    return take_picture(f"strip_{kind}", caption, figure)


PIXELS_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (strips,)
