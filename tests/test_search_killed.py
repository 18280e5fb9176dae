"""A search whose checkpoint store and workers are killed goes on by itself."""

import contextlib
import os
import signal
from pathlib import Path

from datasets.packed import PackedDataset
from search.records import read_records
from search.space.spec import TrialStatus
from tests.search_process import ENDS_S, epochs_told, line_with, start_smoke


def _workers() -> list[int]:
    """List the processes of Ray workers that hold a trial; between two of its reports their title names no method."""
    return _named(b"ray::ImplicitFunc")


def _named(title: bytes) -> list[int]:
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if command.read_bytes().startswith(title):
                found.append(int(command.parent.name))
    return found


def _descends(process: int, ancestor: int) -> bool:
    while process > 1 and process != ancestor:
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rpartition(")")[2].split()[1])
    return process == ancestor


def test_a_search_goes_on_when_its_checkpoint_store_is_killed_and_then_its_workers(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    started = start_smoke(small_pack, tmp_path, "--no-report")
    first = line_with(started, "epoch 1/2")
    (store,) = [process for process in _named(b"ray::CheckpointStore") if _descends(process, started.pid)]
    os.kill(store, signal.SIGKILL)
    second = line_with(started, "epoch ")  # what reported it lived through the store's end
    victims = [process for process in _workers() if _descends(process, started.pid)]
    for process in victims:
        os.kill(process, signal.SIGKILL)
    output, error = started.communicate(timeout=ENDS_S)
    assert victims
    assert (tmp_path / "run" / "logs" / "workers.log").stat().st_size  # what its node's workers printed
    assert started.returncode == 0, error
    records = [record for record in read_records(tmp_path / "run") if record.spec.is_trained]
    epochs = epochs_told([first, second, output])
    assert len(epochs) == len(set(epochs))  # no trial begins anew, but after its last epoch
    assert {record.status for record in records} <= {TrialStatus.COMPLETED, TrialStatus.STOPPED}
    assert len(records) == len({record.trial_id for record in records}) == 2
