"""What all figures share: paper to draw on, colours that colour-blind people tell apart, axes, legends."""

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

# Okabe and Ito, Color Universal Design (2008); black is kept for JPEG as it is, yellow is too pale for a line.
JPEG_COLOUR = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
LEVEL: dict[str, Any] = {"color": "#666666", "linewidth": 0.9, "linestyle": ":"}  # of a reference


def look(place: int) -> dict[str, Any]:
    """Return colour, marker and dash of what is in a place: 0 is JPEG as it is; no two of 36 others are alike."""
    if not place:
        return {"color": JPEG_COLOUR, "marker": ".", "linestyle": "--", "zorder": 3}
    turn, at = divmod(place - 1, len(COLOURS))
    return {"color": COLOURS[at], "marker": MARKERS[(at + turn) % len(MARKERS)], "linestyle": DASHES[at]}


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure that belongs to no window and to no global list of figures."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(panel: Axes, lines: Literal["both", "y"] = "both") -> None:
    """Draw a pale grid below what is drawn, and no frame above and at the right."""
    panel.grid(axis=lines, color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def label_plainly(axis: Axis, form: Any, marks: Sequence[float] = (1, 2, 5)) -> None:
    """Name values such as 0.005 on a logarithmic axis. form: as matplotlib takes it; marks: of each power of ten."""
    axis.set_major_locator(LogLocator(subs=tuple(marks)))
    axis.set_major_formatter(form)
    axis.set_minor_locator(NullLocator())


def finish(figure: Figure, title: str, *more: Any, lines: Literal["both", "y"] = "both") -> None:
    """Tidy a figure's panels, put its title above and a legend below: of its first panel, then of more handles."""
    for panel in figure.axes:
        tidy(panel, lines)
    handles = [*figure.axes[0].get_legend_handles_labels()[0], *more]
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    n_columns = 1 if longest > 55 else 2 if longest > 25 else 4
    figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11)
