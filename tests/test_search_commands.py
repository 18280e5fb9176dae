"""The search as its user runs it: a whole smoke search from another folder, interrupted, resumed, and misused."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset
from datasets.smear import synthesize
from models.names import METRICS
from search.cli import main
from search.records import RECORDS, read_proposed, read_records
from search.request import parse_duration
from search.scoring.finalists import choose_finalists
from search.scoring.score_files import Row, scores_from_bytes
from search.space.spec import TrialStatus

TEST_75 = ("test", 75)
RUN_PY = Path(__file__).resolve().parent.parent / "search" / "run.py"


def _command(*arguments: object) -> list[str]:
    return [sys.executable, str(RUN_PY), *map(str, arguments)]


def _rows(path: Path) -> list[Row]:
    return scores_from_bytes(path.read_bytes())


def _run(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RAY_ADDRESS")}
    return subprocess.run(
        _command(*arguments), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(autouse=True)
def no_vgg16(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither VGG16's weights nor a way to them."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")


@pytest.fixture(scope="module")
def smoke(small_pack: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished smoke search, started from a folder that is not the project's: its run directory and its output."""
    folder = tmp_path_factory.mktemp("elsewhere")
    done = _run(folder, "--space", "smoke", "--data", small_pack.folder, "--out", "run")
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


def test_a_search_leaves_a_record_of_every_trial_and_of_jpeg_as_it_is(smoke: tuple[Path, str]) -> None:
    run, _ = smoke
    records = read_records(run)
    assert sorted(record.spec.loss for record in records if record.spec.is_trained) == ["mae", "mse"]
    assert sorted(record.spec.architecture for record in records if not record.spec.is_trained) == [
        "identity",
        "linear",
    ]
    assert {record.status for record in records} <= {TrialStatus.COMPLETED, TrialStatus.STOPPED}
    assert {spec.trial_id for spec in read_proposed(run)} == {r.trial_id for r in records if r.spec.is_trained}


def test_a_search_prints_its_plan_its_events_the_table_the_pick_and_the_report(smoke: tuple[Path, str]) -> None:
    run, output = smoke
    assert "plan: 2 trials (2 of 2 cells tried), up to 2 epochs each" in output
    assert output.count("starts, on ") == 2
    assert "as it is" in output
    assert "pick: " in output
    assert f"report: {run / 'report' / 'index.html'}" in output
    picked = json.loads((run / "report" / "pick.json").read_text())["trial_id"]
    assert (run / "restorer" / "restorer.lowq").is_file() == (picked is not None)


def test_a_search_leaves_the_safety_cards_of_its_finalists_and_shows_them(smoke: tuple[Path, str]) -> None:
    run, _ = smoke
    trained = [record.trial_id for record in read_records(run) if record.spec.is_trained]
    cards = {file.stem for file in (run / "restorer" / "finalists").glob("*.lowq")}
    assert cards
    assert cards <= set(trained)
    table = (run / "report" / "tables" / "safety.csv").read_text()
    assert "largest growth of a change of one level" in table
    assert "PSNR at quality 75, restored and projected, dB" in table


def test_a_run_says_what_it_was_made_of(smoke: tuple[Path, str], small_pack: PackedDataset) -> None:
    facts = json.loads((smoke[0] / "run.json").read_text())
    assert facts["dataset"]["fingerprint"] == small_pack.fingerprint
    assert facts["dataset"]["grouping"] == small_pack.manifest["grouping"]
    assert facts["dataset"]["division"] == "grouped"
    assert facts["dataset"]["today"] == small_pack.today
    assert (facts["space"], facts["scale"], facts["n_trials"]) == ("smoke", "demo", 2)


def test_a_trial_of_a_run_goes_on_in_a_run_that_has_both(smoke: tuple[Path, str]) -> None:
    run, _ = smoke
    parent = next(record for record in read_records(run) if record.spec.is_trained)
    more = ("--from", "run", "--trial", parent.trial_id, "--more-epochs", 1)
    done = _run(run.parent, *more, "--out", "more")
    assert done.returncode == 0, done.stderr
    first, *_, child = sorted(read_records(run.parent / "more"), key=lambda record: record.epochs_run)
    assert first.spec.is_baseline
    assert child.spec.parent == parent.trial_id
    assert [row["epoch"] for row in child.curve] == [1, 2, 3]
    assert [row["loss"] for row in child.curve[:2]] == [row["loss"] for row in parent.curve]
    again = _run(run.parent, "--resume", "more")
    assert again.returncode == 0, again.stderr
    assert "starts" not in again.stdout


def test_a_finished_run_that_is_resumed_repeats_nothing(smoke: tuple[Path, str]) -> None:
    run, _ = smoke
    once = [run / name for name in (RECORDS, "images.parquet", "codecs.parquet", "restoring.parquet", "gallery.npz")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in once]
    again = _run(run.parent, "--resume", "run")
    assert again.returncode == 0, again.stderr
    assert "starts" not in again.stdout
    assert "trying other codecs" not in again.stdout
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in once] == before


def test_a_search_leaves_a_gallery_of_its_pack_restored_by_its_best_finalist(
    smoke: tuple[Path, str], small_pack: PackedDataset
) -> None:
    run, output = smoke
    assert "making the gallery" in output
    with np.load(run / "gallery.npz") as gallery:
        assert set(gallery["sheet_systems"]) == set(small_pack.systems)
        tested = {small_pack.names[image] for image in small_pack.images_of("data101", "test")}
        assert set(gallery["worst_names"]) == tested
        assert gallery["worst_restored"].shape == gallery["worst_degraded"].shape
        assert "maps" not in gallery
        (finalist,) = choose_finalists(read_records(run), 1)
        assert gallery["trial_id"] == finalist.trial_id


def test_a_search_tries_other_codecs_on_the_images_of_its_test_scores_and_times_its_finalists(
    smoke: tuple[Path, str], small_pack: PackedDataset
) -> None:
    run, output = smoke
    images = set(small_pack.images_of("data101", "test").tolist())
    assert f"trying other codecs on {len(images)} test images" in output
    codecs = [row for row in _rows(run / "codecs.parquet") if row["not_run"] is None]
    assert {row["image"] for row in codecs} == images
    reference = [row for row in codecs if (row["codec"], row["setting"]) == ("jpeg", 75)]
    (baseline,) = (record for record in read_records(run) if record.spec.is_baseline)
    scores = _rows(run / "scores" / f"{baseline.trial_id}.parquet")
    scored = {(row["image"], row["region"]): row for row in scores if (row["split"], row["input_quality"]) == TEST_75}
    assert len(reference) == len(scored) == 2 * len(images)
    for row in reference:
        same = scored[row["image"], row["region"]]
        assert row["file_bytes"] == same["jpeg_bytes"]
        assert [row[metric] for metric in METRICS] == pytest.approx([same[metric] for metric in METRICS], rel=1e-5)
    finalists = {record.trial_id for record in choose_finalists(read_records(run), 2)}
    timed = _rows(run / "restoring.parquet")
    assert {row["trial_id"] for row in timed} == finalists
    assert {row["image"] for row in timed} == images


def _started(pack: PackedDataset, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        _command("--space", "smoke", "--data", pack.folder, "--out", "run"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _line_with(process: "subprocess.Popen[str]", part: str) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if part in line)


def _check_resumed(folder: Path, line: str) -> None:
    """Resume the run whose trial said `line`: every trial has one record, and that one did not begin anew."""
    ended = {record.trial_id for record in read_records(folder / "run") if record.spec.is_trained}
    assert len(ended) < 2
    done = _run(folder, "--resume", "run")
    assert done.returncode == 0, done.stderr
    records = [record for record in read_records(folder / "run") if record.spec.is_trained]
    assert len(records) == len({record.trial_id for record in records}) == 2
    begun = next(record.trial_id for record in records if record.trial_id in line)
    assert begun in ended or f"{begun}  epoch 1/2" not in done.stdout
    (sitting,) = json.loads((folder / "run" / "run.json").read_text())["resumed"]
    assert "--resume run" in sitting["command"]


def test_an_interrupted_search_is_readable_and_goes_on_where_it_was(small_pack: PackedDataset, tmp_path: Path) -> None:
    started = _started(small_pack, tmp_path)
    line = _line_with(started, "epoch 1/2")
    os.killpg(started.pid, signal.SIGINT)
    _, error = started.communicate(timeout=120)
    assert started.returncode == 130
    assert error.strip().splitlines()[-1].startswith("lowq: interrupted; what ended is safe")
    _check_resumed(tmp_path, line)


def test_sigterm_acts_as_ctrl_c(small_pack: PackedDataset, tmp_path: Path) -> None:
    started = _started(small_pack, tmp_path)
    _line_with(started, "epoch 1/2")
    os.kill(started.pid, signal.SIGTERM)
    _, error = started.communicate(timeout=120)
    assert started.returncode == 130
    (line,) = error.strip().splitlines()
    assert line.startswith("lowq: interrupted; what ended is safe")


def test_a_search_is_interrupted_in_its_last_stage_too(small_pack: PackedDataset, tmp_path: Path) -> None:
    started = _started(small_pack, tmp_path)
    _line_with(started, "trying other codecs")
    os.kill(started.pid, signal.SIGINT)
    _, error = started.communicate(timeout=120)
    assert started.returncode == 130
    assert error.strip().splitlines()[-1].startswith("lowq: interrupted; what ended is safe")
    assert not (tmp_path / "run" / "codecs.parquet").exists()


def test_a_driver_that_is_killed_keeps_the_run_to_itself_until_then_and_loses_nothing(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    started = _started(small_pack, tmp_path)
    line = _line_with(started, "epoch 1/2")
    os.kill(started.pid, signal.SIGSTOP)
    second = _run(tmp_path, "--resume", "run")
    assert second.returncode == 2
    assert f"is being searched by process {started.pid}" in second.stderr
    started.kill()
    started.communicate(timeout=120)
    _check_resumed(tmp_path, line)


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


def test_a_trial_whose_worker_is_killed_goes_on_from_its_last_epoch(small_pack: PackedDataset, tmp_path: Path) -> None:
    started = _started(small_pack, tmp_path)
    line = _line_with(started, "epoch 1/2")
    victims = [process for process in _workers() if _descends(process, started.pid)]
    for process in victims:
        os.kill(process, signal.SIGKILL)
    output, error = started.communicate(timeout=300)
    assert victims
    assert started.returncode == 0, error
    records = [record for record in read_records(tmp_path / "run") if record.spec.is_trained]
    begun = next(record.trial_id for record in records if record.trial_id in line)
    assert f"{begun}  epoch 1/2" not in output  # what is left of it after the first
    assert {record.status for record in records} <= {TrialStatus.COMPLETED, TrialStatus.STOPPED}
    assert len(records) == len({record.trial_id for record in records}) == 2


def test_the_checkpoint_store_is_started_again_and_the_report_is_of_this_checkout(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    (tmp_path / "analysis").mkdir()  # of the user's own, where the search is started
    started = _started(small_pack, tmp_path)
    _line_with(started, "epoch 1/2")
    (victim,) = [process for process in _named(b"ray::CheckpointStore") if _descends(process, started.pid)]
    os.kill(victim, signal.SIGKILL)
    output, error = started.communicate(timeout=300)
    assert started.returncode == 0, error
    assert "report: " in output
    records = [record for record in read_records(tmp_path / "run") if record.spec.is_trained]
    assert [record.status for record in records] == 2 * [TrialStatus.COMPLETED]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "full"], "--space cannot change: RUN was started with smoke; leave it out, or start a new run"),
        (["--losses", "mae"], "--losses cannot change: RUN was started with none"),
        (["--seed", "3"], "--seed cannot change: RUN was started with 0"),
        (["--from", "."], "--from cannot change: RUN was started with none"),
    ],
)
def test_a_resumed_run_stays_what_it_is(
    arguments: list[str], message: str, smoke: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(smoke[0])
    assert main(["--resume", run, *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message.replace("RUN", run) in line


def test_a_run_of_another_version_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text('{"options": {"space": "smoke"}, "dataset": {"path": "somewhere"}}')
    assert main(["--resume", str(tmp_path)]) == 2
    assert "was made by another version of lowq" in capsys.readouterr().err


def test_a_new_search_takes_over_what_an_earlier_one_did(smoke: tuple[Path, str]) -> None:
    run, _ = smoke
    done = _run(run.parent, "--space", "smoke", "--from", "run", "--out", "warm")
    assert done.returncode == 0, done.stderr
    assert "2 ended trials are taken over from earlier runs" in done.stdout
    assert "starts" not in done.stdout
    assert {record.trial_id for record in read_records(run.parent / "warm")} == {r.trial_id for r in read_records(run)}


def test_the_last_round_takes_the_best_of_a_run(smoke: tuple[Path, str]) -> None:
    run, _ = smoke
    done = _run(run.parent, "--space", "final", "--from", "run", "--top", 1, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "plan: 3 trials (3 of 3 cells tried), up to 16 epochs each" in done.stdout  # three seeds, as a demo's


MISTAKES = {
    "unknown space": (
        ["--space", "fulll"],
        "unknown space 'fulll'; known: full, native, appendix, residual, quality, smoke, final",
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
    "negative seed": (["--seed", "-1"], "--seed must be 0 or more, got -1"),
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
    "no pack": (["--data", "nowhere"], "nowhere is no pack (it has no manifest.json): make one with"),
    "no run to resume": (["--resume", "nowhere"], "nowhere is no run directory (it has no run.json)"),
    "existing run": (["--out", "."], ". exists: continue it with --resume ., or name another with --out"),
}


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


@pytest.mark.parametrize("option", ["--xla", "--mixed-precision"])
def test_what_only_a_gpu_does_faster_is_refused_without_one(
    option: str, small_pack: PackedDataset, tmp_path: Path
) -> None:
    done = _run(tmp_path, "--space", "smoke", "--data", small_pack.folder, option)
    assert done.returncode == 2
    assert done.stderr == f"lowq: {option} speeds up GPUs, and there is none here: leave it out\n"


def test_a_cluster_that_does_not_answer_is_named(small_pack: PackedDataset, tmp_path: Path) -> None:
    done = _run(tmp_path, "--data", small_pack.folder, "--address", "127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("lowq: no Ray cluster answers at 127.0.0.1:1")


def test_a_dry_run_prints_the_plan_and_makes_nothing(small_pack: PackedDataset, tmp_path: Path) -> None:
    done = _run(tmp_path, "--data", small_pack.folder, "--dry-run", "--trials", 5)
    assert done.returncode == 0, done.stderr
    again = "and 2 that train the best again"
    assert f"plan: 5 trials (5 of 840 cells tried) {again}, up to 16 epochs each" in done.stdout
    assert "expected time: about " in done.stdout
    assert "perceptual: not run, no VGG16 weights (" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_time_budget_ends_the_search_with_a_report(small_pack: PackedDataset, tmp_path: Path) -> None:
    done = _run(tmp_path, "--data", small_pack.folder, "--time-budget", "25s", "--out", "run", "--networks", "resnet")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report" / "index.html").is_file()
    assert len(read_proposed(tmp_path / "run")) < 32


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("2h", 7200), ("1d", 86400), ("45", 45)])
def test_a_duration_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3m", "0s", "nan", "inf", "3 weeks"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is a number and a unit"):
        parse_duration(text)
