"""Pictures beside each other: a grid of subplots, each pixels, a channel or an error, with words above and below."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from analysis.figures.pixels import ZOOM_PX, Errors
from analysis.figures.style import new_figure

FONT_SIZE = 8
# Of all errors that share a scale, this share stays inside it.
SHOWN_SHARE = 0.995
OF_LUMA = "error of luma,\nsteps of 8 bits"


@dataclass(frozen=True)
class Subplot:
    """One picture of a grid: uint8 [H, W, 3], or [H, W] in grey between the ends of span.

    is_error: in steps of 8 bits around mid-grey, on the scale that all errors of the grid share. frame: the rows and
    columns of a square that is marked.
    """

    picture: NDArray[Any]
    title: str = ""
    below: str = ""
    span: tuple[float, float] = (0, 255)
    is_error: bool = False
    frame: tuple[slice, slice] | None = None


def draw_subplots(
    rows: Sequence[Sequence[Subplot]],
    title: str,
    row_titles: Sequence[str] = (),
    side_inches: float = 2.1,
    scale: str = OF_LUMA,
) -> Figure:
    """Draw rows of subplots, their names before them; scale: what the errors are, whose scale stands at the right."""
    n_columns = max(map(len, rows))
    figure = new_figure(max(4.0, side_inches * n_columns + 0.9), 1.18 * side_inches * len(rows) + 0.7)
    grid = figure.subplots(len(rows), n_columns, squeeze=False)
    limit, errors = error_limit(subplot.picture for row in rows for subplot in row if subplot.is_error), []
    for axes, row in zip(grid, rows, strict=True):
        for one, subplot in zip(axes, row, strict=False):
            image = _show(one, subplot, (-limit, limit) if subplot.is_error else subplot.span)
            errors += [image] if subplot.is_error else []
        for one in axes[len(row) :]:
            one.set_axis_off()
    for one, row_title in zip(grid[:, 0], row_titles, strict=False):
        one.set_ylabel(row_title, fontsize=FONT_SIZE)
    if errors:
        bar = figure.colorbar(errors[-1], ax=grid, shrink=0.8 / len(grid), anchor=(0.0, 0.05), aspect=16, pad=0.01)
        bar.set_label(scale, fontsize=FONT_SIZE)
        bar.ax.tick_params(labelsize=FONT_SIZE)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure


def error_limit(errors: Iterable[Errors]) -> int:
    """Return the error, in steps of 8 bits, that is to be black or white where all of these share a scale.

    A picture without any error, such as the original beside itself, has no part in it.
    """
    sizes = [np.abs(error).ravel() for error in errors if error.any()]
    return max(1, int(np.ceil(np.quantile(np.concatenate(sizes), SHOWN_SHARE)))) if sizes else 1


def _show(axes: Axes, subplot: Subplot, span: tuple[float, float]) -> AxesImage:
    """Show the pixels of a small picture, and average those of one that has more than the paper shows."""
    smoothing = "nearest" if max(subplot.picture.shape[:2]) <= ZOOM_PX else "antialiased"
    image = axes.imshow(subplot.picture, interpolation=smoothing, cmap="gray", vmin=span[0], vmax=span[1])
    if subplot.frame:
        rows, columns = subplot.frame
        corner = (columns.start - 0.5, rows.start - 0.5)
        size = columns.stop - columns.start, rows.stop - rows.start
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor="black", linewidth=1.2))
    axes.set_title(subplot.title, fontsize=FONT_SIZE)
    axes.set_xlabel(subplot.below, fontsize=FONT_SIZE)
    axes.set(xticks=[], yticks=[])
    return image
