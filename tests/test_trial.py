"""A trial without Ray: trained, watched, scored and recorded, ended in every way it can end, and continued."""

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from datasets.errors import InputError
from datasets.jpeg import decode_jpeg
from datasets.packed import PackedDataset
from models.names import METRICS
from models.training import Batch, TrainingState
from search.records import TrialRecord
from search.space.scale import Protocol, TrialSetup
from search.space.spec import BASELINE, FILTER, TrialSpec, TrialStatus
from search.trial.reporting import Progress, Report, Verdict
from search.trial.restorers import load_restorer
from search.trial.store import SAMPLES, SCORES, STATE, LocalStore, StoreError
from search.trial.trial import epoch_images, run_trial, score_paused

pytestmark = pytest.mark.usefixtures("small_resnet")
PARAMETERS = 25 * 3 * 4 + 4 + 25 * 4 * 8 + 8 + 9 * 8 * 8 + 8 + 8 * 4 + 4 + 9 * 4 * 3 + 3
SETUP = TrialSetup(Protocol(n_monitored=2, monitor_px=32, n_scored=1, crop_px=48))
SPEC = TrialSpec("resnet", epochs=2, epoch_images=4, crop_px=24, batch_size=2, start="near_identity")
TINY = replace(SPEC, epochs=3, learning_rate=1e-4)


class Listener:
    """Answers GO_ON until an epoch, then something else."""

    def __init__(self, last_epoch: int = 99, then: Verdict = Verdict.GO_ON) -> None:
        self.last_epoch, self.then = last_epoch, then
        self.heard: list[Progress] = []

    def __call__(self, progress: Progress) -> Verdict:
        self.heard.append(progress)
        return self.then if progress.epoch >= self.last_epoch else Verdict.GO_ON


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    yield
    keras.utils.clear_session()


def _ran(spec: TrialSpec, pack: PackedDataset, store: LocalStore, report: Report | None = None) -> TrialRecord:
    record = run_trial(spec, pack, store, report or Listener(), SETUP)
    assert record is not None
    return record


def _scores(store: LocalStore, spec: TrialSpec) -> pd.DataFrame:
    return pd.read_parquet(store.path(spec.trial_id, SCORES))


def test_a_trial_runs_every_epoch_reports_each_and_leaves_scores_and_samples(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    store, listener = LocalStore(tmp_path), Listener()
    record = _ran(SPEC, small_pack, store, listener)
    assert (record.status, record.epochs_run, record.parameters) == (TrialStatus.COMPLETED, 2, PARAMETERS), record.error
    assert [progress.epoch for progress in listener.heard] == [row["epoch"] for row in record.curve] == [1, 2]
    shares = [row["bytes_at_parity"] for row in record.curve if row["bytes_at_parity"] is not None]
    assert record.bytes_at_parity == listener.heard[-1].best_bytes_at_parity == min(shares)
    assert record.restore_ms
    scores = _scores(store, SPEC)
    assert set(zip(scores["input_quality"], scores["region"], strict=True)) == {
        (quality, region) for quality in (25, 50, 75) for region in ("crop", "full")
    }
    assert set(scores["split"]) == {"validation"}
    assert scores[[*METRICS, *(f"{metric}_raw" for metric in METRICS)]].notna().all(axis=None)
    with np.load(store.path(SPEC.trial_id, SAMPLES)) as samples:
        assert samples["restored"].shape == samples["degraded"].shape == (1, 3, 96, 96, 3)


def test_the_baseline_is_scored_at_every_quality_on_validation_and_test_as_its_input(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    record = _ran(BASELINE, small_pack, store)
    assert (record.margin, record.psnr_gain_db) == (record.input_margin, 0.0)
    scores = _scores(store, BASELINE)
    assert set(scores["input_quality"]) == set(small_pack.qualities)
    assert set(scores["split"]) == {"validation", "test"}
    row = scores.query("split == 'test' and input_quality == 25 and region == 'full'").iloc[0]
    degraded = decode_jpeg(small_pack.file_bytes(row["image"], 25))
    error = (small_pack.originals[row["image"]].astype(float) - degraded) / 255
    assert row["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert row["psnr_db"] == pytest.approx(-10 * np.log10(np.square(error).mean()), rel=1e-5)
    assert row["jpeg_bytes"] == len(small_pack.file_bytes(row["image"], 25))
    assert row["image"] in small_pack.images_of("data101", "test")


def test_the_same_spec_twice_gives_the_same_weights_and_scores(small_pack: PackedDataset, tmp_path: Path) -> None:
    stores = [LocalStore(tmp_path / name) for name in ("one", "two")]
    for store in stores:
        run_trial(SPEC, small_pack, store, Listener(), SETUP)
    one, two = (TrainingState.from_bytes(store.load(SPEC.trial_id) or b"") for store in stores)
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(*(_scores(store, SPEC) for store in stores))


def test_a_seed_is_used(small_pack: PackedDataset, tmp_path: Path) -> None:
    records = [_ran(replace(SPEC, seed=seed), small_pack, LocalStore(tmp_path)) for seed in (0, 1)]
    assert records[0].margin != records[1].margin


def test_a_paused_trial_leaves_no_record_and_goes_on_to_the_same_end(small_pack: PackedDataset, tmp_path: Path) -> None:
    whole = _ran(TINY, small_pack, LocalStore(tmp_path / "whole"))
    parts = LocalStore(tmp_path / "parts")
    assert run_trial(TINY, small_pack, parts, Listener(1, Verdict.PAUSE), SETUP) is None
    listener = Listener()
    record = _ran(TINY, small_pack, parts, listener)
    assert [progress.epoch for progress in listener.heard] == [2, 3]
    assert [row["loss"] for row in record.curve] == [row["loss"] for row in whole.curve]
    assert record.margin == whole.margin


def test_a_weak_trial_that_is_stopped_is_scored_all_the_same(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    record = _ran(TINY, small_pack, store, Listener(1, Verdict.STOP))
    assert (record.status, record.epochs_run) == (TrialStatus.STOPPED, 1)
    assert len(_scores(store, TINY))


def test_a_stop_at_the_last_epoch_is_a_completed_trial(small_pack: PackedDataset, tmp_path: Path) -> None:
    record = _ran(SPEC, small_pack, LocalStore(tmp_path), Listener(2, Verdict.STOP))
    assert record.status is TrialStatus.COMPLETED


def test_a_trial_whose_loss_is_no_number_has_diverged(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # a small network would not
    spec = replace(SPEC, learning_rate=0.999, start="thesis", epochs=9, epoch_images=16, loss="mse")
    store = LocalStore(tmp_path)
    record = _ran(spec, small_pack, store)
    assert record.status is TrialStatus.DIVERGED
    assert record.epochs_run < 9
    assert not store.path(spec.trial_id, SCORES).exists()


def test_a_trial_that_returns_its_input_is_dead(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.records.DEAD_STEPS", 4)
    spec = replace(SPEC, learning_rate=1e-9, epochs=5)
    record = _ran(spec, small_pack, LocalStore(tmp_path))
    assert (record.status, record.epochs_run) == (TrialStatus.DEAD, 3)


def test_an_error_ends_the_trial_and_its_text_is_the_record(small_pack: PackedDataset, tmp_path: Path) -> None:
    record = _ran(replace(SPEC, crop_px=200), small_pack, LocalStore(tmp_path))
    assert record.status is TrialStatus.FAILED
    assert "got crop_px=200" in (record.error or "")


def test_the_kept_restorer_is_the_one_that_was_scored(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    run_trial(SPEC, small_pack, store, Listener(), SETUP)
    state = TrainingState.from_bytes(store.load(SPEC.trial_id) or b"")
    model = load_restorer(SPEC, store)
    np.testing.assert_array_equal(model.get_weights()[0], state.best_weights[0])


def test_weights_that_are_lost_or_damaged_are_no_untrained_network(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with pytest.raises(InputError, match=f"of trial {SPEC.trial_id} is missing in the run: put back a copy"):
        load_restorer(SPEC, store)
    store.save(SPEC.trial_id, 1, {STATE: b"x" * 99})
    with pytest.raises(InputError, match="is damaged: put back a copy"):
        load_restorer(SPEC, store)


def test_a_paused_trial_that_cannot_be_scored_may_be_tried_again(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.save(SPEC.trial_id, 1, {STATE: b"x" * 99})
    record = score_paused(SPEC, small_pack, store, SETUP)
    assert (record.status, record.is_outside) == (TrialStatus.FAILED, True)


def test_without_restoring_the_best_the_last_weights_are_scored(small_pack: PackedDataset, tmp_path: Path) -> None:
    spec, store = replace(SPEC, restore_best=False), LocalStore(tmp_path)
    record = _ran(spec, small_pack, store)
    state = TrainingState.from_bytes(store.load(spec.trial_id) or b"")
    np.testing.assert_array_equal(load_restorer(spec, store).get_weights()[0], state.weights[0])
    assert record.margin == state.curve[-1]["margin"]


@pytest.mark.parametrize("n_images", [3, 8, 20])
def test_an_epoch_shows_each_image_as_often_as_another_or_once_more(small_pack: PackedDataset, n_images: int) -> None:
    shown = epoch_images(replace(SPEC, epoch_images=n_images), small_pack, epoch=1)
    counts = np.bincount(shown, minlength=12)[small_pack.images_of("tiny", "train")]
    assert len(shown) == n_images
    assert counts.max() - counts.min() <= 1


def test_without_a_number_an_epoch_shows_every_training_image(small_pack: PackedDataset) -> None:
    shown = epoch_images(replace(SPEC, epoch_images=None), small_pack, epoch=1)
    assert sorted(shown) == sorted(small_pack.images_of("tiny", "train"))


def test_scores_are_written_as_parquet_that_pandas_reads(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    run_trial(SPEC, small_pack, store, Listener(), SETUP)
    data = store.path(SPEC.trial_id, SCORES).read_bytes()
    assert list(pd.read_parquet(io.BytesIO(data))["crop_px"].unique()) == [48]


def test_a_trial_on_its_plateau_is_completed_before_its_epochs_are_over(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    still = replace(SPEC, epochs=9, patience=2, learning_rate=1e-12)  # the validation loss stays where it was
    record = _ran(still, small_pack, store)
    assert (record.status, record.epochs_run) == (TrialStatus.COMPLETED, 3)
    assert len({row["validation_loss"] for row in record.curve}) == 1
    again = _ran(still, small_pack, store)
    assert (again.status, again.epochs_run) == (TrialStatus.COMPLETED, 3)


def test_a_trial_trains_with_the_perceptual_loss(small_pack: PackedDataset, tmp_path: Path) -> None:
    record = _ran(replace(SPEC, loss="perceptual", crop_px=32, epochs=1), small_pack, LocalStore(tmp_path))
    assert record.status is TrialStatus.COMPLETED, record.error
    assert record.curve[0]["loss"]
    assert record.parameters == PARAMETERS


def test_scores_hold_the_worst_window_beside_the_four_metrics(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    _ran(SPEC, small_pack, store)
    scores = _scores(store, SPEC)
    assert (scores["worst_window_psnr_db"] <= scores["psnr_db"] + 1e-3).all()
    assert "worst_window_psnr_db_raw" not in scores  # nobody asks for it


class FullStore(LocalStore):
    """A store whose disk is full."""

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> None:
        raise StoreError("No space left on device")


def test_a_trial_whose_store_is_full_pauses(small_pack: PackedDataset, tmp_path: Path) -> None:
    assert run_trial(SPEC, small_pack, FullStore(tmp_path), Listener(), SETUP) is None


@pytest.mark.parametrize("kept", [b"x" * 99, b"", None])
def test_a_trial_that_a_damaged_state_or_a_lost_file_ends_is_tried_again_on_another_day(
    kept: bytes | None, small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*asked: object, **options: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/a/vgg16.h5")

    store = LocalStore(tmp_path)
    if kept is None:
        monkeypatch.setattr("search.trial.trial.make_loss", lost)
    else:
        store.save(SPEC.trial_id, 1, {STATE: kept})
    record = run_trial(SPEC, small_pack, store, Listener(), SETUP)
    assert record is not None
    assert (record.status, record.is_outside) == (TrialStatus.FAILED, True)


class ResourceExhaustedError(Exception):
    """What TensorFlow calls it when memory runs out."""


def _limited(monkeypatch: pytest.MonkeyPatch, most: int, from_step: int = 0) -> list[int]:
    """Let memory suffice for batches of so many images alone, from a step on; return the sizes of what was trained."""
    sizes: list[int] = []

    def limited(model: keras.Model, batches: Iterable[Batch], n_steps: int) -> float:
        losses = []
        for degraded, original in batches:
            if len(degraded) > most and len(sizes) >= from_step:
                raise ResourceExhaustedError("OOM when allocating tensor")
            sizes.append(len(degraded))
            losses.append(float(model.train_on_batch(degraded, original)))
        return float(np.mean(losses))

    monkeypatch.setattr("models.training.train_epoch", limited)
    return sizes


@pytest.mark.parametrize(("from_step", "sizes"), [(0, [1] * 8), (2, [2, 2] + [1] * 4), (1, [2] + [1] * 8)])
def test_a_trial_that_runs_out_of_memory_goes_on_from_its_last_epoch_with_half_the_batch(
    from_step: int, sizes: list[int], small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = _limited(monkeypatch, most=1, from_step=from_step)
    record = _ran(SPEC, small_pack, LocalStore(tmp_path))
    assert (record.status, record.trained_batch_size) == (TrialStatus.COMPLETED, 1)
    assert trained == sizes
    assert [row["epoch"] for row in record.curve] == [1, 2]
    assert record.spec == SPEC


def test_the_batch_is_halved_once(small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = _limited(monkeypatch, most=1)
    record = _ran(replace(SPEC, batch_size=4), small_pack, LocalStore(tmp_path))
    assert record.status is TrialStatus.FAILED
    assert "OOM when allocating tensor" in (record.error or "")
    assert trained == []


def test_a_halved_batch_stays_so_on_another_day(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    with monkeypatch.context() as context:
        _limited(context, most=1)
        assert run_trial(SPEC, small_pack, store, Listener(1, Verdict.PAUSE), SETUP) is None
    record = _ran(SPEC, small_pack, store)
    assert [row["batch_size"] for row in record.curve] == [1, 1]


OF_ENCODER = TrialSpec(
    "native1k", epochs=2, epoch_images=4, crop_px=24, batch_size=2, start="near_identity", encoder="jpeg-c0.6"
)


def test_a_trial_with_an_encoder_is_scored_on_that_encoders_files(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    record = _ran(OF_ENCODER, small_pack, store)
    filtered = _ran(replace(FILTER, training_quality=75, encoder="jpeg-c0.6"), small_pack, store)
    assert record.input_bytes_at_parity == filtered.input_bytes_at_parity != 1
    assert record.viewable_ssim is not None
    scores = _scores(store, OF_ENCODER)
    sizes = set(zip(scores["image"], scores["input_quality"], scores["jpeg_bytes"], strict=True))
    pack = small_pack.written_by(OF_ENCODER.family)
    assert sizes == {(image, quality, len(pack.file_bytes(image, quality))) for image, quality, _ in sizes}
    assert TrialRecord.from_json(record.to_json()) == record
