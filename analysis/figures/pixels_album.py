"""The figures that are drawn from the pictures a run keeps, each with its caption."""

from collections.abc import Callable

from analysis.figures.panel import comparison_panel, draw_comparison_panel
from analysis.figures.picture import Picture, take_picture
from analysis.findings import Findings
from analysis.labels import heading
from analysis.run import RunError
from analysis.samples import Samples, read_samples
from search.records import TrialRecord

# The quality to look at where there is no pick.
USUAL_QUALITY = 50
N_MODELS = 3
WHY_SHOWN = {"fixed": "chosen beforehand", "worst": "among those that JPEG treats worst"}
ERRORS = "Errors are in steps of 8 bits: mid-grey is none, white is too dark a picture, black too bright a one."


def panels(findings: Findings) -> list[Picture]:
    samples, lacking = _samples_of_models(findings)
    first = next(iter(samples.values()))
    quality = _looked_at(findings, first)
    wanted = {"fixed": (findings.run.reference_quality, quality)}
    return [
        _panel(samples, kind, shown, lacking)
        for kind in dict.fromkeys(first.kinds)
        for shown in dict.fromkeys(map(first.nearest_quality, wanted.get(kind, (quality,))))
    ]


def _panel(samples: dict[str, Samples], kind: str, quality: int, lacking: str) -> Picture:
    first = next(iter(samples.values()))
    name, why = first.names[first.kinds.index(kind)], WHY_SHOWN.get(kind, kind)
    caption = (
        f"The centre of {name}, {why}: original, JPEG-{quality} and restored. Below in grey, by the curve that makes "
        "the original's levels equally frequent, which shows JPEG's blocks; at the bottom what each version lacks, "
        f"which is what a network is to add to the JPEG picture. {ERRORS}{lacking}"
    )
    columns = comparison_panel({title: one for title, one in samples.items() if name in one.names}, name, quality)
    figure = draw_comparison_panel(columns, f"{name}: {why}")
    return take_picture(f"panel_{kind}_q{quality}", caption, figure)


def _samples_of_models(findings: Findings) -> tuple[dict[str, Samples], str]:
    """Read the samples of the best trial and a few more, by heading; and name those that cannot be shown."""
    best = _best(findings)
    samples = {heading(best): read_samples(findings.run.path, best.trial_id)}
    others = {record.trial_id: record for record in (*findings.run.finalists, *findings.run.alive)}
    lacking = []
    for trial_id, record in others.items():
        if trial_id == best.trial_id or len(samples) == N_MODELS:
            continue
        try:
            samples[heading(record)] = read_samples(findings.run.path, trial_id)
        except RunError:
            lacking.append(trial_id)
    return samples, f" Without readable pictures, and so not shown: {', '.join(lacking)}." if lacking else ""


def _looked_at(findings: Findings, samples: Samples) -> int:
    """Return the quality to show: the picked one or the usual one, or the nearest sampled one below it."""
    return samples.nearest_quality(findings.pick.quality or USUAL_QUALITY)


def _best(findings: Findings) -> TrialRecord:
    if findings.best is None:
        raise RunError("No comparison of pixels: no trial has scores.")
    return findings.best


PIXELS_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (panels,)
