"""The figures of pictures, with their captions: what JPEG and networks make of sample images, and the gallery."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from analysis.cells import STEP_QUALITY
from analysis.checks import RunError
from analysis.figures import compared, gallery, spectra
from analysis.figures.pixels import to_luma, worst_place
from analysis.figures.style import Drawn, Picture, given, take_picture
from analysis.figures.tiles import draw_tiles
from analysis.findings import Findings
from analysis.pictures import Gallery, Samples, read_gallery, read_samples
from analysis.records import heading, label

WHY_SHOWN = {"fixed": "chosen beforehand", "worst": "among those that JPEG treats worst"}
ERRORS = "Errors are in steps of 8 bits: mid-grey is none, white is too dark a picture, black too bright a one."
NO_SAMPLES = "no trial has scores and is free of suspicion"
N_MODELS = 3
SLIDER_PX = 128


@dataclass(frozen=True)
class BeforeAfter:
    """A part of an image, PNG files: original, as JPEG, restored. caption: what it shows."""

    original: bytes
    degraded: bytes
    restored: bytes
    quality: int
    caption: str


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


def _of_best(findings: Findings) -> Samples | str:
    return _samples(findings, findings.best.trial_id) if findings.best else NO_SAMPLES


def _of_any(findings: Findings) -> Samples | str:
    record = findings.best or findings.run.baseline_of(None)
    return NO_SAMPLES if record is None else _samples(findings, record.trial_id)


def before_after(findings: Findings) -> BeforeAfter | None:
    """Cut the part of a sample image where JPEG errs most, to be compared by eye; None where there is no sample."""
    samples = _of_best(findings)
    if isinstance(samples, str):
        return None
    name, quality = samples.names[-1], samples.nearest_quality(_looked_at(findings))
    original, degraded, restored = samples.versions(name, quality)
    place = worst_place(to_luma(original) - to_luma(degraded), SLIDER_PX)
    parts = [_png(version[place]) for version in (original, degraded, restored)]
    caption = _best_title(findings, f"{name}, where JPEG-{quality} errs most; restored by", " ")
    return BeforeAfter(parts[0], parts[1], parts[2], quality, f"{caption}.")


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png")
    return buffer.getvalue()


@given(_of_best)
def panels(findings: Findings, best: Samples) -> Drawn:
    """Draw sample images beside what JPEG and the best trials made of them (figures 29 and 30 of the thesis)."""
    samples: dict[str, Samples] = {}
    lacking: list[str] = []
    able = {record.trial_id: record for split in ("test", "validation") for record in findings.able(split)}
    for trial_id, record in {**({findings.best.trial_id: findings.best} if findings.best else {}), **able}.items():
        own = best if record == findings.best else _samples(findings, trial_id)
        if len(samples) == N_MODELS or (findings.best and record.spec.split != findings.best.spec.split):
            continue  # trials of another split have other images
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
        "the curve that makes the original's levels equally frequent, which shows JPEG's blocks; at the bottom what "
        f"each version lacks, which is what a network is to add to the JPEG picture. {ERRORS}{lacking}"
    )
    columns = {title: one for title, one in samples.items() if name in one.names and quality in one.qualities}
    rows = compared.comparison_panel(columns, name, quality)
    figure = draw_tiles(rows, f"{name}: {why}", compared.PANEL_ROWS, side_inches=2.9, scale=compared.PANEL_SCALE)
    return take_picture(f"panel_{kind}_q{quality}", f"Comparison at JPEG-{quality}: {name}, {why}", caption, figure)


@given(_of_best)
def noise(findings: Findings, samples: Samples) -> Drawn:
    """Draw what JPEG took and what the network adds (figure 20 of the thesis)."""
    name = _usual_images(samples)[0]
    caption = (
        "What JPEG took from the luma of the centre of an image, what the network adds, and what is still missing "
        "then: the more the third column looks like the second, the less is left in the last. RMS and correlation are "
        f"of the whole image. {ERRORS}"
    )
    rows = compared.predicted_noise(samples, name, sorted(samples.qualities, reverse=True))
    figure = draw_tiles(rows, _best_title(findings, name))
    return [take_picture("predicted_noise", "Predicted noise", caption, figure)]


@given(_of_best)
def channels(findings: Findings, samples: Samples) -> Drawn:
    """Draw luma and chroma (figure 31 of the thesis)."""
    name, quality = _usual_images(samples)[0], samples.nearest_quality(_looked_at(findings))
    caption = (
        "Luma and chroma of the centre of an image. JPEG keeps chroma at half the resolution and rounds it more "
        f"coarsely, so that its detail is lost first. RMS is of the whole image. {ERRORS}"
    )
    rows = compared.split_channels(samples, name, quality)
    figure = draw_tiles(rows, _best_title(findings, name), compared.CHANNELS, scale="error,\nsteps of 8 bits")
    return [take_picture("channels", "Channels", caption, figure)]


@given(_of_best)
def spectra_and_histograms(findings: Findings, samples: Samples) -> Drawn:
    """Draw at which scales images hold detail, and how often each value occurs (figure 32 of the thesis)."""
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
    lines = spectra.draw_spectra(spectra.mean_spectra(samples, names, quality), title)
    counts = spectra.draw_value_histograms(spectra.value_histograms(samples, names, quality), title)
    return [
        take_picture("spectra", "Spectra", caption, lines),
        take_picture("histograms", "Histograms", levels, counts),
    ]


@given(_of_any)
def equalised(findings: Findings, samples: Samples) -> Drawn:
    """Draw JPEG's blocks by quality (figure 1 of the thesis)."""
    name = _usual_images(samples)[0]
    caption = (
        "The centre of an image in grey, by the curve that makes the original's levels equally frequent: JPEG's blocks "
        "show first in the background, and at low quality in the cells."
    )
    greys = compared.equalised_greys(samples, name, sorted(samples.qualities))
    return [take_picture("equalised", "Equalised grey", caption, draw_tiles(greys, name, side_inches=2.6))]


@given(_gallery)
def sheets(findings: Findings, found: Gallery) -> Drawn:
    """Draw samples of all camera systems, whole and cropped (figures 17 and 18 of the thesis)."""
    if not len(found.sheet):
        return "the gallery holds no image for it"
    counts = [f"{name} ({found.sheet_systems.count(name)})" for name in sorted(set(found.sheet_systems))]
    side = found.crop_px
    (whole, systems), (crops, _) = gallery.sample_sheet(found), gallery.sample_sheet(found, side)
    drawn_by_lot = f"Images drawn by lot, of each camera system in turn: {', '.join(counts)}."
    cut = "The centre crops of the same images, which are scored beside the whole."
    return [
        take_picture(name, title, caption, draw_tiles(rows, head, systems, side_inches=1.75), is_photograph=True)
        for name, title, caption, rows, head in (
            ("sample_sheet", "Sample images", drawn_by_lot, whole, "Sample images by camera system"),
            ("sample_crops", "Their centre crops", cut, crops, f"Centre crops of {side} x {side} pixels"),
        )
    ]


@given(_gallery)
def worst(findings: Findings, found: Gallery) -> Drawn:
    """Draw the worst inputs (section 3.5 of the thesis)."""
    if not len(found.worst_original):
        return "JPEG as it is had no test scores when the gallery was made"
    caption = (
        f"The test images with the largest mean squared error as JPEG-{found.quality}, {_restorer(findings, found)}. "
        "The frame marks the square where their luma errs most, which is shown beside it; MSE and PSNR are of the "
        "whole image. Mid-grey is no error."
    )
    figure = draw_tiles(gallery.worst_inputs(found), "The worst inputs")
    return [take_picture("worst_inputs", "Worst images", caption, figure)]


@given(_gallery)
def feature_maps(findings: Findings, found: Gallery) -> Drawn:
    """Draw what VGG16 sees (figure 16 of the thesis)."""
    if found.maps is None:
        return "VGG16's weights were not used in this run, or there was nothing to show"
    caption = (
        f"What the last convolution of VGG16 sees of {found.worst_names[0]} and of it as JPEG-{found.quality}: the "
        "maps that respond most to the original, black for nothing. The share is the mean difference from the "
        "original's map; the perceptual loss makes such differences small."
    )
    rows = gallery.compare_maps(found.maps, found.map_numbers)
    figure = draw_tiles(rows, _restorer(findings, found), gallery.VERSIONS, side_inches=1.3)
    return [take_picture("feature_maps", "Feature maps of VGG16", caption, figure)]


def _restorer(findings: Findings, found: Gallery) -> str:
    named = [label(record) for record in findings.run.records if record.trial_id == found.trial_id]
    return f"restored by {named[0] if named else found.trial_id}" if found.trial_id else "no trial could restore them"


def _usual_images(samples: Samples) -> list[str]:
    """Name the images that were chosen beforehand, all where none was."""
    fixed = [name for name, kind in zip(samples.names, samples.kinds, strict=True) if kind == "fixed"]
    return fixed or list(samples.names)


def _best_title(findings: Findings, what: str, between: str = "\n") -> str:
    return f"{what}{between}{label(findings.best)}" if findings.best else what


def _looked_at(findings: Findings) -> int:
    """Return the quality to show: the picked one, or the usual one."""
    return findings.pick.quality or STEP_QUALITY
