"""A drawn figure as files, with its title and caption, or the reason why there is none."""

import io
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from importlib.resources import files
from typing import Any, TypeAlias, TypeVar

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from analysis.findings import Findings

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


def take_picture(
    entry: str, figure: Figure, words: Mapping[str, Any] | None = None, more: str = "", name: str = ""
) -> Picture:
    """Save a figure in each of its forms, with the title and caption of an entry of captions.toml.

    words: what stands in the braces of these; more: sentences after the caption; name: of the files, if not the entry.
    """
    texts = tomllib.loads((files("analysis.figures") / "captions.toml").read_text(encoding="utf-8"))[entry]
    title, caption = (texts[part].format(**words or {}).strip() for part in ("title", "caption"))
    return Picture(name or entry, title, caption + more, *save(figure, "photograph" in texts))


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
    return to_file(pixels, "png"), to_file(pixels, "webp", **webp), drawn.getvalue()


def to_file(pixels: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    """Return pixels [H, W, 3] as an image file of a kind: "png", "webp"."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def counted(what: str, n: int) -> str:
    """Say how many there are, for a caption; nothing of none."""
    return f" {what}: {n}." if n else ""
