"""Mistakes in a search's options: one line that says what to do and exit code 2, and nothing made."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import RayTaskError

from datasets.errors import InputError
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset
from datasets.smear import synthesize
from models.footprint import FOOTPRINTS
from search.cli import main
from search.request import parse_duration
from search.space.plan import Machine
from search.space.spaces import SPACES

pytestmark = pytest.mark.usefixtures("no_vgg16")

MISTAKES = {
    "unknown space": (
        ["--space", "fulll"],
        "unknown space 'fulll'; known: full, native, encoder, appendix, residual, quality, smoke, final",
    ),
    "unknown scale": (["--scale", "huge"], "unknown scale 'huge'; known: auto, demo, small, tiny, full"),
    "unknown network": (
        ["--networks", "vgg"],
        "unknown architecture 'vgg' in space full; known: native11k, native10k, jjnet, ",
    ),
    "unknown loss": (["--losses", "l3"], "unknown loss 'l3' in space full; known: psnr-ssim, mse, mae, hf, "),
    "unknown quality": (
        ["--qualities", "74"],
        "unknown training quality 74 in space full; known: 20-80, random, 75, 50, 25",
    ),
    "no trials": (["--trials", "0"], "--trials must be 1 or more, got 0"),
    "epochs of a space that has its own": (
        ["--space", "smoke", "--epochs", "3"],
        "space smoke says itself how many epochs its trials have: leave out --epochs",
    ),
    "negative seed": (["--seed", "-1"], "--seed must be 0 or more, got -1"),
    "a floor beyond any SSIM": (["--least-viewable-ssim", "2"], "--least-viewable-ssim must be between 0 and 1, got 2"),
    "no tracking server": (["--mlflow", "mlruns"], "--mlflow takes the address of a tracking server"),
    "no duration": (["--time-budget", "soon"], "a duration is a number and a unit, such as 90s, 20m, 2h or 7d"),
    "final without a run": (["--space", "final"], "the space final takes the best of one run: name it with --from RUN"),
    "from no run": (["--from", "nowhere"], "nowhere is no run directory (it has no run.json)"),
    "an empty space": (
        ["--space", "quality", "--networks", "resnetyuv", "--qualities", "25"],
        "nothing is left of space quality: it never combines these values",
    ),
    "unknown option": (
        ["--tirals", "3"],
        "unrecognized arguments: --tirals 3; `python search/run.py",
    ),
    "a run to make and one to resume": (
        ["--resume", "one", "--out", "other"],
        "--out names a run to make, --resume one to go on with: leave one of them out",
    ),
    "no pack": (["--data", "nowhere"], "nowhere is no pack (it has no manifest.json): make one with"),
    "no run to resume": (["--resume", "nowhere"], "nowhere is no run directory (it has no run.json)"),
    "a folder that is no run": (["--out", "."], ". exists and is no run: name another with --out"),
    "a name too long": (["--out", "x" * 300], "File name too long"),
    "a date as seed": (["--seed", "20260102030405"], "--seed must be 4294967195 or less, got 20260102030405"),
}


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of two cores without a card, as Ray would tell of it: what is asked here starts no work."""
    monkeypatch.setattr("search.request.connect", lambda address, trials_per_gpu: Machine(2, 1, memory_mb=8000))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_line_and_exit_code_2(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, message = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lowq: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_a_pack_without_the_scored_qualities_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pack(synthesize(6, 0), tmp_path / "pack", PackSettings(64, qualities=(75, 90)))
    assert main(["--data", str(tmp_path / "pack")]) == 2
    assert "lacks JPEG quality 25, 50, which every trial is scored at" in capsys.readouterr().err


def test_a_pack_of_too_small_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pack(synthesize(6, 0), tmp_path / "pack", PackSettings(32))
    assert main(["--data", str(tmp_path / "pack")]) == 2
    assert "holds images of 32 px, a search needs 48 px or more" in capsys.readouterr().err


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize("option", ["--xla", "--mixed-precision"])
def test_what_only_a_gpu_does_faster_is_refused_without_one(
    option: str, small_pack: PackedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--space", "smoke", "--data", str(small_pack.folder), option]) == 2
    assert capsys.readouterr().err == f"lowq: {option} speeds up GPUs, and there is none here: leave it out\n"


def test_a_cluster_that_does_not_answer_is_named(small_pack: PackedDataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(small_pack.folder), "--address", "127.0.0.1:1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lowq: no Ray cluster answers at 127.0.0.1:1")


@pytest.mark.usefixtures("laptop")
def test_a_dry_run_says_that_encoders_are_screened_first(
    small_pack: PackedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--space", "encoder", "--data", str(small_pack.folder), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "first 48 encoders are tried with the linear filter; the trials are of the best 4" in output


@pytest.mark.usefixtures("laptop")
def test_trials_of_the_small_scale_are_shortened_for_a_time_budget(
    small_pack: PackedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--scale", "small", "--data", str(small_pack.folder), "--networks", "native11k", "--dry-run"]
    assert main([*asked, "--time-budget", "60s"]) == 0
    output = capsys.readouterr().out
    assert "up to 6 epochs each" in output
    assert "; 6 epochs a trial, not 48, so that some are trained to their end" in output
    assert main([*asked, "--time-budget", "60s", "--epochs", "9"]) == 0
    assert "up to 9 epochs each" in capsys.readouterr().out
    assert main([*asked, "--time-budget", "7d"]) == 0
    assert "up to 48 epochs each" in capsys.readouterr().out


@pytest.mark.usefixtures("laptop")
def test_a_plan_has_no_trial_of_a_network_that_costs_too_much(
    small_pack: PackedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = SPACES["residual"].axes["architecture"]
    most = sorted(FOOTPRINTS[name].macs_per_pixel for name in networks)[1]
    asked = ["--space", "residual", "--data", str(small_pack.folder), "--max-macs", str(most), "--dry-run"]
    assert main(asked) == 0
    assert "plan: 4 trials (" in capsys.readouterr().out  # of two networks, with a global residual and without


@pytest.mark.usefixtures("laptop")
def test_a_dry_run_prints_the_plan_and_makes_nothing(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--data", str(small_pack.folder), "--dry-run", "--trials", "5"]) == 0
    output = capsys.readouterr().out
    again = "and 2 that train the best again"
    assert f"plan: 5 trials (up to 5 of 600 cells tried) {again}, up to 8 epochs each" in output
    assert "expected time: about " in output
    assert "perceptual: not run, no VGG16 weights (" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("2h", 7200), ("1d", 86400), ("45", 45)])
def test_a_duration_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3m", "0s", "nan", "inf", "3 weeks"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is a number and a unit"):
        parse_duration(text)


@pytest.mark.usefixtures("laptop")
def test_a_mistake_that_a_worker_found_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends_on_a_worker(*asked: object) -> int:
        raise RayTaskError("_score_codecs", "Traceback ...\n  File ...", InputError("no pack")).as_instanceof_cause()

    monkeypatch.setattr("search.cli._main", ends_on_a_worker)
    assert main([]) == 2
    assert capsys.readouterr().err == "lowq: no pack\n"


@pytest.mark.usefixtures("laptop")
def test_an_output_that_nobody_reads_is_no_mistake(
    small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as unread:
        monkeypatch.setattr("sys.stdout", unread)
        assert main(["--space", "smoke", "--data", str(small_pack.folder), "--dry-run"]) == 141
    assert capfd.readouterr().err == ""


def test_a_run_that_is_there_is_gone_on_with_or_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert main(["--out", str(tmp_path)]) == 2
    assert f"{tmp_path} exists: continue it with --resume {tmp_path}, or name another" in capsys.readouterr().err


@pytest.mark.parametrize(
    "facts",
    [
        '{"name": "x"}',
        '{"dataset": {"path": "x", "fingerprint": "y"}, "options": null, "scale": "demo"}',
        '{"dataset": {}, "options": {}, "scale": "demo", "n_trials": 2, "versions": {}}',
        '{"dataset": {"path": 5, "fingerprint": "y"}, "options": {}, "scale": "demo", "n_trials": 2, "versions": {}}',
    ],
)
@pytest.mark.parametrize("option", ["--from", "--resume"])
def test_a_run_of_another_program_is_one_line(
    option: str, facts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(facts)
    assert main([option, str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "was made by another version of lowq, or another program: run.json has no " in line


@pytest.mark.parametrize("lost", ["dataset.fingerprint", "n_trials", "versions"])
def test_a_run_that_says_too_little_to_go_on_with_is_one_line(
    lost: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts: dict[str, Any] = {"options": {}, "scale": "demo", "n_trials": 2, "versions": {}}
    facts["dataset"] = {"path": "x", "fingerprint": "y"}
    del (facts["dataset"] if "." in lost else facts)[lost.rpartition(".")[2]]
    (tmp_path / "run.json").write_text(json.dumps(facts))
    assert main(["--resume", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"run.json has no {lost}")
