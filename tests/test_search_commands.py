"""The search as its user runs it: a whole smoke search from another folder, and what follows one, on one Ray."""

import io
import json
import logging
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datasets.packed import PackedDataset
from models.names import METRICS
from search import cli, report
from search.cli import _unused, main
from search.records import RECORDS, read_proposed, read_records
from search.scoring.finalists import choose_finalists, choose_tested
from search.scoring.score_files import Row, scores_from_bytes
from search.space.plan import Machine
from search.space.spec import TrialStatus
from tests.search_process import ROOT, run_in

pytestmark = pytest.mark.usefixtures("no_vgg16")
TEST_75 = ("test", 75)


def _rows(path: Path) -> list[Row]:
    return scores_from_bytes(path.read_bytes())


@pytest.fixture(scope="module")
def smoke(small_pack: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished smoke search, started from a folder that is not the project's: its run directory and its output."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "analysis").mkdir()  # of the user's own: the report is of this checkout
    done = run_in(folder, "--space", "smoke", "--data", small_pack.folder, "--out", "run")
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of two cores on this machine, for the searches that follow the first one."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 2, "include_dashboard": False, "env_vars": {"PYTHONPATH": str(ROOT)}}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def one_ray(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have searches of this process join the cluster, which is known to answer."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr("search.cluster.connection._require_answer", lambda address: None)
    yield
    logging.captureWarnings(False)  # a search has them in its run


def _report_here(module: str, *arguments: object, **streams: object) -> "subprocess.CompletedProcess[str]":
    """Run a command that follows a search in this process, which has loaded what it needs."""
    from analysis.cli import main as report
    from models.cli import main as of_models

    code = {"analysis": report, "models": of_models}[module]([str(argument) for argument in arguments])
    return subprocess.CompletedProcess((), code, "", "")


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


def test_the_baselines_have_a_slot_of_their_own_until_they_are_scored(smoke: tuple[Path, str]) -> None:
    n_slots = int(re.search(r"(\d+) trial\(s\) at a time", smoke[1])[1])  # type: ignore[index]
    under_way, most = set[str](), 0
    lines = [line for line in smoke[1].splitlines() if " left] " in line]
    last = max(place for place, line in enumerate(lines) if "  identity-" in line or "  linear-" in line)
    for line in lines[:last]:
        _, *event_of_trial = line.split("  ")
        if len(event_of_trial) < 2:  # a note, as that a slow machine has no free slot yet
            continue
        trial_id, event, *_ = event_of_trial
        if event.startswith("starts"):
            under_way.add(trial_id)
        elif event.startswith(("completed", "stopped")):
            under_way.discard(trial_id)
        most = max(most, len(under_way))
    assert most <= max(1, n_slots - n_slots // 2)  # none where all was scored before a trial had started


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


@pytest.mark.usefixtures("one_ray")
def test_a_trial_of_a_run_goes_on_in_a_run_that_has_both(
    smoke: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, more = smoke[0], tmp_path / "more"
    parent = next(record for record in read_records(run) if record.spec.is_trained)
    asked = ("--from", str(run), "--trial", parent.trial_id, "--more-epochs", "1")
    assert main([*asked, "--out", str(more), "--no-report"]) == 0
    *untrained, _, child = sorted(read_records(more), key=lambda record: record.epochs_run)
    assert {record.spec.architecture for record in untrained} == {"identity", "linear"}
    assert child.spec.parent == parent.trial_id
    assert [row["epoch"] for row in child.curve] == [1, 2, 3]
    assert [row["loss"] for row in child.curve[:2]] == [row["loss"] for row in parent.curve]
    assert "starts" in capsys.readouterr().out
    assert main(["--resume", str(more), "--no-report"]) == 0
    assert "starts" not in capsys.readouterr().out


def test_a_search_whose_output_nobody_reads_any_more_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    cli._print("an event")


def test_searches_that_begin_in_one_second_have_runs_of_their_own(tmp_path: Path) -> None:
    first = tmp_path / "20260102-030405-smoke"
    assert _unused(first) == first
    for number in (2, 3):
        _unused(first).mkdir()
        assert _unused(first).name == f"{first.name}-{number}"


@pytest.mark.usefixtures("one_ray")
def test_a_finished_run_that_is_resumed_repeats_nothing_but_the_report(
    smoke: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = smoke
    followed: list[str] = []

    def follow(module: str, *arguments: object, **streams: object) -> "subprocess.CompletedProcess[str]":
        followed.append(module)
        return subprocess.CompletedProcess((), 0, "", "")

    monkeypatch.setattr(report, "_command", follow)
    once = [run / name for name in (RECORDS, "images.parquet", "codecs.parquet", "restoring.parquet", "gallery.npz")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in once]
    assert main(["--resume", str(run)]) == 0
    output = capsys.readouterr().out
    assert "run: " in output
    assert "starts" not in output
    assert "trying other codecs" not in output
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in once] == before
    assert followed[:2] == ["models", "analysis"]


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
    tested = {record.trial_id for record in choose_tested(run, 2)}
    timed = _rows(run / "restoring.parquet")
    assert {row["trial_id"] for row in timed} == tested
    assert {row["image"] for row in timed} == images


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


@pytest.mark.usefixtures("one_ray")
def test_a_new_search_takes_over_what_an_earlier_one_did(
    smoke: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, warm = smoke[0], tmp_path / "warm"
    assert main(["--space", "smoke", "--from", str(run), "--out", str(warm), "--no-report"]) == 0
    output = capsys.readouterr().out
    assert "2 ended trials are taken over from earlier runs" in output
    assert "starts" not in output
    assert {record.trial_id for record in read_records(warm)} == {record.trial_id for record in read_records(run)}


def test_the_last_round_takes_the_best_of_a_run(
    smoke: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("search.request.connect", lambda address, trials_per_gpu: Machine(2, 1, memory_mb=8000))
    assert main(["--space", "final", "--from", str(smoke[0]), "--top", "1", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "plan: 3 trials (3 of 3 cells tried), up to 8 epochs each" in output  # three seeds, as a demo's


@pytest.mark.usefixtures("one_ray", "few_pictures", "unsaved_pictures")
def test_a_search_that_a_time_budget_ended_has_a_report(
    small_pack: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    asked = ["--data", str(small_pack.folder), "--time-budget", "15s", "--networks", "resnet"]
    assert main([*asked, "--out", str(run), "--no-report"]) == 0, capsys.readouterr().err
    assert _report_here("analysis", run).returncode == 0
    assert (run / "report" / "index.html").is_file()
    assert len(read_proposed(run)) < 32
