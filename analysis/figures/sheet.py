"""Sample sheet: a few images of every camera system, whole or their centre crops."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from analysis.figures.canvas import new_figure
from analysis.figures.tile import FONT_SIZE, Pixels, centre, short_name, show_pixels
from analysis.gallery import Gallery

N_COLUMNS = 6


@dataclass(frozen=True)
class SheetRow:
    """Up to N_COLUMNS images of one camera system: their names and pictures, uint8 [H, W, 3]."""

    system: str
    names: tuple[str, ...]
    pictures: tuple[Pixels, ...]


def sample_sheet(gallery: Gallery, side_px: int | None = None) -> list[SheetRow]:
    """Put the images of each camera system in rows; of side_px only their centre is taken."""
    rows = []
    for system in sorted(set(gallery.sheet_systems)):
        own = [image for image, of in enumerate(gallery.sheet_systems) if of == system]
        for first in range(0, len(own), N_COLUMNS):
            part = own[first : first + N_COLUMNS]
            pictures = tuple(gallery.sheet[i] if side_px is None else centre(gallery.sheet[i], side_px) for i in part)
            rows.append(SheetRow(system, tuple(gallery.sheet_names[i] for i in part), pictures))
    return rows


def draw_sample_sheet(rows: Sequence[SheetRow], title: str) -> Figure:
    """Draw a `sample_sheet`, the name of each image below it and that of its camera system before the row."""
    n_columns = max(len(row.pictures) for row in rows)
    figure = new_figure(max(1.75 * n_columns + 0.4, 4.0), 2.0 * len(rows) + 0.5)
    for axes, row in zip(figure.subplots(len(rows), n_columns, squeeze=False), rows, strict=True):
        for tile, name, picture in zip(axes, row.names, row.pictures, strict=False):
            show_pixels(tile, picture, below=short_name(name))
        for tile in axes[len(row.pictures) :]:
            tile.set_axis_off()
        axes[0].set_ylabel(short_name(row.system), fontsize=FONT_SIZE + 1)
    figure.suptitle(title, fontsize=FONT_SIZE + 2)
    return figure
