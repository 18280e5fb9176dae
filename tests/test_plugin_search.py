"""A search with a file of one's own, from the command line to its report, and gone on with from the run's own copy."""

import re
from pathlib import Path

import pytest

from analysis.cli import main as report
from datasets.packed import PackedDataset
from search.cli import main
from search.records import read_records, read_run_facts
from search.space.plan import Machine
from search.space.plugin import PLUGIN_FILE
from search.space.spec import TrialStatus
from tests.search_process import ROOT, run_in

SHORT = """
from dataclasses import replace

SPACE = replace(SPACE, fields={"epochs": 1, "epoch_images": 16, "crop_px": 32, "batch_size": 8}, stops_early=False)
"""


@pytest.fixture(scope="module")
def run(small_pack: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of the page's own space, kept short."""
    folder = tmp_path_factory.mktemp("plugin")
    example, _ = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.DOTALL)
    (folder / "my_nets.py").write_text(example + SHORT)
    asked = ("--data", small_pack.folder, "--trials", 2, "--out", "run", "--no-report")
    done = run_in(folder, "--plugin", "my_nets.py", *asked)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_networks_and_losses_of_ones_own_are_trained_and_recorded(run: Path) -> None:
    trained = {record.spec.architecture: record for record in read_records(run) if record.spec.is_trained}
    assert {name: record.spec.loss for name, record in trained.items()} == {
        "my_nets.narrow": "mse",
        "native1k": "my_nets.cubic",
    }
    assert {record.status for record in trained.values()} == {TrialStatus.COMPLETED}
    assert trained["my_nets.narrow"].macs_per_pixel == 27 * 8 + 72 * 3


@pytest.mark.usefixtures("own_tables", "few_pictures", "unsaved_pictures")
def test_a_report_knows_networks_of_ones_own(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report([str(run)]) == 0
    assert "pick: " in capsys.readouterr().out
    assert "my_nets.narrow" in (run / "report" / "tables" / "trials.csv").read_text()


@pytest.mark.usefixtures("own_tables")
def test_a_trial_of_ones_own_space_goes_on(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("search.request.connect", lambda address, trials_per_gpu: Machine(2, 1, memory_mb=8000))
    trial = next(record.trial_id for record in read_records(run) if record.spec.is_trained)
    assert main(["--from", str(run), "--trial", trial, "--more-epochs", "1", "--dry-run"]) == 0
    assert "space continuation" in capsys.readouterr().out


def test_a_run_keeps_the_file_and_goes_on_with_it_whatever_becomes_of_the_other(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = read_run_facts(run)["plugin"]
    assert facts["name"] == "my_nets"
    assert (run / PLUGIN_FILE).read_text() == (run.parent / "my_nets.py").read_text()
    (run.parent / "my_nets.py").write_text("LOSSES = {}\n")
    assert main(["--resume", str(run), "--plugin", str(run.parent / "my_nets.py")]) == 2
    (refused,) = capsys.readouterr().err.splitlines()
    assert "leave --plugin out" in refused
    done = run_in(run.parent, "--resume", "run", "--trials", 3, "--no-report")
    assert done.returncode == 0, done.stderr
    assert len([record for record in read_records(run) if record.spec.is_trained]) == 3
