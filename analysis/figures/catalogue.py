"""Every figure of a run, in the order of the page."""

from dataclasses import dataclass

from analysis.figures import gallery, samples, scores, search, spectra, violins
from analysis.figures.picture import DrawFigure, Picture
from analysis.findings import Findings


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
