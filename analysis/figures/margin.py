"""An axis of margins: where JPEG as it is stands on it, and the level under which nothing is told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from search.records import TrialRecord
from search.spec import TrialStatus

Margins: TypeAlias = "pd.Series[float] | NDArray[np.float64]"

# How a trial ended: completed, stopped, ... in every figure of the search.
STATUS_MARKERS = {
    TrialStatus.COMPLETED: "o",
    TrialStatus.STOPPED: "|",
    TrialStatus.DIVERGED: "x",
    TrialStatus.DEAD: "v",
    TrialStatus.FAILED: "P",
    TrialStatus.UNKNOWN: "d",
}


@dataclass(frozen=True)
class MarginAxis:
    """input_margin: of JPEG as it is, None where no record tells it. floor: margins under it are drawn on it, so that a
    trial that diverged does not flatten the others; None draws every margin where it is."""

    input_margin: float | None
    floor: float | None

    def clip(self, margins: Margins) -> NDArray[np.float64]:
        """Return margins as they are drawn; what is no margin stays NaN."""
        values = np.asarray(margins, np.float64)
        return values if self.floor is None else np.maximum(values, self.floor)

    def below(self, margins: Margins) -> str:
        """Say how many margins are drawn on the floor, empty where none is."""
        n_below = 0 if self.floor is None else int(np.sum(np.asarray(margins, np.float64) < self.floor))
        return f" Margins under {self.floor:.2f} are drawn at that level: {n_below}." if n_below else ""

    def draw(self, panel: Axes) -> None:
        """Draw the levels of JPEG as it is and of the reference, and name the axis."""
        panel.axhline(0, color="#000000", linewidth=0.9, linestyle=":", label="0: as good as the reference")
        if self.input_margin is not None:
            label = f"{self.input_margin:.2f}: JPEG as it is"
            panel.axhline(self.input_margin, color="#666666", linewidth=0.9, linestyle="--", label=label)
        panel.set_ylabel("monitored margin")


def margin_axis(records: Sequence[TrialRecord]) -> MarginAxis:
    """Choose the axis for the margins of trials: as far under JPEG as it is as the best is above it, at least 1."""
    margins = [record.margin for record in records if record.margin is not None]
    inputs = [record.input_margin for record in records if record.input_margin is not None]
    if not inputs or not margins:
        return MarginAxis(min(inputs, default=None), None)
    return MarginAxis(min(inputs), min(inputs) - max(1.0, max(margins) - min(inputs)))
