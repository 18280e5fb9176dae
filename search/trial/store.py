"""The store: where a trial keeps what must outlive its worker. A trial knows only `load` and `save`."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from datasets.whole_file import write_whole

STATE = "state.npz"
SCORES = "scores.parquet"
SAMPLES = "samples.npz"


class StoreError(OSError):
    """The store cannot keep a file; the message says why. No fault of the trial, which goes on another day."""


class Store(Protocol):
    """What a trial needs of a store; both answer only when the disk has it."""

    def load(self, trial_id: str) -> bytes | None:
        """Return the newest training state of a trial, None where there is none."""
        ...

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> None:
        """Keep files (STATE, SCORES, SAMPLES) of a trial as of an epoch; older ones of the same name are replaced."""
        ...


class LocalStore:
    """A store in a run directory on this machine."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def load(self, trial_id: str) -> bytes | None:
        path = self.path(trial_id, STATE)
        return path.read_bytes() if path.exists() else None

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            write_whole(self.path(trial_id, name), data)

    def path(self, trial_id: str, name: str) -> Path:
        """Return where a file of a trial lies in the run directory."""
        places = {
            STATE: Path("weights", trial_id, STATE),
            SCORES: Path("scores", f"{trial_id}.parquet"),
            SAMPLES: Path("samples", f"{trial_id}.npz"),
        }
        return self.run / places[name]


def curve_of(state: bytes) -> tuple[Mapping[str, float | None], ...]:
    """Return the curve in a training state without loading Keras; empty where the state cannot be read."""
    try:
        with np.load(io.BytesIO(state)) as file:
            return tuple(json.loads(str(file["facts"]))["curve"])
    except (ValueError, KeyError, OSError, EOFError, RuntimeError, zipfile.BadZipFile):  # EOFError: no bytes
        return ()
