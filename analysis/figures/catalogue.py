"""Every figure of a run, in the order of the page."""

import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

from analysis.checks import RunError
from analysis.figures import gallery, samples, scores, search, spectra, violins
from analysis.figures.picture import DrawFigure, Drawn, Picture
from analysis.findings import Findings
from datasets.cores import n_cores

PR_SET_PDEATHSIG = 1  # of Linux
MOST_AT_ONCE = 4  # each has a share of the findings in its memory


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the catalogue. section: of the page; draw: makes it; is_folded: starts folded on the page."""

    title: str
    section: str
    draw: DrawFigure
    is_folded: bool = True


CATALOGUE: tuple[FigureSpec, ...] = (
    FigureSpec("Quality and bytes", "decision", scores.sizes, is_folded=False),
    FigureSpec("Quality curve", "decision", scores.curve, is_folded=False),
    FigureSpec("Worst images", "decision", gallery.worst, is_folded=False),
    FigureSpec("Comparison panels", "comparison", samples.panels),
    FigureSpec("Models image by image", "comparison", violins.model_violins),
    FigureSpec("What restoring changes, image by image", "comparison", violins.change_violins),
    FigureSpec("Models by camera system", "comparison", violins.system_violins),
    FigureSpec("Outliers of relative SSIM", "comparison", scores.far_outliers),
    FigureSpec("Predicted noise", "comparison", samples.noise),
    FigureSpec("Luma and chroma", "comparison", samples.channels),
    FigureSpec("Spectra and histograms", "comparison", spectra.spectra_and_histograms),
    FigureSpec("Feature maps of VGG16", "comparison", gallery.feature_maps),
    FigureSpec("Quality and cost", "trials", search.cost),
    FigureSpec("Search history", "trials", search.history),
    FigureSpec("Learning curves", "trials", search.learning),
    FigureSpec("Sample images", "data", gallery.sheets),
    FigureSpec("Equalised grey", "data", samples.equalised),
    FigureSpec("JPEG as it is, image by image", "data", violins.input_violins),
)

_drawing: tuple[tuple[FigureSpec, ...], Findings] | None = None  # of a process that draws


def draw_figures(findings: Findings) -> tuple[dict[str, list[Picture]], list[str]]:
    """Draw every figure that the run has data for, by its title; and a sentence for each that is missing."""
    with figures_of(findings) as figures:
        return collect_figures(figures)


@contextmanager
def figures_of(findings: Findings) -> Iterator[Iterator[Drawn]]:
    """Begin to draw every figure of the catalogue; what each draws is waited for when it is asked for.

    Where processes can be forked, as many are drawn at a time as there are cores. On leaving, none is drawn any more.
    Raises RunError where a process that drew was ended.
    """
    n_at_once = min(n_cores(), MOST_AT_ONCE, len(CATALOGUE)) if sys.platform == "linux" else 1
    if n_at_once == 1:
        yield (spec.draw(findings) for spec in CATALOGUE)
        return
    context = multiprocessing.get_context("fork")  # the findings are handed on by memory
    pool = ProcessPoolExecutor(n_at_once, context, _have, (CATALOGUE, findings))
    try:
        yield pool.map(_draw, range(len(CATALOGUE)))
    except BrokenProcessPool as error:
        raise RunError("a process that drew figures was ended, as for want of memory: make the report again") from error
    finally:
        pool.shutdown(cancel_futures=True)


def collect_figures(figures: Iterator[Drawn]) -> tuple[dict[str, list[Picture]], list[str]]:
    """Return what `draw_figures` does, of figures begun before."""
    pictures: dict[str, list[Picture]] = {}
    notes: list[str] = []
    for spec, drawn in zip(CATALOGUE, figures, strict=True):
        if isinstance(drawn, str):
            notes.append(f"No figure {spec.title.lower()!r}: {drawn.rstrip('.')}.")
        else:
            pictures[spec.title] = drawn
    return pictures, list(dict.fromkeys(notes))


def _have(catalogue: tuple[FigureSpec, ...], findings: Findings) -> None:
    """Give a process that draws what it draws from. Ctrl-C is for the one that waits for it, with which it ends."""
    global _drawing
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _drawing = catalogue, findings


def _draw(place: int) -> Drawn:
    assert _drawing is not None
    catalogue, findings = _drawing
    return catalogue[place].draw(findings)
