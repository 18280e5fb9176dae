"""A copy of the study for optuna-dashboard."""

import logging
from pathlib import Path

import optuna
import sqlalchemy

logger = logging.getLogger("optuna.lowq")  # where Optuna's own goes
CANNOT_WRITE = (OSError, sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError)
LOCKED_S = 1.0  # for which a copy that somebody else has locked is waited for


class Mirror:
    """A copy of the study in RUN/study.db, for optuna-dashboard. Nothing reads it back; the driver alone writes it."""

    def __init__(self, run: Path) -> None:
        database = run / "study.db"
        address = sqlalchemy.URL.create("sqlite", database=str(database)).render_as_string()
        waiting = {"connect_args": {"timeout": LOCKED_S}}
        self.is_broken = False
        try:
            database.unlink(missing_ok=True)  # what ended before is told again
            storage = optuna.storages.RDBStorage(address, engine_kwargs=waiting)
            self.study = optuna.create_study(storage=storage, study_name=run.name, direction="minimize")
        except CANNOT_WRITE as error:
            self.is_broken = True
            logger.warning("study.db cannot be made: %s", error)

    def add(self, trial: optuna.trial.FrozenTrial) -> None:
        """Add an ended trial; a copy that cannot be written is no reason to end a search, or to hold it up again."""
        if self.is_broken:
            return
        try:
            self.study.add_trial(trial)
        except CANNOT_WRITE as error:
            self.is_broken = True
            logger.warning("study.db lacks trial %s and those after it: %s", trial.user_attrs, error)
