"""The figures that are drawn from a run's gallery, each with its caption."""

from collections.abc import Callable

from analysis.figures.feature_maps import compare_maps, draw_feature_maps
from analysis.figures.picture import Picture, take_picture
from analysis.figures.sheet import draw_sample_sheet, sample_sheet
from analysis.figures.worst import draw_worst_inputs, worst_inputs
from analysis.findings import Findings
from analysis.gallery import Gallery, read_gallery
from analysis.labels import label
from analysis.run import RunError


def sheets(findings: Findings) -> list[Picture]:
    gallery = read_gallery(findings.run.path)
    if not len(gallery.sheet):
        raise RunError("No sheet of samples: the gallery holds no image for it.")
    drawn_by_lot = "Images drawn by lot, of each camera system in turn"
    whole = draw_sample_sheet(sample_sheet(gallery), "Sample images by camera system")
    side = gallery.crop_px
    crops = draw_sample_sheet(sample_sheet(gallery, side), f"Centre crops of {side} x {side} pixels")
    return [
        take_picture("sample_sheet", f"{drawn_by_lot}: {_systems(gallery)}.", whole),
        take_picture("sample_crops", "The centre crops of the same images, which are scored beside the whole.", crops),
    ]


def worst(findings: Findings) -> list[Picture]:
    gallery = read_gallery(findings.run.path)
    if not len(gallery.worst_original):
        raise RunError("No view of the worst inputs: JPEG as it is had no test scores when the gallery was made.")
    who = _restorer(findings, gallery)
    caption = (
        f"The test images with the largest mean squared error as JPEG-{gallery.quality}. The frame marks the square of "
        "up to 96 pixels where their luma errs most, which is shown beside it; MSE and PSNR are of the whole image. "
        "Mid-grey is no error."
    )
    rows = worst_inputs(gallery)
    return [take_picture("worst_inputs", caption, draw_worst_inputs(rows, gallery.quality, f"The worst inputs\n{who}"))]


def feature_maps(findings: Findings) -> list[Picture]:
    gallery = read_gallery(findings.run.path)
    if gallery.maps is None:
        raise RunError("No feature maps of VGG16: its weights were not used in this run, or there was nothing to show.")
    caption = (
        f"What the last convolution of VGG16 sees of {gallery.worst_names[0]} and of it as JPEG-{gallery.quality}: the "
        "maps that respond most to the original, black for nothing. The share is the mean difference from the "
        "original's map; the perceptual loss makes such differences small."
    )
    figure = draw_feature_maps(compare_maps(gallery.maps, gallery.map_numbers), _restorer(findings, gallery))
    return [take_picture("feature_maps", caption, figure)]


def _restorer(findings: Findings, gallery: Gallery) -> str:
    named = [label(record) for record in findings.run.records if record.trial_id == gallery.trial_id]
    return (
        f"restored by {named[0] if named else gallery.trial_id}" if gallery.trial_id else "no trial could restore them"
    )


def _systems(gallery: Gallery) -> str:
    counts = {system: gallery.sheet_systems.count(system) for system in sorted(set(gallery.sheet_systems))}
    return ", ".join(f"{system} ({count})" for system, count in counts.items())


GALLERY_ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (sheets, worst, feature_maps)
