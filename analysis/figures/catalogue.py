"""Every figure of a run, in the order of the page."""

from dataclasses import dataclass

from analysis.figures import of_pixels, of_scores, of_search
from analysis.figures.style import DrawFigure, Picture
from analysis.findings import Findings


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the catalogue. section: of the page; draw: makes it; is_folded: starts folded on the page."""

    title: str
    section: str
    draw: DrawFigure
    is_folded: bool = True


CATALOGUE: tuple[FigureSpec, ...] = (
    FigureSpec("Quality and bytes", "decision", of_scores.sizes, is_folded=False),
    FigureSpec("Quality curve", "decision", of_scores.curve, is_folded=False),
    FigureSpec("Worst images", "decision", of_pixels.worst, is_folded=False),
    FigureSpec("Comparison panels", "comparison", of_pixels.panels),
    FigureSpec("Models image by image", "comparison", of_scores.model_violins),
    FigureSpec("What restoring changes, image by image", "comparison", of_scores.change_violins),
    FigureSpec("Models by camera system", "comparison", of_scores.system_violins),
    FigureSpec("Outliers of relative SSIM", "comparison", of_scores.far_outliers),
    FigureSpec("Predicted noise", "comparison", of_pixels.noise),
    FigureSpec("Luma and chroma", "comparison", of_pixels.channels),
    FigureSpec("Spectra and histograms", "comparison", of_pixels.spectra_and_histograms),
    FigureSpec("Feature maps of VGG16", "comparison", of_pixels.feature_maps),
    FigureSpec("Quality and cost", "trials", of_search.cost),
    FigureSpec("Search history", "trials", of_search.history),
    FigureSpec("Learning curves", "trials", of_search.learning),
    FigureSpec("Sample images", "data", of_pixels.sheets),
    FigureSpec("Equalised grey", "data", of_pixels.equalised),
    FigureSpec("JPEG as it is, image by image", "data", of_scores.input_violins),
)


def draw_figures(findings: Findings) -> tuple[dict[str, list[Picture]], list[str]]:
    """Draw every figure that the run has data for, by its title; and a sentence for each that is missing."""
    pictures: dict[str, list[Picture]] = {}
    notes: list[str] = []
    for spec in CATALOGUE:
        drawn = spec.draw(findings)
        if isinstance(drawn, str):
            notes.append(f"No figure {spec.title.lower()!r}: {drawn.rstrip('.')}.")
        else:
            pictures[spec.title] = drawn
    return pictures, list(dict.fromkeys(notes))
