"""What files show without a restorer, on the test images that a trial was scored on, and the floor that a user sets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.run import Run
from search.records import TrialRecord

SHOWN = ("psnr_db", "ssim")


@dataclass(frozen=True)
class Viewable:
    """Means of whole test images as files show them: PSNR in dB and SSIM; NaN where they are unknown."""

    psnr_db: float = np.nan
    ssim: float = np.nan

    def sentence(self) -> str:
        """Say the means, of files that are to be restored; empty where they are unknown."""
        if np.isnan(self.ssim):
            return ""
        return f"Without the restorer they show {self.psnr_db:.2f} dB and an SSIM of {self.ssim:.4f}."

    def reaches(self, floor: float | None) -> bool:
        """Say whether the files may be picked: where no floor is set, or their SSIM is known and reaches it."""
        return floor is None or self.ssim >= floor


UNKNOWN = Viewable()


def floor_of(run: Run) -> float | None:
    """Return the mean SSIM that files must reach which nobody restores, None where the search had no such floor."""
    options = run.facts.get("options")
    floor = options.get("least_viewable_ssim") if isinstance(options, dict) else None
    return float(floor) if isinstance(floor, int | float) else None


def viewable_of(run: Run, record: TrialRecord) -> Mapping[int, Viewable]:
    """Return what the files show that a trial was tested on, by quality.

    Between qualities at which its files were scored unrestored the means are interpolated. An image identical to its
    original, whose PSNR is infinite, is none of the mean PSNR.
    """
    whole = run.scores[(run.scores["split"] == "test") & (run.scores["region"] == "full")]
    own = whole[whole["trial_id"] == record.trial_id]
    shown = whole[(whole["trial_id"] == run.input_of(record)) & whole["image"].isin(own["image"])]
    means = shown[list(SHOWN)].replace(np.inf, np.nan).groupby(shown["input_quality"]).mean()
    if means.empty:
        return {}
    qualities = sorted(own["input_quality"].unique())
    seen = [np.interp(qualities, means.index, means[name], left=np.nan, right=np.nan).tolist() for name in SHOWN]
    return {int(quality): Viewable(*values) for quality, *values in zip(qualities, *seen, strict=True)}


def under_floor(run: Run, viewable: Viewable) -> str:
    """Say that files are under the search's floor."""
    known = "is unknown" if np.isnan(viewable.ssim) else f"is {viewable.ssim:.4f}"
    return f"whose files' SSIM without a restorer {known}, where at least {floor_of(run):g} is asked for"
