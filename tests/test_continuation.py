"""Going on with a trial of another run: as its own trial, from the state that its parent ended with."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import pytest

from datasets.errors import InputError
from datasets.packed import PackedDataset
from models.architectures.resnet import resnet
from models.build import ARCHITECTURES
from models.training import TrainingState
from search.cli import main
from search.records import RUN_FACTS, append_record, failed_record, read_proposed, read_records
from search.space.continuation import Continuation, find_continuation
from search.space.scale import Protocol, TrialSetup
from search.space.spec import TrialSpec, TrialStatus
from search.trial.reporting import Progress, Verdict
from search.trial.store import STATE, LocalStore
from search.trial.trial import run_trial

SETUP = TrialSetup(Protocol(n_monitored=2, monitor_px=32, n_scored=1, crop_px=48))
SPEC = TrialSpec("resnet", epochs=2, epoch_images=4, crop_px=24, batch_size=2, patience=50, start="near_identity")
FAILED = replace(SPEC, seed=1)


def _train(spec: TrialSpec, pack: PackedDataset, run: Path) -> TrainingState:
    def go_on(progress: Progress) -> Verdict:
        return Verdict.GO_ON

    keras.utils.clear_session()
    record = run_trial(spec, pack, LocalStore(run), go_on, SETUP)
    assert record is not None
    assert record.status is TrialStatus.COMPLETED, record.error
    append_record(run, record)
    return _state(run, spec)


def _state(run: Path, spec: TrialSpec) -> TrainingState:
    kept = LocalStore(run).load(spec.trial_id)
    assert kept is not None
    return TrainingState.from_bytes(kept)


@pytest.fixture(scope="module", autouse=True)
def _small_resnet() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "resnet", partial(resnet, width=4, n_blocks=1))
        yield


@pytest.fixture(scope="module")
def run(small_pack: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a trial that completed and one that failed."""
    folder = tmp_path_factory.mktemp("parent")
    _train(SPEC, small_pack, folder)
    append_record(folder, failed_record(FAILED, small_pack.fingerprint, "no memory"))
    (folder / RUN_FACTS).write_text('{"scale": "demo", "options": {"scale": "demo"}, "dataset": {"path": "a-pack"}}')
    return folder


def _find(run: Path, more_epochs: int = 2) -> Continuation:
    return find_continuation(run, SPEC.trial_id, more_epochs)


def test_the_child_is_its_parent_with_more_epochs_and_its_parents_name(run: Path) -> None:
    found = _find(run, more_epochs=50)
    assert found.child == replace(SPEC, epochs=52, parent=SPEC.trial_id)
    assert found.child.trial_id != SPEC.trial_id
    assert found.options == {"scale": "demo", "data": "a-pack"}


def test_the_two_are_the_cells_of_a_space(run: Path) -> None:
    found = _find(run)
    specs = [TrialSpec(**{**found.space.fields, **cell}) for cell in found.space.first_parameters()]
    assert specs == [SPEC, found.child]


def test_a_stopped_parent_may_be_taken_to_the_epochs_it_was_meant_to_have(run: Path) -> None:
    stopped = replace(_find(run).parent, epochs_run=1, status=TrialStatus.STOPPED)
    found = Continuation(run, stopped, replace(SPEC, parent=SPEC.trial_id), {}, "demo")
    specs = [TrialSpec(**{**found.space.fields, **cell}) for cell in found.space.first_parameters()]
    assert specs == [SPEC, found.child]


def test_the_child_ends_as_its_parent_would_have_with_all_the_epochs(
    run: Path, small_pack: PackedDataset, tmp_path: Path
) -> None:
    found = _find(run)
    (tmp_path / "child").mkdir()
    found.write_into(tmp_path / "child")
    assert [record.trial_id for record in read_records(tmp_path / "child")] == [SPEC.trial_id]
    assert read_proposed(tmp_path / "child") == [SPEC]
    child = _train(found.child, small_pack, tmp_path / "child")
    whole = _train(replace(SPEC, epochs=4), small_pack, tmp_path)
    assert [row["epoch"] for row in child.curve] == [1, 2, 3, 4]
    for one, other in zip(child.weights, whole.weights, strict=True):
        assert (one == other).all()
    assert _state(tmp_path / "child", SPEC).epoch == 2


def test_a_plateau_is_counted_anew(run: Path, small_pack: PackedDataset, tmp_path: Path) -> None:
    found = _find(run)
    found.write_into(tmp_path)
    waited = replace(_state(tmp_path, SPEC), wait=50)
    LocalStore(tmp_path).save(SPEC.trial_id, 2, {STATE: waited.to_bytes()})
    assert _train(found.child, small_pack, tmp_path).epoch == 4


def test_other_data_are_refused(run: Path) -> None:
    with pytest.raises(InputError, match=f"{SPEC.trial_id} was trained on other data: name its pack with --data"):
        _find(run).check_data("another fingerprint")


MISTAKES: dict[str, tuple[Callable[[Path], Continuation], str]] = {
    "no run": (lambda run: find_continuation(run / "nowhere", "x", 3), "nowhere is no run directory"),
    "no epochs": (lambda run: _find(run, 0), "--more-epochs must be 1 or more, got 0"),
    "no such trial": (lambda run: find_continuation(run, "x", 3), f"has no ended trial 'x'; .+: {SPEC.trial_id}$"),
    "a failed trial": (
        lambda run: find_continuation(run, FAILED.trial_id, 3),
        "is failed: only a trial that completed",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_go_on_is_refused(mistake: str, run: Path) -> None:
    find, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        find(run)


def test_a_lost_state_is_named(run: Path, tmp_path: Path) -> None:
    for name in ("records.jsonl", RUN_FACTS):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    with pytest.raises(InputError, match=f"has lost the state of {SPEC.trial_id}, so it cannot go on"):
        _find(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--from", "RUN", "--trial", SPEC.trial_id, "--more-epochs", "3", "--least-viewable-ssim", "0.9"],
            "goes on with one trial as it was judged: leave out --least-viewable-ssim",
        ),
        (["--trial", "x"], "--from RUN, --trial ID and --more-epochs N belong together: give all three"),
        (["--more-epochs", "3"], "--from RUN, --trial ID and --more-epochs N belong together: give all three"),
        (
            ["--from", "RUN", "--trial", SPEC.trial_id, "--more-epochs", "3", "--losses", "mse"],
            "--from goes on with one trial as it is: leave out --space and what narrows it",
        ),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    arguments: list[str], message: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run) if part == "RUN" else part for part in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
