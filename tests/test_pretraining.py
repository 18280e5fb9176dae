"""Networks pretrained on files of several encoders: on each a part, and what begins with their weights."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from datasets.packed import PackedDataset
from models.training import TrainingState
from search.engine import encoder_stage
from search.engine.encoder_stage import EncoderStage
from search.engine.pretraining import pretraining_specs, with_pretrained
from search.records import TrialRecord, append_record, failed_record
from search.space.scale import SCALES, Protocol, TrialSetup
from search.space.space import Space
from search.space.spaces import SPACES
from search.space.spec import TrialSpec, TrialStatus
from search.space.values import resolve
from search.trial import trial
from search.trial.reporting import Progress, Verdict
from search.trial.store import STATE, LocalStore
from search.trial.trial import run_trial

SETUP = TrialSetup(Protocol(n_monitored=2, monitor_px=64, n_scored=1, crop_px=48))
ENCODERS = ("jpeg-c0.6", "jpeg")
SHARED = TrialSpec(
    "native1k",
    epochs=1,
    epoch_images=16,
    crop_px=32,
    batch_size=4,
    start="near_identity",
    crop="chroma-grid",
    training_quality="20-80",
    told_tables=True,
    encoder="jpeg-c0.6",
    encoders="jpeg-c0.6+jpeg",
)
SPACE = SPACES["encoder"]


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    yield
    keras.utils.clear_session()


def _go_on(progress: Progress) -> Verdict:
    return Verdict.GO_ON


def _ran(spec: TrialSpec, pack: PackedDataset, store: LocalStore) -> TrialRecord:
    record = run_trial(spec, pack, store, _go_on, SETUP)
    assert record is not None
    return record


def _state(store: LocalStore, spec: TrialSpec) -> TrainingState:
    kept = store.load(spec.trial_id)
    assert kept is not None
    return TrainingState.from_bytes(kept)


def test_a_trial_begins_with_the_weights_of_the_one_that_was_pretrained(
    small_pack: PackedDataset, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    assert _ran(SHARED, small_pack, store).status is TrialStatus.COMPLETED
    tuned = replace(SHARED, encoders=None, encoder="jpeg", pretrained=SHARED.trial_id, learning_rate=1e-9)
    record = _ran(tuned, small_pack, store)
    assert (record.status, record.epochs_run) == (TrialStatus.COMPLETED, 1)
    begun, ended = _state(store, SHARED).best_weights, _state(store, tuned).weights
    assert all(np.allclose(one, other, atol=1e-6) for one, other in zip(begun, ended, strict=True))
    afresh = replace(tuned, pretrained=None)
    _ran(afresh, small_pack, store)
    others = _state(store, afresh).weights
    assert not all(np.allclose(one, other, atol=1e-6) for one, other in zip(begun, others, strict=True))


def test_without_these_weights_it_fails_and_is_tried_again_on_resume(small_pack: PackedDataset, tmp_path: Path) -> None:
    tuned = replace(SHARED, encoders=None, pretrained=SHARED.trial_id)
    record = _ran(tuned, small_pack, LocalStore(tmp_path))
    assert (record.status, record.is_outside) == (TrialStatus.FAILED, True)
    assert f"{SHARED.trial_id}, which this one begins with, is missing" in str(record.error)


def test_weights_that_are_damaged_are_told_and_tried_again_on_resume(small_pack: PackedDataset, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.save(SHARED.trial_id, 1, {STATE: b"no state"})
    record = _ran(replace(SHARED, encoders=None, pretrained=SHARED.trial_id), small_pack, store)
    assert (record.status, record.is_outside) == (TrialStatus.FAILED, True)
    assert f"of {SHARED.trial_id}: " in str(record.error)


def test_every_image_of_an_epoch_is_of_one_encoder_and_each_has_as_many(
    small_pack: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[int]]] = []
    whole = trial.training_batches

    def heard(pack: PackedDataset, images: Any, *others: Any) -> Any:
        assert pack.family is not None
        asked.append((pack.family.name, images.tolist()))
        return whole(pack, images, *others)

    monkeypatch.setattr(trial, "training_batches", heard)
    _ran(SHARED, small_pack, LocalStore(tmp_path))
    (first, images), (second, others) = asked[:2]
    assert (first, second) == ENCODERS
    assert len(images) == len(others) == 8


def test_what_is_watched_on_none_of_its_encoders_is_refused() -> None:
    with pytest.raises(ValueError, match=r"encoder must be one of the encoders jpeg-c0\.6"):
        replace(SHARED, encoder="webp")


def _make_spec(space: Space, parameters: dict[str, Any]) -> TrialSpec:
    fixed = {**SCALES["small"].fields, "epochs": 20, **space.fields}
    return TrialSpec(**{**resolve(fixed, parameters), **parameters})


def _task(space: Space) -> Any:
    return SimpleNamespace(
        space=space,
        first_parameters=space.first_parameters(),
        make_spec=lambda parameters: _make_spec(space, parameters),
    )


NARROWED = replace(SPACE, axes={**SPACE.axes, "encoder": ENCODERS}, fields={"ssim_weight": 2.0}, screens=None)


def test_each_network_is_pretrained_once_and_fine_tuned_for_half_as_long() -> None:
    specs = pretraining_specs(_task(NARROWED), ENCODERS)
    assert set(specs) == set(SPACE.axes["architecture"])
    assert {(spec.encoder, spec.encoders, spec.epochs) for spec in specs.values()} == {
        ("jpeg-c0.6", "jpeg-c0.6+jpeg", 20)
    }
    space = with_pretrained(NARROWED, {"native11k": specs["native11k"].trial_id}, 20)
    for first in space.first_parameters():
        spec = _make_spec(space, first)
        is_tuned = spec.architecture == "native11k"
        assert spec.epochs == (10 if is_tuned else 20)
        assert spec.pretrained == (specs["native11k"].trial_id if is_tuned else None)


def test_what_was_pretrained_is_not_again_and_what_failed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = pretraining_specs(_task(NARROWED), ENCODERS)
    before, good, bad = (specs[name] for name in ("native11k", "native10k", "native1k"))
    done = TrialRecord(before, TrialStatus.COMPLETED, 20, 0.0, 1.0, -1.0, 9.0, bytes_at_parity=0.7)
    append_record(tmp_path, done)
    asked: list[str] = []

    def pretrain(workers: Any, left: Sequence[TrialSpec], *others: Any) -> list[TrialRecord]:
        asked.extend(spec.architecture for spec in left)
        return [replace(done, spec=good), failed_record(bad, "", "OSError: gone", is_outside=True)]

    monkeypatch.setattr(encoder_stage, "pretrain", pretrain)
    monkeypatch.setattr(encoder_stage, "replace", lambda task, space: SimpleNamespace(space=space))
    said: list[str] = []
    written: list[TrialRecord] = []
    writer = SimpleNamespace(write_record=written.append)
    stage = EncoderStage(tmp_path, None, None, None, writer, lambda: None, said.append)  # type: ignore[arg-type]
    task = _task(NARROWED)
    task.machine, task.epochs = None, 20
    space = stage._pretrain(task, ENCODERS).space
    assert sorted(asked) == ["native10k", "native1k"]
    assert [record.spec for record in written] == [good, bad]
    assert space.fields["pretrained"].cases == {"native11k": before.trial_id, "native10k": good.trial_id}
    assert "to be fine-tuned on each" in said[0]
