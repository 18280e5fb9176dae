"""The figures that are drawn from the pictures a run keeps, each with its caption."""

from collections.abc import Callable

from analysis.figures.channels import draw_channels, split_channels
from analysis.figures.equalised import draw_equalised_greys, equalised_greys
from analysis.figures.histograms import draw_value_histograms, value_histograms
from analysis.figures.noise import draw_predicted_noise, predicted_noise
from analysis.figures.panel import comparison_panel, draw_comparison_panel
from analysis.figures.picture import Picture, take_picture
from analysis.figures.spectra import draw_spectra, mean_spectra
from analysis.findings import Findings
from analysis.labels import heading, label
from analysis.run import RunError
from analysis.samples import Samples, read_samples
from search.records import TrialRecord

# The quality to look at where there is no pick.
USUAL_QUALITY = 50
N_MODELS = 3
NO_TRIAL = "No comparison of pixels: no trial has scores and is free of suspicion."
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


def noise(findings: Findings) -> list[Picture]:
    samples = _samples_of_best(findings)
    name = _usual_images(samples)[0]
    rows = predicted_noise(samples, name, sorted(samples.qualities, reverse=True))
    caption = (
        "What JPEG took from the luma of the centre of an image, what the network adds, and what is still missing "
        "then: the more the third column looks like the second, the less is left in the last. RMS and correlation are "
        f"of the whole image. {ERRORS}"
    )
    return [take_picture("predicted_noise", caption, draw_predicted_noise(rows, _title(findings, name)))]


def channels(findings: Findings) -> list[Picture]:
    samples = _samples_of_best(findings)
    name, quality = _usual_images(samples)[0], _looked_at(findings, samples)
    caption = (
        "Luma and chroma of the centre of an image. JPEG keeps chroma at half the resolution and rounds it more "
        f"coarsely, so that its detail is lost first. RMS is of the whole image. {ERRORS}"
    )
    figure = draw_channels(split_channels(samples, name, quality), quality, _title(findings, name))
    return [take_picture("channels", caption, figure)]


def spectra(findings: Findings) -> list[Picture]:
    samples = _samples_of_best(findings)
    names, quality = _usual_images(samples), _looked_at(findings, samples)
    caption = (
        f"Power of luma by frequency, over all directions, in {_images(names)} at JPEG-{quality}, faded to their "
        "borders. JPEG drops fine detail, at the right, and adds the edges of its blocks of 8 pixels; where the "
        "restored line is below JPEG's in the right panel, the network puts right what JPEG did at that scale."
    )
    figure = draw_spectra(mean_spectra(samples, names, quality), _title(findings, f"JPEG-{quality}, {_images(names)}"))
    return [take_picture("spectra", caption, figure)]


def histograms(findings: Findings) -> list[Picture]:
    samples = _samples_of_best(findings)
    names, quality = _usual_images(samples), _looked_at(findings, samples)
    caption = (
        f"How often each value occurs in {_images(names)} at JPEG-{quality}, on a logarithmic scale: where JPEG rounds "
        "a flat region to one value, its line has teeth that the original's does not have."
    )
    table = value_histograms(samples, names, quality)
    figure = draw_value_histograms(table, _title(findings, f"JPEG-{quality}, {_images(names)}"))
    return [take_picture("histograms", caption, figure)]


def equalised(findings: Findings) -> list[Picture]:
    record = findings.best or findings.run.baseline
    if record is None:
        raise RunError(NO_TRIAL)
    samples = read_samples(findings.run.path, record.trial_id)
    name = _usual_images(samples)[0]
    caption = (
        "The centre of an image in grey, by the curve that makes the original's levels equally frequent: JPEG's blocks "
        "show first in the background, and at low quality in the cells."
    )
    figure = draw_equalised_greys(equalised_greys(samples, name, sorted(samples.qualities)), name)
    return [take_picture("equalised", caption, figure)]


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
    others = {record.trial_id: record for record in (*findings.run.candidates, *findings.run.alive)}
    lacking = []
    for trial_id, record in others.items():
        if trial_id == best.trial_id or len(samples) == N_MODELS or record.spec.split != best.spec.split:
            continue  # trials of another split have other images
        try:
            samples[heading(record)] = read_samples(findings.run.path, trial_id)
        except RunError:
            lacking.append(trial_id)
    return samples, f" Without readable pictures, and so not shown: {', '.join(lacking)}." if lacking else ""


def _samples_of_best(findings: Findings) -> Samples:
    return read_samples(findings.run.path, _best(findings).trial_id)


def _usual_images(samples: Samples) -> list[str]:
    """Name the images that were chosen beforehand, all where none was."""
    fixed = [name for name, kind in zip(samples.names, samples.kinds, strict=True) if kind == "fixed"]
    return fixed or list(samples.names)


def _images(names: list[str]) -> str:
    return f"{len(names)} {'image' if len(names) == 1 else 'images'}"


def _title(findings: Findings, what: str) -> str:
    return f"{what}\n{label(_best(findings))}"


def _looked_at(findings: Findings, samples: Samples) -> int:
    """Return the quality to show: the picked one or the usual one, or the nearest sampled one below it."""
    return samples.nearest_quality(findings.pick.quality or USUAL_QUALITY)


def _best(findings: Findings) -> TrialRecord:
    if findings.best is None:
        raise RunError(NO_TRIAL)
    return findings.best


PIXELS_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (
    panels,
    noise,
    channels,
    spectra,
    histograms,
    equalised,
)
