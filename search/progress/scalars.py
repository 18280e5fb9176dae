"""Learning curves for TensorBoard: a folder of event files per trial in RUN/logs/tensorboard."""

import logging
from pathlib import Path

from tensorboardX import SummaryWriter

from search.progress.log import ProgressLog
from search.records import TrialRecord
from search.space.spec import TrialSpec
from search.trial.reporting import Progress

SCALARS = ("loss", "bytes_at_parity", "best_bytes_at_parity", "margin", "psnr_gain_db", "seconds")
logger = logging.getLogger("ray.lowq")  # where Ray's own goes


class Scalars:
    """A watcher that writes each report of a trial as scalars at its epoch.

    They only repeat what the records hold, so where they cannot be written the search goes on without them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writers: dict[str, SummaryWriter] = {}
        self.broken = False

    def proposed(self, log: ProgressLog, spec: TrialSpec) -> None:
        pass

    def started(self, log: ProgressLog, trial_id: str, place: str) -> None: ...

    def noted(self, log: ProgressLog, line: str) -> None: ...

    def reported(self, log: ProgressLog, trial_id: str, progress: Progress) -> None:
        if self.broken:
            return
        try:
            if trial_id not in self.writers:
                own = f".from-epoch-{progress.epoch}"  # a file for each sitting
                self.writers[trial_id] = SummaryWriter(str(self.folder / trial_id), filename_suffix=own)
            for name in SCALARS:
                value = getattr(progress, name)
                if value is not None:
                    self.writers[trial_id].add_scalar(name, value, progress.epoch)
            self.writers[trial_id].flush()
        except OSError as error:
            self.broken = True
            logger.warning("no more scalars for TensorBoard: %s", error)

    def ended(self, log: ProgressLog, record: TrialRecord) -> None:
        writer = self.writers.pop(record.trial_id, None)
        if writer and not self.broken:
            writer.close()
