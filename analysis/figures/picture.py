"""A figure as files, with the sentence that stands under it."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from analysis.figures.canvas import to_png, to_svg


@dataclass(frozen=True)
class Picture:
    """A drawn figure. name: of its files, without ending; caption: what it shows and how to read it."""

    name: str
    caption: str
    png: bytes
    svg: bytes


def take_picture(name: str, caption: str, figure: Figure) -> Picture:
    """Save a figure in both of its forms."""
    png = to_png(figure)
    figure.set_layout_engine("none")  # it is laid out; a second time would take as long and change nothing
    return Picture(name, caption, png, to_svg(figure))
