"""All figures of a report, in the order in which they are drawn."""

from collections.abc import Callable

from analysis.figures.gallery_album import GALLERY_ALBUM
from analysis.figures.picture import Picture
from analysis.figures.pixels_album import PIXELS_ALBUM
from analysis.figures.scores_album import SCORES_ALBUM
from analysis.figures.search_album import SEARCH_ALBUM
from analysis.findings import Findings
from analysis.run import RunError

ALBUM: tuple[Callable[[Findings], list[Picture]], ...] = (*SCORES_ALBUM, *SEARCH_ALBUM, *PIXELS_ALBUM, *GALLERY_ALBUM)


def draw_pictures(findings: Findings) -> tuple[list[Picture], list[str]]:
    """Draw every figure that the run has data for; returns them, and a sentence for each that is missing."""
    pictures: list[Picture] = []
    notes: list[str] = []
    for make in ALBUM:
        try:
            pictures += make(findings)
        except RunError as error:
            notes.append(str(error))
    return pictures, list(dict.fromkeys(notes))
