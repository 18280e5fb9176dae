"""A trial, where datasets and models meet: train a spec on a pack, watch it, score it, and return its record.

It knows only a store and a report: the same trial runs under Ray, in a plain loop and in a test.
"""

import gc
import math
import time
from collections.abc import Iterator
from itertools import zip_longest

import keras
import numpy as np
from numpy.typing import NDArray

from datasets.batches import Batch, BatchSettings, training_batches, validation_batches
from datasets.errors import InputError
from datasets.packed import PackedDataset
from models.backend import is_out_of_memory
from models.losses import LossOptions, make_loss
from models.sizes import rate_factor
from models.training import Row, TrainingPlan, TrainingState, has_plateaued, train
from search.records import TrialRecord, failed_record, had_its_chance
from search.scoring.score_files import scores_to_bytes
from search.scoring.scores import sample_pictures, score_images, what_to_score
from search.space.scale import Protocol, TrialSetup
from search.space.spec import TrialSpec, TrialStatus
from search.trial.monitor import Monitor, read_monitor
from search.trial.record import record_of, timed
from search.trial.reporting import Progress, Report, Verdict
from search.trial.restorers import build_of, build_to_train, closed_form_state, load_state, scored_model
from search.trial.store import SAMPLES, SCORES, STATE, Store, StoreError, curve_of

DIVERGED_DB = -10.0
DEAD_LEVELS = 1  # of 8 bits: what a dead trial changes at most
FINE_TUNING_RATE = 0.5  # of the learning rate of a network that begins from the start
N_NORMALISED = 8  # training batches over which the statistics of batch normalisation are taken anew
EPOCH_STREAM = 1  # apart from the random numbers of batches, which have seeds of one number less


def run_trial(
    spec: TrialSpec, pack: PackedDataset, store: Store, report: Report, setup: TrialSetup
) -> TrialRecord | None:
    """Train, score and return the record; None when the report answered PAUSE. Goes on from the store's state.

    The state is safe in the store before each report, scores and samples before the record is returned. A trial that
    runs out of memory goes on once with batches of half the size, which its curve tells. An error ends the trial, not
    the search: it becomes the text of a failed record, which is tried again on --resume where a file, a disk or the
    network was at fault; but where the store fails, the trial pauses.
    """
    try:
        return _run(spec, pack.written_by(spec.family), store, report, setup)
    except StoreError:
        return None
    except Exception as error:  # the trial boundary
        reason, is_outside = f"{type(error).__name__}: {error}", isinstance(error, (OSError, InputError))
        return failed_record(spec, pack.fingerprint, reason, kept_curve(spec, store), is_outside=is_outside)


def score_paused(spec: TrialSpec, pack: PackedDataset, store: Store, setup: TrialSetup) -> TrialRecord:
    """Score a trial that has not ended as its state is, and return its record; its training can go on later.

    One that cannot be scored, such as for want of memory, is a failed record that is tried again on --resume.
    """
    keras.utils.clear_session()
    try:
        written = pack.written_by(spec.family)
        monitor = read_monitor(written, spec.split, setup.protocol)
        return _finish(spec, written, monitor, load_state(spec, store), TrialStatus.PAUSED, store, setup)
    except StoreError:
        raise
    except Exception as error:  # the trial boundary
        reason = f"{type(error).__name__}: {error}"
        return failed_record(spec, pack.fingerprint, reason, kept_curve(spec, store), is_outside=True)


def kept_curve(spec: TrialSpec, store: Store) -> tuple[Row, ...]:
    """Return the curve of the epochs that a trial has in the store; empty where it has none that can be read."""
    try:
        return curve_of(store.load(spec.trial_id) or b"")
    except OSError:
        return ()


def epoch_images(spec: TrialSpec, pack: PackedDataset, epoch: int) -> NDArray[np.int64]:
    """Return the training images of an epoch: all, or epoch_images of them, each as often as another, or once more."""
    images = pack.images_of(spec.split, "train")
    if spec.epoch_images is None:
        return images
    rng = np.random.default_rng((spec.seed, epoch, 0, EPOCH_STREAM))
    rounds = -(-spec.epoch_images // len(images))
    return np.concatenate([rng.permutation(images) for _ in range(rounds)])[: spec.epoch_images]


def n_steps_per_epoch(spec: TrialSpec, pack: PackedDataset, batch_size: int | None = None) -> int:
    """Return how many batches an epoch has, of the spec's size unless another is given; the last may be smaller."""
    n_images = spec.epoch_images or len(pack.images_of(spec.split, "train"))
    return -(-n_images // (batch_size or spec.batch_size))


def _run(spec: TrialSpec, pack: PackedDataset, store: Store, report: Report, setup: TrialSetup) -> TrialRecord | None:
    keras.utils.clear_session()
    keras.utils.set_random_seed(spec.seed)
    monitor = read_monitor(pack, spec.split, setup.protocol)
    status: TrialStatus | None = TrialStatus.COMPLETED
    if not spec.is_trained:
        state = closed_form_state(spec, pack, store)
    else:
        state = load_state(spec, store)
        status = _ended(spec, state) if state else None
        if not status:
            state, status = _train(spec, pack, monitor, store, report, setup)
    return None if status is None else _finish(spec, pack, monitor, state, status, store, setup)


def _finish(
    spec: TrialSpec,
    pack: PackedDataset,
    monitor: Monitor,
    state: TrainingState | None,
    status: TrialStatus,
    store: Store,
    setup: TrialSetup,
) -> TrialRecord:
    model = scored_model(spec, state)
    record = record_of(spec, pack, monitor, model, state, status)
    if status is TrialStatus.DIVERGED:
        return record
    _score(record, pack, model, store, setup.protocol)
    return timed(record, pack, model, setup.protocol)


def _train(
    spec: TrialSpec, pack: PackedDataset, monitor: Monitor, store: Store, report: Report, setup: TrialSetup
) -> tuple[TrainingState, TrialStatus | None]:
    """Train from the store's state until the trial ends, with half the batch size from where memory ran out."""
    state = load_state(spec, store)
    batch_size = int(state.curve[-1].get("batch_size") or spec.batch_size) if state else spec.batch_size
    try:
        return _follow(spec, _training(spec, pack, monitor, store, setup, state, batch_size), store, report)
    except Exception as error:
        if not is_out_of_memory(error) or batch_size < max(2, spec.batch_size):
            raise
    keras.utils.clear_session()  # out here, where the error no longer holds what filled the memory
    gc.collect()
    state = load_state(spec, store)
    return _follow(spec, _training(spec, pack, monitor, store, setup, state, batch_size // 2), store, report)


def _training(
    spec: TrialSpec,
    pack: PackedDataset,
    monitor: Monitor,
    store: Store,
    setup: TrialSetup,
    state: TrainingState | None,
    batch_size: int,
) -> Iterator[TrainingState]:
    """Train epoch by epoch, from the state where there is one."""
    model = build_of(spec) if state else build_to_train(spec, pack, store)
    n_steps = n_steps_per_epoch(spec, pack, batch_size)
    settings = BatchSettings(
        quality=spec.training_quality,
        batch_size=batch_size,
        crop_px=spec.crop_px,
        crop=spec.crop,
        augmentation=spec.augmentation,
        seed=spec.seed,
        tables=spec.size is not None and spec.size.told_tables,
    )
    plan = TrainingPlan(
        loss=make_loss(spec.loss, LossOptions(setup.vgg16_weights, spec.ssim_weight)),
        epochs=spec.epochs,
        n_steps=n_steps,
        learning_rate=spec.learning_rate * rate_factor(spec.size) * (FINE_TUNING_RATE if spec.pretrained else 1),
        schedule=spec.schedule,
        clip_norm=spec.clip_norm,
        patience=spec.patience,
        xla=spec.xla,
        warm_up=spec.warm_up,
        ema=spec.ema,
        n_normalised=N_NORMALISED if spec.normalisation == "re-estimated" else 0,
    )
    clock = time.monotonic()
    validation_files: dict[int, bytes] = {}

    def batches(epoch: int) -> Iterator[Batch]:
        images, n = epoch_images(spec, pack, epoch), len(spec.families)
        parts = [
            training_batches(pack.written_by(family), images[place::n], settings, epoch, max(1, setup.n_threads // n))
            for place, family in enumerate(spec.families)
        ]
        return (batch for together in zip_longest(*parts) for batch in together if batch is not None)

    def validation() -> Iterator[Batch]:
        return validation_batches(
            pack, pack.images_of(spec.split, "validation"), settings, setup.n_threads, validation_files
        )

    def watch(model: keras.Model) -> tuple[float, Row]:
        nonlocal clock
        reading = monitor.read(model)
        seconds, clock = time.monotonic() - clock, time.monotonic()
        row = {**vars(reading), "steps": n_steps, "batch_size": batch_size, "seconds": seconds}
        share = reading.bytes_at_parity
        return (-math.inf if share is None else -share), row

    return train(model, plan, batches, watch, state, validation)


def _follow(
    spec: TrialSpec, states: Iterator[TrainingState], store: Store, report: Report
) -> tuple[TrainingState, TrialStatus | None]:
    """Keep and report each state until the trial ends: the last state, and how it ended (None: paused)."""
    for state in states:
        store.save(spec.trial_id, state.epoch, {STATE: state.to_bytes()})
        status = _ended(spec, state)
        verdict = report(_progress(spec, state))
        if status is None and verdict is Verdict.STOP:
            status = TrialStatus.STOPPED
        if status or verdict is Verdict.PAUSE:
            return state, status
    raise AssertionError("training ends at its last epoch")


def _ended(spec: TrialSpec, state: TrainingState) -> TrialStatus | None:
    """Say whether a trial is over after this epoch, and how; None while it goes on."""
    last = state.curve[-1]
    gain_db, change = last["psnr_gain_db"], last["largest_change"]
    judged = had_its_chance(state.curve)
    if last["loss"] is None or last["margin"] is None or (judged and gain_db and gain_db < DIVERGED_DB):
        return TrialStatus.DIVERGED
    if judged and change is not None and change <= DEAD_LEVELS:
        return TrialStatus.DEAD
    return (
        TrialStatus.COMPLETED
        if state.epoch == spec.epochs or has_plateaued(spec.patience, spec.schedule, state)
        else None
    )


def _score(record: TrialRecord, pack: PackedDataset, model: keras.Model, store: Store, protocol: Protocol) -> None:
    """Score what is to be scored; of a trial that did not train to its end the protocol's n_stopped images suffice."""
    spec, rows = record.spec, []
    if spec.is_trained and record.status is not TrialStatus.COMPLETED:
        protocol = protocol.for_stopped()
    for subset, qualities, images in what_to_score(spec, pack, protocol):
        rows += [{"split": subset, **row} for row in score_images(model, pack, images, qualities, protocol)]
    pictures = sample_pictures(model, pack, [row["image"] for row in rows], protocol.scored_qualities)
    store.save(spec.trial_id, spec.epochs, {SCORES: scores_to_bytes(rows), SAMPLES: pictures})


def _progress(spec: TrialSpec, state: TrainingState) -> Progress:
    last = state.curve[-1]
    return Progress(
        epoch=state.epoch,
        epochs=spec.epochs,
        loss=last["loss"],
        bytes_at_parity=last.get("bytes_at_parity"),
        best_bytes_at_parity=-state.best_value if state.best_epoch else None,
        margin=last["margin"],
        psnr_gain_db=last["psnr_gain_db"],
        seconds=last["seconds"] or 0.0,
    )
