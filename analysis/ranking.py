"""What trials are ranked by, on monitored validation images alone: their bytes at parity, or else their margin."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.records import TrialRecord


def bytes_at_parity(record: TrialRecord) -> float | None:
    """Return a trial's monitored bytes at parity, a share of the reference's; None where its record has none.

    JPEG as it is has 1 by definition.
    """
    return 1.0 if record.bytes_at_parity is None and record.spec.is_baseline else record.bytes_at_parity


@dataclass(frozen=True)
class Ranking:
    """by_parity: whether trials are ranked by bytes at parity, fewest first, and not by margin, largest first."""

    by_parity: bool = False

    @property
    def measure(self) -> str:
        """What trials are ranked by, in words."""
        return "bytes at parity" if self.by_parity else "margin"

    @property
    def words(self) -> str:
        """What comes first, in words."""
        return f"{'fewest' if self.by_parity else 'best'} monitored {self.measure}"

    def value(self, record: TrialRecord) -> float | None:
        """Return what a trial is ranked by, None where it has no margin."""
        return None if record.margin is None else bytes_at_parity(record) if self.by_parity else record.margin

    def merit(self, record: TrialRecord) -> float | None:
        """Return what a trial is ranked by, so that larger is better."""
        value = self.value(record)
        return value if value is None else self.sign * value

    @property
    def sign(self) -> int:
        return -1 if self.by_parity else 1

    def key(self, record: TrialRecord) -> tuple[bool, float, str]:
        """Return what sorts trials, the best first and those without a margin last."""
        merit = self.merit(record)
        return (merit is None, -(merit or 0.0), record.trial_id)


def ranking_of(records: Sequence[TrialRecord]) -> Ranking:
    """Rank by bytes at parity where every trial with a margin has them."""
    compared = [record for record in records if record.margin is not None and not record.spec.is_baseline]
    return Ranking(bool(compared) and all(bytes_at_parity(record) is not None for record in compared))
