"""Sample images beside what JPEG and networks made of them: panels, noise, channels, grey, before and after."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.cells import STEP_QUALITY
from analysis.figures.picture import Drawn, Picture, given, take_picture, to_file
from analysis.figures.pixels import centre, equalising_curve, psnr_text, rms, to_grey, to_luma, to_ycbcr, worst_place
from analysis.figures.subplots import Subplot, draw_subplots
from analysis.findings import Findings
from analysis.pictures import Samples, read_samples
from analysis.records import heading, label
from search.records import TrialRecord

WHY_SHOWN = {"fixed": "chosen beforehand", "worst": "among those that JPEG treats worst"}
NO_SAMPLES = "no trial has scores and is free of suspicion"
N_MODELS = 3
SLIDER_PX = 128
PANEL_ROWS = ("colour", "grey, equalised", "error of luma")
PANEL_SCALE = "original minus version,\nsteps of 8 bits"
CHANNELS = ("Y, luma", "Cb, blueness", "Cr, redness")


def of_best(findings: Findings) -> Samples | str:
    """Return the samples of the best trial, or why there are none."""
    return samples_of(findings, findings.best)


def samples_of(findings: Findings, record: TrialRecord | None) -> Samples | str:
    """Return the samples of a trial, or why there are none."""
    return read_samples(findings.run.path, record.trial_id, record.spec.encoder) if record else NO_SAMPLES


def before_after(findings: Findings) -> dict[str, Any] | None:
    """Cut the part of a sample image where JPEG errs most, to be compared by eye; None where there is no sample.

    Returns original, degraded and restored as PNG files, the title of the degraded one, and the caption.
    """
    samples = of_best(findings)
    if isinstance(samples, str):
        return None
    name, quality = samples.names[-1], samples.nearest_quality(looked_at(findings))
    versions = dict(zip(("original", "degraded", "restored"), samples.versions(name, quality), strict=True))
    place = worst_place(to_luma(versions["original"]) - to_luma(versions["degraded"]), SLIDER_PX)
    parts = {side: to_file(version[place], "png") for side, version in versions.items()}
    caption = best_title(findings, f"{name}, where {samples.title(quality)} errs most; restored by", " ")
    return {**parts, "title": samples.title(quality), "caption": f"{caption}."}


@given(of_best)
def panels(findings: Findings, best: Samples) -> Drawn:
    """Draw sample images beside what JPEG and the best trials made of them (figures 29 and 30 of the thesis)."""
    samples: dict[str, Samples] = {}
    lacking: list[str] = []
    able = [record for split in ("test", "validation") for record in findings.able(split)]
    for trial_id, record in {record.trial_id: record for record in (findings.best, *able) if record}.items():
        if len(samples) == N_MODELS or (findings.best and record.spec.split != findings.best.spec.split):
            continue  # trials of another split have other images
        own = samples_of(findings, record)
        if isinstance(own, str):
            lacking.append(trial_id)
        else:
            samples[heading(record)] = own
    odd = f" Without readable pictures, and so not shown: {', '.join(lacking)}." if lacking else ""
    odd += "".join(f" Not shown, being suspect: {trial} ({why})." for trial, why in list(findings.suspects.items())[:3])
    quality = looked_at(findings)
    wanted = {"fixed": (findings.run.reference_quality, quality)}
    return [
        _panel(samples, kind, shown, odd)
        for kind in dict.fromkeys(best.kinds)
        for shown in dict.fromkeys(map(best.nearest_quality, wanted.get(kind, (quality,))))
    ]


def _panel(samples: Mapping[str, Samples], kind: str, quality: int, lacking: str) -> Picture:
    first = next(iter(samples.values()))
    name, why = first.names[first.kinds.index(kind)], WHY_SHOWN.get(kind, kind)
    columns = {title: one for title, one in samples.items() if name in one.names and quality in one.qualities}
    rows = comparison_panel(columns, name, quality)
    figure = draw_subplots(rows, f"{name}: {why}", PANEL_ROWS, side_inches=2.9, scale=PANEL_SCALE)
    words = {"image": name, "why": why, "files": first.title(quality)}
    return take_picture("panel", figure, words, lacking, f"panel_{kind}_q{quality}")


def comparison_panel(samples: Mapping[str, Samples], name: str, quality: int) -> list[list[Subplot]]:
    """Cut an image's versions where its JPEG file errs most: the original, the file, and what trials made of it.

    samples: of trials by the title of their columns; each holds the image and the quality, the first one's are shown
    as original and JPEG. Returns the rows of PANEL_ROWS: colour with the PSNR of the whole image, grey by the curve
    that equalises the original's part, errors of luma.
    """
    first = next(iter(samples.values()))
    original, degraded, _ = first.versions(name, quality)
    restored = {title: one.versions(name, quality)[2] for title, one in samples.items()}
    versions = {"original": original, first.title(quality): degraded, **restored}
    place = worst_place(to_luma(original) - to_luma(degraded))
    curve = equalising_curve(to_grey(original[place]))
    psnr = ["" if one is original else psnr_text(original, one) for one in versions.values()]
    return [
        [Subplot(one[place], title, text) for (title, one), text in zip(versions.items(), psnr, strict=True)],
        [Subplot(curve[to_grey(one[place])]) for one in versions.values()],
        [Subplot(to_luma(original[place]) - to_luma(one[place]), is_error=True) for one in versions.values()],
    ]


@given(of_best)
def noise(findings: Findings, samples: Samples) -> Drawn:
    """Draw what JPEG took and what the network adds (figure 20 of the thesis)."""
    name = usual_images(samples)[0]
    rows = predicted_noise(samples, name, sorted(samples.qualities, reverse=True))
    return [take_picture("predicted_noise", draw_subplots(rows, best_title(findings, name)))]


def predicted_noise(samples: Samples, name: str, qualities: Sequence[int]) -> list[list[Subplot]]:
    """Show what is lost and what is added for the centre of an image, a row for each of these qualities.

    A row: its JPEG file; lost, the original minus that; added, what the network adds; restored; left, what is lost even
    so. RMS, and the correlation of added with lost (not told where one of them is the same everywhere): of all of it.
    """
    rows = []
    for quality in qualities:
        original, degraded, restored = samples.versions(name, quality)
        lost, added = to_luma(original) - to_luma(degraded), to_luma(restored) - to_luma(degraded)
        alike = np.corrcoef(lost.ravel(), added.ravel())[0, 1] + 0.0 if lost.std() and added.std() else None
        rows.append(
            [
                Subplot(centre(degraded), samples.title(quality), psnr_text(original, degraded)),
                _error(lost, "lost: original minus JPEG"),
                _error(added, "added by the network", "" if alike is None else f", correlation {alike:.2f}"),
                Subplot(centre(restored), "restored", psnr_text(original, restored)),
                _error(lost - added, "left: original minus restored"),
            ]
        )
    return rows


@given(of_best)
def channels(findings: Findings, samples: Samples) -> Drawn:
    """Draw luma and chroma (figure 31 of the thesis)."""
    name, quality = usual_images(samples)[0], samples.nearest_quality(looked_at(findings))
    rows = split_channels(samples, name, quality)
    figure = draw_subplots(rows, best_title(findings, name), CHANNELS, scale="error,\nsteps of 8 bits")
    return [take_picture("channels", figure)]


def split_channels(samples: Samples, name: str, quality: int) -> list[list[Subplot]]:
    """Show the centre of an image's versions as Y, Cb and Cr, a row each on a scale of its own, and their errors."""
    heads, rows = ("original", samples.title(quality), "restored"), []
    versions = np.stack([to_ycbcr(version) for version in samples.versions(name, quality)])
    for planes in np.moveaxis(versions, -1, 0):
        parts = [centre(plane) for plane in planes]
        span = float(np.min(parts)), float(np.max(parts))
        below = f"black {span[0]:.0f}, white {span[1]:.0f}"
        row = [Subplot(part, head, below, span) for part, head in zip(parts, heads, strict=True)]
        errors = zip(planes[1:], heads[1:], strict=True)
        rows.append(row + [_error(planes[0] - plane, f"original minus {head}") for plane, head in errors])
    return rows


@given(lambda findings: samples_of(findings, findings.best or findings.run.baseline_of(None)))
def equalised(findings: Findings, samples: Samples) -> Drawn:
    """Draw JPEG's blocks by quality (figure 1 of the thesis)."""
    name = usual_images(samples)[0]
    greys = equalised_greys(samples, name, sorted(samples.qualities))
    return [take_picture("equalised", draw_subplots(greys, name, side_inches=2.6))]


def equalised_greys(samples: Samples, name: str, qualities: Sequence[int]) -> list[list[Subplot]]:
    """Show the centres in grey by the curve that equalises the original's, which comes last, in one row."""
    pictures = {samples.title(quality): samples.versions(name, quality)[1] for quality in qualities}
    pictures["original"] = original = samples.original[samples.names.index(name)]
    curve = equalising_curve(to_grey(centre(original)))
    return [[Subplot(curve[to_grey(centre(one))], title) for title, one in pictures.items()]]


def _error(error: NDArray[np.float64], title: str, more: str = "") -> Subplot:
    return Subplot(centre(error), title, f"RMS {rms(error):.2f}{more}", is_error=True)


def usual_images(samples: Samples) -> list[str]:
    """Name the images that were chosen beforehand, all where none was."""
    fixed = [name for name, kind in zip(samples.names, samples.kinds, strict=True) if kind == "fixed"]
    return fixed or list(samples.names)


def best_title(findings: Findings, what: str, between: str = "\n") -> str:
    """Name what is shown and the trial that restored it."""
    return f"{what}{between}{label(findings.best)}" if findings.best else what


def looked_at(findings: Findings) -> int:
    """Return the quality to show: the picked one, or the usual one."""
    return findings.pick.quality or STEP_QUALITY
