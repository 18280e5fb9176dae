"""What a trial and its search say to each other: a report after every epoch, and a verdict in answer."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a report is answered."""

    GO_ON = "go on"
    STOP = "stop"  # weak: score what there is and end
    PAUSE = "pause"  # the search ends: leave the state for another day


@dataclass(frozen=True)
class Progress:
    """What a trial reports after an epoch; margin and psnr_gain_db are those of the epoch, best_margin of the best."""

    epoch: int
    epochs: int
    loss: float | None
    margin: float | None
    best_margin: float | None
    psnr_gain_db: float | None
    seconds: float


Report = Callable[[Progress], Verdict]
