"""Equalised grey: the centre of an image as its JPEG files show it at several qualities, beside the original."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from analysis.colour import equalising_curve, to_grey
from analysis.figures.canvas import new_figure
from analysis.figures.tile import FONT_SIZE, Pixels, centre, show_pixels
from analysis.samples import Samples


def equalised_greys(samples: Samples, name: str, qualities: Sequence[int]) -> dict[str, Pixels]:
    """Cut the centres, uint8 [Z, Z] by title, in grey by the curve that equalises the original's.

    The original comes last, after its JPEG files at these qualities.
    """
    pictures = {f"JPEG-{quality}": samples.versions(name, quality)[1] for quality in qualities}
    original = samples.original[samples.names.index(name)]
    curve = equalising_curve(to_grey(centre(original)))
    return {title: curve[to_grey(centre(picture))] for title, picture in {**pictures, "original": original}.items()}


def draw_equalised_greys(greys: dict[str, Pixels], title: str) -> Figure:
    """Draw `equalised_greys` in a row."""
    figure = new_figure(2.6 * len(greys), 3.05)
    for axes, (name, grey) in zip(figure.subplots(1, len(greys), squeeze=False)[0], greys.items(), strict=True):
        show_pixels(axes, grey, name)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure
