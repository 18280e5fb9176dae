"""What belongs to no trial: a sheet of sample images, the inputs that JPEG treats worst, VGG16's maps of one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.figures.picture import Drawn, given, take_picture
from analysis.figures.pixels import centre, psnr_text, rms, short_name, to_luma, worst_place
from analysis.figures.subplots import Subplot, draw_subplots
from analysis.findings import Findings
from analysis.pictures import Gallery, read_gallery
from analysis.records import file_title, label

N_COLUMNS = 6
VERSIONS = ("original", "JPEG", "restored")


def _gallery(findings: Findings) -> Gallery | str:
    return read_gallery(findings.run.path)


@given(_gallery)
def sheets(findings: Findings, found: Gallery) -> Drawn:
    """Draw samples of all camera systems, whole and cropped (figures 17 and 18 of the thesis)."""
    if not len(found.sheet):
        return "the gallery holds no image for it"
    counts = [f"{name} ({found.sheet_systems.count(name)})" for name in sorted(set(found.sheet_systems))]
    side, words = found.crop_px, {"counts": ", ".join(counts)}
    (whole, systems), (crops, _) = sample_sheet(found), sample_sheet(found, side)
    whole_sheet = draw_subplots(whole, "Sample images by camera system", systems, side_inches=1.75)
    crop_sheet = draw_subplots(crops, f"Centre crops of {side} x {side} pixels", systems, side_inches=1.75)
    return [take_picture("sample_sheet", whole_sheet, words), take_picture("sample_crops", crop_sheet, words)]


def sample_sheet(gallery: Gallery, side_px: int | None = None) -> tuple[list[list[Subplot]], list[str]]:
    """Put the images of each camera system in rows, of side_px only their centre; returns these and their systems."""
    rows, systems = [], []
    for system in sorted(set(gallery.sheet_systems)):
        own = [image for image, of in enumerate(gallery.sheet_systems) if of == system]
        for first in range(0, len(own), N_COLUMNS):
            part = [(gallery.sheet[i], short_name(gallery.sheet_names[i])) for i in own[first : first + N_COLUMNS]]
            rows.append([Subplot(one if side_px is None else centre(one, side_px), below=name) for one, name in part])
            systems.append(short_name(system))
    return rows, systems


@given(_gallery)
def worst(findings: Findings, found: Gallery) -> Drawn:
    """Draw the worst inputs (section 3.5 of the thesis)."""
    if not len(found.worst_original):
        return "JPEG as it is had no test scores when the gallery was made"
    words = _words(findings, found)
    return [take_picture("worst_inputs", draw_subplots(worst_inputs(found, words["files"]), "The worst inputs"), words)]


def worst_inputs(gallery: Gallery, files: str) -> list[list[Subplot]]:
    """Show each of the worst inputs, a row each: the whole, then the square where its file errs most, as the file has
    it and, where a trial restored it, restored, with the errors of luma in it. MSE and PSNR are of the whole image.

    files: what the files are called, such as JPEG-50.
    """
    rows = []
    for image, (original, degraded) in enumerate(zip(gallery.worst_original, gallery.worst_degraded, strict=True)):
        place = worst_place(to_luma(original) - to_luma(degraded))
        mse = float(np.mean(np.square(original.astype(np.float64) - degraded))) / 255**2
        title = f"{short_name(gallery.worst_names[image])}\n{short_name(gallery.worst_systems[image])}"
        row = [Subplot(original, title, f"MSE {mse:.2e} as {files}", frame=place)]
        versions = {files: degraded}
        if gallery.worst_restored is not None:
            versions["restored"] = gallery.worst_restored[image]
        for name, version in versions.items():
            error = (to_luma(original) - to_luma(version))[place]
            row.append(Subplot(version[place], name, psnr_text(original, version)))
            row.append(Subplot(error, f"original minus {name}", f"RMS {rms(error):.2f} here", is_error=True))
        rows.append(row)
    return rows


@given(_gallery)
def feature_maps(findings: Findings, found: Gallery) -> Drawn:
    """Draw what VGG16 sees (figure 16 of the thesis)."""
    if found.maps is None:
        return "VGG16's weights were not used in this run, or there was nothing to show"
    rows, words = compare_maps(found.maps, found.map_numbers), _words(findings, found)
    figure = draw_subplots(rows, words["restorer"], VERSIONS, side_inches=1.3)
    return [take_picture("feature_maps", figure, words | {"image": found.worst_names[0]})]


def compare_maps(maps: NDArray[np.float32], numbers: Sequence[int]) -> list[list[Subplot]]:
    """Show maps [V, h, w, K] of VERSIONS of an image, a row each, from nothing in black to a map's largest in white.

    Below each version but the original stands its mean absolute difference from the original's map, as a share of that
    map's mean; 0 where that is 0.
    """
    planes = maps.astype(np.float64)
    means, spans = planes[0].mean(axis=(0, 1)), planes.max(axis=(0, 1, 2))
    rows: list[list[Subplot]] = []
    for version in planes:
        gaps = np.abs(version - planes[0]).mean(axis=(0, 1))
        shares = np.divide(gaps, means, out=np.zeros_like(gaps), where=means > 0)
        titles = [f"map {number}" if not rows else "" for number in numbers]
        below = [f"{100 * share:.0f} % off" if rows else "" for share in shares]
        shown = zip(np.moveaxis(version, -1, 0), titles, below, spans, strict=True)
        rows.append([Subplot(plane, title, text, (0, float(top) or 1)) for plane, title, text, top in shown])
    return rows


def _words(findings: Findings, found: Gallery) -> dict[str, str]:
    """Name the files that were restored, and who restored them."""
    record = next((record for record in findings.run.records if record.trial_id == found.trial_id), None)
    restorer = f"restored by {label(record) if record else found.trial_id}"
    files = file_title(record.spec.encoder if record else None, found.quality)
    return {"files": files, "restorer": restorer if found.trial_id else "no trial could restore them"}
