"""The course of training: warm-up and schedules by hand, averages of weights, statistics taken anew, and going on."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.backend import prepare_backend
from models.build import build_model
from models.losses import mse
from models.training import (
    SCHEDULES,
    WEIGHT_KINDS,
    Batch,
    CourseOfRate,
    TrainingPlan,
    TrainingState,
    compile_model,
    has_plateaued,
    set_weights,
    train,
    train_epoch,
)

SIDE_PX, N_STEPS, EPOCHS = 16, 3, 4


@pytest.fixture(scope="module", autouse=True)
def _backend() -> None:
    prepare_backend(n_threads=1)


def _pairs(seed: int, n_images: int = 2) -> Batch:
    rng = np.random.default_rng(seed)
    original = rng.random((n_images, SIDE_PX, SIDE_PX, 3), np.float32)
    return (original + rng.normal(0, 0.05, original.shape)).astype(np.float32), original


def _batches(epoch: int) -> Iterator[Batch]:
    return (_pairs(100 * epoch + place) for place in range(N_STEPS))


def _plan(**fields: object) -> TrainingPlan:
    return TrainingPlan(**{"loss": mse, "epochs": EPOCHS, "n_steps": N_STEPS, **fields})  # type: ignore[arg-type]


def _small() -> keras.Model:
    """A restorer of one convolution."""
    keras.utils.set_random_seed(0)
    degraded = keras.Input((SIDE_PX, SIDE_PX, 3))
    return keras.Model(degraded, keras.layers.Conv2D(3, 1)(degraded))


def _normalised() -> keras.Model:
    """A restorer of two convolutions, normalised in between."""
    keras.utils.set_random_seed(0)
    degraded = keras.Input((SIDE_PX, SIDE_PX, 3))
    features = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(degraded))
    residual = keras.layers.Conv2D(3, 3, padding="same")(keras.layers.Activation("relu")(features))
    return keras.Model(degraded, keras.layers.Add()([degraded, residual]))


def _denseunet() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model("denseunet", start="near_identity")


def _steady(model: keras.Model) -> tuple[float, dict[str, float | None]]:
    return 0.0, {}


def _values(model: keras.Model) -> list[NDArray[np.float32]]:
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in model.weights]


# --- the learning rate ---


def _rates(course: CourseOfRate, steps: range) -> list[float]:
    return [float(course(keras.ops.convert_to_tensor(step, "int32"))) for step in steps]


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine_by_hand() -> None:
    course = CourseOfRate(0.01, "cosine", warm_up=0.25, epochs=4, n_steps=5)  # 20 steps, of which 5 rise
    rising = [0.01 * step / 5 for step in range(5)]
    falling = [0.005 * (1 + math.cos(math.pi * (step - 5) / 15)) for step in range(5, 21)]
    assert _rates(course, range(21)) == pytest.approx([*rising, *falling], abs=1e-8)
    assert falling[-1] == 0


def test_a_constant_rate_rises_and_stays() -> None:
    course = CourseOfRate(0.01, "constant", warm_up=0.5, epochs=2, n_steps=4)
    assert _rates(course, range(9)) == pytest.approx([0.01 * min(step / 4, 1) for step in range(9)])
    assert _rates(CourseOfRate(0.01, "constant", 0.0, 2, 4), range(9)) == pytest.approx([0.01] * 9)


def test_past_the_last_step_the_rate_does_not_rise_again() -> None:
    assert _rates(CourseOfRate(0.01, "cosine", 0.0, 1, 4), range(4, 8)) == pytest.approx([0] * 4, abs=1e-9)


def test_after_a_halved_batch_the_rate_goes_on_where_it_was_and_ends_at_zero() -> None:
    whole = CourseOfRate(0.01, "cosine", warm_up=0.1, epochs=4, n_steps=10)
    halved = CourseOfRate(0.01, "cosine", warm_up=0.1, epochs=4, n_steps=20)  # steps an epoch double after two
    halved.go_on_from(epochs_behind=2, steps_behind=20)
    assert _rates(halved, range(20, 61, 2)) == pytest.approx(_rates(whole, range(20, 41)), abs=1e-8)
    (middle,) = _rates(halved, range(20, 21))
    assert middle == pytest.approx(0.005 * (1 + math.cos(math.pi * (0.5 - 0.1) / 0.9)), abs=1e-8)
    assert _rates(halved, range(60, 61)) == pytest.approx([0], abs=1e-8)


def test_training_goes_on_with_more_steps_an_epoch_at_the_rate_that_it_had() -> None:
    plan = _plan(schedule="cosine", warm_up=0.2, learning_rate=0.01)
    seen: dict[str, list[float]] = {}
    for name, n_steps in (("whole", N_STEPS), ("halved", 2 * N_STEPS)):
        model = _small()
        states = train(model, plan, _batches, _steady)
        next(states)
        kept = next(states)
        other = _small()
        later = train(
            other, replace(plan, n_steps=n_steps), lambda epoch: (*_batches(epoch), *_batches(epoch)), _steady, kept
        )
        seen[name] = [float(other.optimizer.learning_rate) for _ in later]
    assert len(seen["whole"]) == 2
    assert seen["halved"] == pytest.approx(seen["whole"], abs=1e-8)


def test_training_takes_the_rates_of_its_course() -> None:
    model = _small()
    plan = _plan(schedule="cosine", warm_up=0.5, learning_rate=0.01)
    rates = [float(model.optimizer.learning_rate) for _ in train(model, plan, _batches, _steady)]
    expected = [0.01 * share for share in (0.5, 1, (1 + math.cos(math.pi / 2)) / 2, 0)]
    assert rates == pytest.approx(expected, abs=1e-8)


def test_an_unknown_schedule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown schedule 'step'; known: constant, cosine"):
        _plan(schedule="step")


# --- patience ---


@pytest.mark.parametrize(("schedule", "ends"), [("constant", True), ("cosine", False)])
def test_patience_ends_constant_rates_alone(schedule: str, ends: bool) -> None:
    state = TrainingState(5, (), (), (), wait=9)
    assert has_plateaued(3, schedule, state) == ends
    assert not has_plateaued(None, schedule, state)
    assert not has_plateaued(10, schedule, state)


@pytest.mark.parametrize(("schedule", "n_epochs"), [("constant", 3), ("cosine", 6)])
def test_a_trial_with_a_cosine_anneals_to_its_end_whatever_its_patience(schedule: str, n_epochs: int) -> None:
    plan = _plan(epochs=6, schedule=schedule, patience=2, learning_rate=1e-12)
    states = list(train(_small(), plan, _batches, _steady, validation=lambda: iter([_pairs(1)])))
    assert len(states) == n_epochs


# --- averages of weights ---


def test_averaged_weights_are_those_reckoned_by_hand_step_by_step() -> None:
    model = _small()
    compile_model(model, _plan(epochs=1, n_steps=1, ema=0.4, learning_rate=0.05))
    train_epoch(model, [_pairs(0)], 1)
    average = [values.astype(float) for values in _averages(model)]
    for step in range(1, 8):
        train_epoch(model, [_pairs(step)], 1)
        kept = min(0.4, (1 + step) / (10 + step))  # from step 5 on 0.4
        average = [kept * mean + (1 - kept) * weight for mean, weight in zip(average, _values(model), strict=True)]
        for by_hand, found in zip(average, _averages(model), strict=True):
            np.testing.assert_allclose(found, by_hand, atol=1e-6)
    assert any(np.any(np.abs(mean - weight) > 1e-3) for mean, weight in zip(average, _values(model), strict=True))


def test_the_average_of_weights_that_stay_is_these_weights_from_the_first_step_on() -> None:
    model = _small()
    compile_model(model, _plan(ema=0.9, learning_rate=1e-12))
    for step in range(3):
        train_epoch(model, [_pairs(step)], 1)
        for weight, average in zip(_values(model), _averages(model), strict=True):
            np.testing.assert_allclose(average, weight, atol=1e-6)


def _averages(model: keras.Model) -> list[NDArray[np.float32]]:
    return [np.array(keras.ops.convert_to_numpy(v)) for v in model.optimizer._model_variables_moving_average]


def test_what_is_watched_is_the_average_and_training_goes_on_with_the_weights_themselves() -> None:
    watched: list[list[NDArray[np.float32]]] = []

    def watch(model: keras.Model) -> tuple[float, Mapping[str, float | None]]:
        watched.append(_values(model))
        return float(len(watched)), {}

    averaged = list(train(_small(), _plan(ema=0.9, learning_rate=0.05), _batches, watch))
    plain = list(train(_small(), _plan(learning_rate=0.05), _batches, _steady))
    for with_average, without, seen in zip(averaged, plain, watched, strict=True):
        for one, other in zip(with_average.weights, without.weights, strict=True):
            np.testing.assert_array_equal(one, other)  # averaging leaves training as it is
        for one, other, weight in zip(with_average.watched_weights, seen, with_average.weights, strict=True):
            np.testing.assert_array_equal(one, other)
            assert np.any(one != weight)
    for one, other in zip(averaged[-1].best_weights, watched[-1], strict=True):
        np.testing.assert_array_equal(one, other)


# --- statistics of batch normalisation ---


def _mse_of(model: keras.Model, training: bool) -> float:
    degraded, original = _pairs(7, n_images=8)
    restored = keras.ops.convert_to_numpy(model(degraded, training=training))
    return float(np.square(restored - original).mean())


def _read(n_normalised: int) -> tuple[float, float]:
    """Return the error of an early network with the statistics it is watched with, and with those of the batch."""
    seen: list[float] = []

    def watch(model: keras.Model) -> tuple[float, Mapping[str, float | None]]:
        seen.append(_mse_of(model, training=False))
        return 0.0, {}

    model = _denseunet()
    plan = _plan(epochs=1, n_normalised=n_normalised, learning_rate=3e-3)
    next(train(model, plan, lambda epoch: (_pairs(place, n_images=8) for place in range(N_STEPS)), watch))
    return seen[0], _mse_of(model, training=True)


def test_statistics_taken_anew_make_an_early_denseunet_read_as_with_the_statistics_of_a_batch() -> None:
    moving, by_batch = _read(0)
    anew, _ = _read(N_STEPS)
    assert abs(anew - by_batch) < 0.25 * abs(moving - by_batch)


def test_statistics_taken_anew_are_the_means_over_the_batches() -> None:
    keras.utils.set_random_seed(0)
    degraded = keras.Input((SIDE_PX, SIDE_PX, 3))
    model = keras.Model(degraded, keras.layers.BatchNormalization(trainable=True)(degraded))
    batches = [_pairs(place, n_images=3) for place in range(N_STEPS)]
    state = next(train(model, _plan(n_normalised=2, learning_rate=1e-12), lambda epoch: batches, _steady))
    watched = dict(zip((weight.name for weight in model.weights), state.watched_weights, strict=True))
    means = [pixels.mean(axis=(0, 1, 2)) for pixels, _ in batches[:2]]
    variances = [pixels.var(axis=(0, 1, 2)) for pixels, _ in batches[:2]]
    np.testing.assert_allclose(watched["moving_mean"], np.mean(means, axis=0), atol=1e-4)
    np.testing.assert_allclose(watched["moving_variance"], np.mean(variances, axis=0), atol=1e-4)
    assert all(layer.momentum == 0.99 for layer in model.layers[1:])


def test_statistics_that_move_are_those_that_training_left() -> None:
    state = next(train(_normalised(), _plan(), _batches, _steady))
    for one, other in zip(state.watched_weights, state.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_taking_statistics_anew_does_not_change_how_training_goes_on() -> None:
    plain, anew = (list(train(_normalised(), _plan(epochs=2, n_normalised=n), _batches, _steady)) for n in (0, 2))
    for one, other in zip(plain[-1].weights, anew[-1].weights, strict=True):
        np.testing.assert_array_equal(one, other)


# --- going on ---


@pytest.mark.parametrize("make", [_small, _normalised])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_training_resumed_ends_to_the_last_digit_as_training_without_a_stop(
    make: Callable[[], keras.Model], schedule: str
) -> None:
    plan = _plan(epochs=3, schedule=schedule, warm_up=0.2, ema=0.9, n_normalised=2, clip_norm=1.0, learning_rate=3e-3)

    def watch(model: keras.Model) -> tuple[float, Mapping[str, float | None]]:
        return -_mse_of(model, training=False), {"seen": _mse_of(model, training=False)}

    whole = list(train(make(), plan, _batches, watch))
    kept = TrainingState.from_bytes(whole[0].to_bytes())
    fresh = make()
    set_weights(fresh, tuple(weight + np.ones_like(weight) for weight in _values(fresh)))
    *_, resumed = train(fresh, plan, _batches, watch, kept)
    for kind in WEIGHT_KINDS:
        for one, other in zip(getattr(whole[-1], kind), getattr(resumed, kind), strict=True):
            np.testing.assert_array_equal(one, other)
    assert resumed.curve == whole[-1].curve
    assert (resumed.best_epoch, resumed.best_value) == (whole[-1].best_epoch, whole[-1].best_value)
