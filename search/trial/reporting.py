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
    """What a trial reports after an epoch; best_bytes_at_parity is that of its best epoch, the rest of this one."""

    epoch: int
    epochs: int
    loss: float | None
    bytes_at_parity: float | None
    best_bytes_at_parity: float | None
    margin: float | None
    psnr_gain_db: float | None
    seconds: float


Report = Callable[[Progress], Verdict]
