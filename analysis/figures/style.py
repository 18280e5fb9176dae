"""What all figures share: paper to draw on, colours that colour-blind people tell apart, files, and who is shown."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, TypeAlias, TypeVar

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from analysis.findings import Findings
from analysis.ranking import Ranking
from analysis.run import LINEAR
from search.records import TrialRecord
from search.space.spec import TrialStatus

# Okabe and Ito, Color Universal Design (2008); black is kept for JPEG as it is, yellow is too pale for a line.
JPEG_COLOUR = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
GRID_COLOUR = "#dddddd"
PNG_DPI = 110


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure that belongs to no window and to no global list of figures."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(panel: Axes, lines: Literal["both", "x", "y"] = "both") -> None:
    """Draw a pale grid below what is drawn, and no frame above and at the right."""
    panel.grid(axis=lines, color=GRID_COLOUR, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, is_photograph: bool = False) -> tuple[bytes, bytes, bytes]:
    """Return the figure as PNG, WebP and SVG files, the same bytes for the same figure.

    is_photograph: the WebP file, which the page shows, is lossy, a tenth of the bytes: for whole images made smaller.
    """
    webp = {"quality": 90, "method": 4} if is_photograph else {"lossless": True, "method": 2}
    drawn = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "lowq", "hatch.linewidth": 0.5}):
        figure.set_dpi(PNG_DPI)
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
        figure.set_layout_engine("none")  # it is laid out; a second time would take as long and change nothing
        figure.savefig(drawn, format="svg", dpi=PNG_DPI, metadata={"Date": None})
    return _image(pixels, "png", {}), _image(pixels, "webp", webp), drawn.getvalue()


def _image(pixels: NDArray[np.uint8], kind: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    plain: dict[str, Any] = {"metadata": {"Software": None}} if kind == "png" else {}
    imsave(buffer, pixels, format=kind, pil_kwargs=options, **plain)
    return buffer.getvalue()


@dataclass(frozen=True)
class Picture:
    """A drawn figure. name: of its files, without ending; caption: how to read it; webp: what the page shows."""

    name: str
    title: str
    caption: str
    png: bytes
    webp: bytes
    svg: bytes


def take_picture(name: str, title: str, caption: str, figure: Figure, is_photograph: bool = False) -> Picture:
    """Save a figure in each of its forms."""
    return Picture(name, title, caption, *save(figure, is_photograph))


Drawn = list[Picture] | str  # pictures, or the reason why there is none
Found = TypeVar("Found")


DrawFigure: TypeAlias = Callable[[Findings], Drawn]


def given(find: Callable[[Findings], Found | str]) -> Callable[[Callable[[Findings, Found], Drawn]], DrawFigure]:
    """Have a figure drawn of what a function finds; where that returns a reason instead, it is why there is none."""

    def needing(draw: Callable[[Findings, Found], Drawn]) -> DrawFigure:
        @wraps(draw)
        def drawn(findings: Findings) -> Drawn:
            found = find(findings)
            return found if isinstance(found, str) else draw(findings, found)

        return drawn

    return needing


def counted(what: str, n: int) -> str:
    """Say how many there are, for a caption; nothing of none."""
    return f" {what}: {n}." if n else ""


@dataclass(frozen=True)
class Compared:
    """JPEG as it is and the trials beside it, best first, on a split that all of them have scores on.

    n_more: trials that would have been shown, had there been colours for them; suspects: those kept out, and why.
    """

    split: str
    jpeg: TrialRecord
    trials: tuple[TrialRecord, ...]
    n_more: int = 0
    suspects: tuple[str, ...] = ()

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        return (self.jpeg, *self.trials)

    def further(self) -> str:
        """Say what is not shown, and why; empty where all is."""
        more = counted("Further trials, in the tables", self.n_more)
        return more + (f" Not shown, being suspect: {'; '.join(self.suspects)}." if self.suspects else "")


def compared(findings: Findings, split: str | None = None) -> Compared | str:
    """Choose what a figure shows: JPEG as it is, the best trial, and the next best of those trained on the same split.

    The linear filter is among them where there is one. split: whose scores, by default test images where the best trial
    has scores of them, else validation. Returns the reason where the run has no JPEG as it is or no trial with scores.
    """
    run, best = findings.run, findings.best
    jpeg = run.baseline_of(best)
    if jpeg is None or best is None:
        return "it takes JPEG as it is and a trial, both scored"
    split = split or ("test" if run.has_scores(best, "test") else "validation")
    ranked = [record for record in findings.able(split) if record.spec.split == best.spec.split]
    linear = [record for record in ranked if record.spec.architecture == LINEAR][:1]
    ordered = list(dict.fromkeys(record.trial_id for record in (best, *ranked)))
    shown = [*ordered[: len(COLOURS) - len(linear)], *(record.trial_id for record in linear)]
    by_id = {record.trial_id: record for record in (best, *ranked)}
    trials = tuple(by_id[trial_id] for trial_id in list(dict.fromkeys(shown)))
    able = {record.trial_id for record in run.trials if run.has_scores(record, split)}
    odd = tuple(f"{trial} ({why})" for trial, why in findings.suspects.items() if trial in able)
    return Compared(split, jpeg, trials, len(by_id) - len(trials), odd)


def shared_rows(scores: pd.DataFrame, shown: Compared) -> tuple[pd.DataFrame, int]:
    """Keep the scores of what is compared, each quality and region on the images that all who were scored there have.

    Returns the rows, and the number of images and regions of which some are left out for want of a partner.
    """
    ids = [record.trial_id for record in shown.records]
    rows = scores[scores["trial_id"].isin(ids) & (scores["split"] == shown.split)]
    place = ["input_quality", "region"]
    n_scored = rows.groupby([*place, "trial_id"], observed=True).size().groupby(place, observed=True).size()
    n_sharing = rows.groupby([*place, "image"], observed=True)["image"].transform("size")
    wanted = n_scored.reindex(pd.MultiIndex.from_frame(rows[place].astype({"region": str}))).to_numpy()
    is_shared = n_sharing.to_numpy() == wanted
    n_unshared = len(rows.loc[~is_shared, ["image", "region"]].drop_duplicates())
    return rows[is_shared], n_unshared


MARGINS = Ranking()
Margins: TypeAlias = "pd.Series[float] | NDArray[np.float64]"

# How a trial ended: completed, stopped, ... in every figure of the search.
STATUS_MARKERS = {
    TrialStatus.COMPLETED: "o",
    TrialStatus.STOPPED: "s",
    TrialStatus.PAUSED: "D",
    TrialStatus.DIVERGED: "x",
    TrialStatus.DEAD: "v",
    TrialStatus.FAILED: "P",
    TrialStatus.UNKNOWN: "d",
}


@dataclass(frozen=True)
class MarginAxis:
    """input_margin: of JPEG as it is, None where no record tells it. floor: margins under it are drawn on it, so that a
    trial that diverged does not flatten the others; None draws every margin where it is. by_parity: of bytes at parity,
    of which JPEG as it is has 1, in the place of margins."""

    input_margin: float | None
    floor: float | None
    by_parity: bool = False

    def clip(self, margins: Margins) -> NDArray[np.float64]:
        """Return margins as they are drawn; what is no margin stays NaN."""
        values = np.asarray(margins, np.float64)
        return values if self.floor is None else np.maximum(values, self.floor)

    def edge(self, drawn: Margins) -> float:
        """Return where trials without a value are marked: beyond the worst of what is drawn."""
        known = [float(value) for value in drawn if np.isfinite(value)]
        if self.by_parity:
            return max([1.0, *known]) + 0.1
        return min([0.0, self.input_margin or 0.0, *known]) - 0.25

    def below(self, margins: Margins) -> str:
        """Say how many margins are drawn on the floor, empty where none is."""
        n_below = 0 if self.floor is None else int(np.sum(np.asarray(margins, np.float64) < self.floor))
        return counted(f"Margins under {self.floor or 0.0:.2f} are drawn at that level", n_below)

    def draw(self, panel: Axes) -> None:
        """Draw the levels of JPEG as it is and of the reference, and name the axis."""
        if self.by_parity:
            panel.axhline(1, color="#666666", linewidth=0.9, linestyle="--", label="100 %: JPEG as it is")
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            panel.set_ylabel("monitored bytes at parity: fewer is better")
            return
        panel.axhline(0, color="#000000", linewidth=0.9, linestyle=":", label="0: as good as the reference")
        if self.input_margin is not None:
            label = f"{self.input_margin:.2f}: JPEG as it is"
            panel.axhline(self.input_margin, color="#666666", linewidth=0.9, linestyle="--", label=label)
        panel.set_ylabel("monitored margin")


def margin_axis(records: Sequence[TrialRecord], ranking: Ranking = MARGINS) -> MarginAxis:
    """Choose the axis for the margins of trials: as far under JPEG as it is as the best is above it, at least 1."""
    if ranking.by_parity:
        return MarginAxis(None, None, by_parity=True)
    margins = [record.margin for record in records if record.margin is not None]
    inputs = [record.input_margin for record in records if record.input_margin is not None]
    if not inputs or not margins:
        return MarginAxis(min(inputs, default=None), None)
    return MarginAxis(min(inputs), min(inputs) - max(1.0, max(margins) - min(inputs)))
