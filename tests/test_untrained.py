"""The linear filter as a trial without epochs, and native networks that start from it: kept, scored and resumed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from datasets.packed import PackedDataset
from models.architectures.planes import PlaneFilter
from models.footprint import FOOTPRINTS
from models.training import TrainingState
from search.cluster.baselines import PART_READINGS, parts_of
from search.records import TrialRecord
from search.space.scale import Protocol, TrialSetup
from search.space.spec import FILTER, TrialSpec, TrialStatus
from search.trial.closed_form import fitted_filter
from search.trial.reporting import Progress, Verdict
from search.trial.restorers import load_restorer
from search.trial.store import SAMPLES, SCORES, LocalStore
from search.trial.trial import epoch_images, run_trial

SETUP = TrialSetup(Protocol(n_monitored=2, monitor_px=64, n_scored=1, crop_px=48))
LINEAR = replace(FILTER, training_quality="20-80")
QUALITIES = (10, 25, 40, 50, 60, 75, 80, 85, 90, 95, 100)
NATIVE = TrialSpec(
    "native1k",
    epochs=2,
    epoch_images=8,
    crop_px=32,
    batch_size=4,
    start="near_identity",
    loss="psnr-ssim",
    ssim_weight=1.0,
    crop="chroma-grid",
    augmentation="symmetries",
    schedule="cosine",
    training_quality="20-80",
    warm_up=0.1,
    ema=0.9,
    normalisation="re-estimated",
)


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    yield
    keras.utils.clear_session()


def _go_on(progress: Progress) -> Verdict:
    return Verdict.GO_ON


def _silent(progress: Progress) -> Verdict:
    raise AssertionError("there is no epoch to report")


def _ran(spec: TrialSpec, pack: PackedDataset, store: LocalStore) -> TrialRecord:
    record = run_trial(spec, pack, store, _go_on if spec.is_trained else _silent, SETUP)
    assert record is not None
    assert record.status is TrialStatus.COMPLETED, record.error
    return record


def _filter(model: keras.Model) -> np.ndarray:
    (layer,) = [layer for layer in model.layers if isinstance(layer, PlaneFilter)]
    return np.asarray(keras.ops.convert_to_numpy(layer.kernel))


def test_linear_is_a_trial_without_epochs_that_beats_its_input(small_pack: PackedDataset, tmp_path: Path) -> None:
    record = _ran(LINEAR, small_pack, LocalStore(tmp_path))
    assert (record.epochs_run, record.curve, record.seconds) == (0, (), 0.0)
    assert (record.parameters, record.macs_per_pixel) == (3_600, 900)
    assert record.macs_per_pixel == FOOTPRINTS["linear"].macs_per_pixel
    assert record.weights_bytes > 4 * 3_600
    assert record.psnr_gain_db is not None
    assert record.psnr_gain_db > 0.1
    assert record.margin is not None
    assert record.input_margin is not None
    assert record.margin > record.input_margin
    assert TrialRecord.from_json(record.to_json()) == record


def test_of_files_of_an_encoder_of_its_own_it_is_measured_what_luma_and_chroma_take(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    assert _ran(LINEAR, small_pack, LocalStore(tmp_path)).channels is None
    record = _ran(replace(LINEAR, encoder="jpeg-c0.6"), small_pack, LocalStore(tmp_path))
    assert record.channels is not None
    assert set(record.channels) == {"chroma_bytes", "chroma_error", "luma_removed", "chroma_removed"}
    assert all(0 < share < 1 for share in record.channels.values())
    assert TrialRecord.from_json(record.to_json()) == record


def test_linear_is_scored_on_validation_images_and_leaves_samples(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    _ran(LINEAR, small_pack, store)
    scores = pd.read_parquet(store.path(LINEAR.trial_id, SCORES))
    assert set(scores["split"]) == {"validation"}
    assert set(scores["input_quality"]) == {25, 50, 75}
    assert set(scores["region"]) == {"crop", "full"}
    with np.load(store.path(LINEAR.trial_id, SAMPLES)) as samples:
        assert np.any(samples["restored"] != samples["degraded"])


def test_the_state_of_linear_is_the_fitted_filter_and_makes_its_restorer(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    _ran(LINEAR, small_pack, store)
    state = TrainingState.from_bytes(store.load(LINEAR.trial_id) or b"")
    assert (state.epoch, state.optimizer) == (0, ())
    wanted = fitted_filter(small_pack, "tiny", "20-80")
    restorer = load_restorer(LINEAR, store)
    np.testing.assert_allclose(0.05 * _filter(restorer), wanted, atol=1e-6)
    np.testing.assert_array_equal(restorer.get_weights()[0], state.best_weights[0])


def test_linear_resumed_is_not_fitted_again_and_ends_the_same(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    first = _ran(LINEAR, small_pack, store)
    scores = pd.read_parquet(store.path(LINEAR.trial_id, SCORES))
    monkeypatch.setattr("search.trial.restorers.fitted_filter", lambda *asked: pytest.fail("fitted again"))
    again = _ran(LINEAR, small_pack, store)
    assert replace(again, restore_ms=None) == replace(first, restore_ms=None)
    pd.testing.assert_frame_equal(pd.read_parquet(store.path(LINEAR.trial_id, SCORES)), scores)


def test_a_native_network_is_trained_from_the_filter_and_scored_by_its_average(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    record = _ran(NATIVE, small_pack, store)
    assert (record.epochs_run, record.parameters) == (2, FOOTPRINTS["native1k"].parameters)
    assert record.psnr_gain_db is not None
    assert record.psnr_gain_db > 0  # two steps from the filter, not from nothing
    state = TrainingState.from_bytes(store.load(NATIVE.trial_id) or b"")
    assert any(np.any(one != two) for one, two in zip(state.watched_weights, state.weights, strict=True))
    np.testing.assert_array_equal(load_restorer(NATIVE, store).get_weights()[0], state.best_weights[0])
    last = replace(NATIVE, restore_best=False)
    _ran(last, small_pack, store)
    kept = TrainingState.from_bytes(store.load(last.trial_id) or b"")
    np.testing.assert_array_equal(load_restorer(last, store).get_weights()[0], kept.watched_weights[0])


def test_the_start_of_the_thesis_leaves_the_filter_at_zero(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    spec = replace(NATIVE, start="thesis", learning_rate=1e-9, epochs=1, ema=None)
    _ran(spec, small_pack, store)
    assert np.abs(_filter(load_restorer(spec, store))).max() < 1e-5


def test_a_native_trial_of_another_size_says_its_own_numbers(small_pack: PackedDataset, tmp_path: Path) -> None:
    record = _ran(replace(NATIVE, width=4, epochs=1), small_pack, LocalStore(tmp_path))
    assert record.parameters == 3600 + (9 * 12 * 4 + 4) + 2 * (9 * 4 * 4 + 4) + (9 * 4 * 12 + 12)
    assert record.macs_per_pixel == (3600 + 9 * 12 * 4 + 2 * 9 * 4 * 4 + 9 * 4 * 12) // 4


def test_a_paused_native_trial_goes_on_to_the_same_end(small_pack: PackedDataset, tmp_path: Path) -> None:
    whole = _ran(NATIVE, small_pack, LocalStore(tmp_path / "whole"))
    parts = LocalStore(tmp_path / "parts")
    assert run_trial(NATIVE, small_pack, parts, lambda progress: Verdict.PAUSE, SETUP) is None
    resumed = _ran(NATIVE, small_pack, parts)
    assert [row["loss"] for row in resumed.curve] == [row["loss"] for row in whole.curve]
    assert resumed.margin == whole.margin


def test_a_native_trial_that_is_told_tables_is_trained_and_scored(small_pack: PackedDataset, tmp_path: Path) -> None:
    record = _ran(replace(NATIVE, told_tables=True, epochs=1), small_pack, LocalStore(tmp_path))
    assert record.psnr_gain_db is not None


def test_a_cosine_is_not_ended_by_patience(small_pack: PackedDataset, tmp_path: Path) -> None:
    record = _ran(replace(NATIVE, patience=1, epochs=4, learning_rate=1e-9, ema=None), small_pack, LocalStore(tmp_path))
    assert record.epochs_run == 4


def test_the_images_of_an_epoch_and_their_order_in_it_are_drawn_apart(small_pack: PackedDataset) -> None:
    images = small_pack.images_of("tiny", "train")
    alike = 0
    for epoch in range(1, 41):
        shown = epoch_images(replace(NATIVE, epoch_images=len(images)), small_pack, epoch)
        order = np.random.default_rng((NATIVE.seed, epoch)).permutation(images)  # as batches are put in order
        alike += int(np.sum(shown == order))
    assert alike < 2 * 40  # one place in an epoch by chance, all of them where both draw from one state


@pytest.mark.parametrize(("n_images", "n_parts"), [(0, 0), (16, 1), (32, 2), (PART_READINGS, 11), (600, 28)])
def test_parts_hold_each_image_at_each_quality_once_and_are_no_larger_than_said(n_images: int, n_parts: int) -> None:
    images = list(range(5, 5 + n_images))
    parts = list(parts_of("test", QUALITIES, images))
    readings = [(image, quality) for part in parts for quality in part.qualities for image in part.images]
    assert sorted(readings) == [(image, quality) for image in images for quality in sorted(QUALITIES)]
    assert all(len(part.images) * len(part.qualities) <= PART_READINGS for part in parts)
    assert len(parts) == n_parts
