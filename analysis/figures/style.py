"""What all figures share: paper, colours that colour-blind people tell apart, the files that a figure becomes."""

import io
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from importlib.resources import files
from typing import Any, Literal, TypeAlias, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from analysis.findings import Findings

# Okabe and Ito, Color Universal Design (2008); black is kept for JPEG as it is, yellow is too pale for a line.
JPEG_COLOUR = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
LEVEL: dict[str, Any] = {"color": "#666666", "linewidth": 0.9, "linestyle": ":"}  # of a reference
PNG_DPI = 110


@dataclass(frozen=True)
class Picture:
    """A drawn figure. name: of its files, without ending; caption: how to read it; webp: what the page shows."""

    name: str
    title: str
    caption: str
    png: bytes
    webp: bytes
    svg: bytes


Drawn = list[Picture] | str  # pictures, or the reason why there is none
DrawFigure: TypeAlias = Callable[[Findings], Drawn]
Found = TypeVar("Found")


def given(find: Callable[[Findings], Found | str]) -> Callable[[Callable[[Findings, Found], Drawn]], DrawFigure]:
    """Have a figure drawn of what a function finds; where that returns a reason instead, it is why there is none."""

    def needing(draw: Callable[[Findings, Found], Drawn]) -> DrawFigure:
        @wraps(draw)
        def drawn(findings: Findings) -> Drawn:
            found = find(findings)
            return found if isinstance(found, str) else draw(findings, found)

        return drawn

    return needing


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


def tidy(panel: Axes, lines: Literal["both", "x", "y"] = "both") -> None:
    """Draw a pale grid below what is drawn, and no frame above and at the right."""
    panel.grid(axis=lines, color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def label_plainly(axis: Axis, form: Any, marks: Sequence[float] = (1, 2, 5)) -> None:
    """Name values such as 0.005 on a logarithmic axis. form: as matplotlib takes it; marks: of each power of ten."""
    axis.set_major_locator(LogLocator(subs=tuple(marks)))
    axis.set_major_formatter(form)
    axis.set_minor_locator(NullLocator())


def add_legend(figure: Figure, *more: Any) -> None:
    """Put a legend below a figure: what its first panel and then more handles are labelled."""
    handles = [*figure.axes[0].get_legend_handles_labels()[0], *more]
    longest = max((len(str(handle.get_label())) for handle in handles), default=0)
    n_columns = 1 if longest > 55 else 2 if longest > 25 else 4
    figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=9)


def take_picture(
    entry: str,
    figure: Figure,
    words: Mapping[str, Any] | None = None,
    more: str = "",
    name: str = "",
    is_photograph: bool = False,
) -> Picture:
    """Save a figure in each of its forms, with the title and caption of an entry of captions.toml.

    words: what stands in the braces of these; more: sentences after the caption; name: of the files, if not the entry.
    """
    texts = tomllib.loads((files("analysis.figures") / "captions.toml").read_text(encoding="utf-8"))[entry]
    title, caption = (texts[part].format(**words or {}).strip() for part in ("title", "caption"))
    return Picture(name or entry, title, caption + more, *save(figure, is_photograph))


def save(figure: Figure, is_photograph: bool = False) -> tuple[bytes, bytes, bytes]:
    """Return the figure as PNG, WebP and SVG files, the same bytes for the same figure.

    is_photograph: the WebP file, which the page shows, is lossy, a tenth of the bytes: for whole images made smaller.
    """
    webp = {"quality": 90, "method": 4} if is_photograph else {"lossless": True, "method": 2}
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "lowq"}):
        figure.set_dpi(PNG_DPI)
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
        figure.set_layout_engine("none")  # it is laid out; a second time would take as long and change nothing
        figure.savefig(drawn, format="svg", dpi=PNG_DPI, metadata={"Date": None})
    return to_file(pixels, "png"), to_file(pixels, "webp", webp), drawn.getvalue()


def to_file(pixels: NDArray[np.uint8], kind: str, options: dict[str, Any] | None = None) -> bytes:
    """Return pixels [H, W, 3] as an image file of a kind: "png", "webp"."""
    buffer = io.BytesIO()
    plain: dict[str, Any] = {"metadata": {"Software": None}} if kind == "png" else {}
    imsave(buffer, pixels, format=kind, pil_kwargs=options or {}, **plain)
    return buffer.getvalue()


def counted(what: str, n: int) -> str:
    """Say how many there are, for a caption; nothing of none."""
    return f" {what}: {n}." if n else ""
