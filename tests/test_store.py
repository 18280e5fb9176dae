"""The store: files that are whole or not there, where a run directory has them."""

from pathlib import Path

import numpy as np
import pytest

from datasets.whole_file import write_whole
from models.training import TrainingState
from search.trial.store import SAMPLES, SCORES, STATE, LocalStore, curve_of


def test_a_saved_state_is_loaded_and_replaced_by_a_newer_one(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.load("a-trial") is None
    store.save("a-trial", 1, {STATE: b"one"})
    store.save("a-trial", 2, {STATE: b"two"})
    assert store.load("a-trial") == b"two"


def test_files_lie_where_a_run_directory_has_them(tmp_path: Path) -> None:
    LocalStore(tmp_path).save("t", 1, {STATE: b"w", SCORES: b"s", SAMPLES: b"p"})
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"weights/t/state.npz", "scores/t.parquet", "samples/t.npz"}


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("state", [b"", b"no state", b"PK\x03\x04torn"])
def test_a_state_that_cannot_be_read_has_no_curve(state: bytes) -> None:
    assert curve_of(state) == ()


def test_the_curve_is_read_out_of_a_state() -> None:
    curve = ({"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None})
    state = TrainingState(epoch=2, weights=(np.zeros(3),), optimizer=(), best_weights=(), curve=curve)
    assert curve_of(state.to_bytes()) == curve
