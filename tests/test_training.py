"""The training loop: repeatable, resumable to the bit, honest about its loss, and stored so that damage shows."""

import gc
import io
import math
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models.architectures.resnet import resnet
from models.backend import device_name, fittable, prepare_backend
from models.blur import Tensor
from models.build import build_model, build_restorer
from models.losses import Loss, hf, mae, mse, perceptual, vgg16_features
from models.training import (
    CHECK_STEPS,
    STATE_FACTS,
    WEIGHT_KINDS,
    Batch,
    Row,
    TrainingPlan,
    TrainingState,
    Weights,
    compile_model,
    has_plateaued,
    set_weights,
    train,
    train_epoch,
    validation_loss,
)

CROP_PX, N_BATCHES, EPOCHS = 16, 3, 4
SMALL_RESNET = partial(resnet, width=4, n_blocks=1)
SCHEDULES = ("constant", "cosine")
PIXEL_LOSSES = (mae, mse, hf)


@pytest.fixture(scope="module", autouse=True)
def _backend() -> None:
    prepare_backend(n_threads=1)


def _pairs(seed: int, n_images: int = 4) -> Batch:
    """Return smooth images and the same ones coarsened in blocks of 2 x 2: something to learn."""
    rng = np.random.default_rng(seed)
    row, column = np.ogrid[:CROP_PX, :CROP_PX]
    waves = rng.uniform(0.1, 0.6, (n_images, 2, 1, 1)) * np.stack([row + 0 * column, column + 0 * row])
    plane = 0.5 + 0.4 * np.sin(waves.sum(axis=1) + rng.uniform(0, 6, (n_images, 1, 1)))
    original = np.repeat(plane[..., None], 3, axis=-1).astype(np.float32)
    blocks = original.reshape(n_images, CROP_PX // 2, 2, CROP_PX // 2, 2, 3).mean(axis=(2, 4))
    return blocks.repeat(2, axis=1).repeat(2, axis=2), original


def _batches(epoch: int) -> Iterator[Batch]:
    return (_pairs(100 * epoch + place) for place in range(N_BATCHES))


def _plan(**fields: object) -> TrainingPlan:
    return TrainingPlan(**{"loss": mse, "epochs": EPOCHS, "n_steps": N_BATCHES, **fields})  # type: ignore[arg-type]


def _model(seed: int = 0) -> keras.Model:
    """Return a residual network so small that it is compiled in a moment."""
    keras.utils.set_random_seed(seed)
    return build_restorer(SMALL_RESNET)


def _watch(*values: float) -> Callable[[keras.Model], tuple[float, Row]]:
    """Return a watch that says these values, one an epoch, whatever the model."""
    left = iter(values)
    return lambda model: (next(left), {"seen": 1})


def _steady(model: keras.Model) -> tuple[float, Row]:
    return 0.0, {}


def _loss(loss: Loss, model: keras.Model, batch: Batch) -> NDArray[np.float32]:
    degraded, original = batch
    values: NDArray[np.float32] = keras.ops.convert_to_numpy(loss(original, model(degraded)))
    return values


def _assert_equal_weights(one: Weights, other: Weights) -> None:
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype


def _assert_equal_states(one: TrainingState, other: TrainingState) -> None:
    for weights in WEIGHT_KINDS:
        _assert_equal_weights(getattr(one, weights), getattr(other, weights))
    for fact in STATE_FACTS:
        assert getattr(one, fact) == getattr(other, fact)


@pytest.mark.parametrize(
    ("architecture", "loss"), [*(("resnet", loss) for loss in PIXEL_LOSSES), ("jjnet", PIXEL_LOSSES[0])]
)
def test_the_loss_goes_down_on_a_tiny_problem(architecture: str, loss: Loss) -> None:
    keras.utils.set_random_seed(0)
    model = build_model(architecture, start="near_identity")
    batch = _pairs(0)
    as_it_is = _loss(loss, model, batch).mean()
    *_, last = train(model, _plan(loss=loss, epochs=10), lambda epoch: [batch] * 3, _steady)
    assert _loss(loss, model, batch).mean() < 0.7 * as_it_is
    assert last.epoch == 10


def test_the_same_seed_twice_gives_the_same_weights_to_the_bit() -> None:
    first, again = (list(train(_model(), _plan(clip_norm=1.0), _batches, _watch(1, 2, 3, 4)))[-1] for _ in range(2))
    _assert_equal_states(first, again)


def test_other_batches_give_other_weights() -> None:
    first = next(train(_model(), _plan(), _batches, _steady))
    other = next(train(_model(), _plan(), lambda epoch: _batches(epoch + 1), _steady))
    assert any(np.any(one != two) for one, two in zip(first.weights, other.weights, strict=True))


@pytest.mark.parametrize(("schedule", "stop"), [("constant", 1), ("constant", 3), ("cosine", 3)])
def test_going_on_from_a_stored_state_ends_as_training_without_the_stop(schedule: str, stop: int) -> None:
    plan, values = _plan(schedule=schedule, clip_norm=0.1), (0.1, 0.4, 0.2, 0.3)
    states = list(train(_model(), plan, _batches, _watch(*values)))
    kept = TrainingState.from_bytes(states[stop - 1].to_bytes())
    _assert_equal_states(kept, states[stop - 1])
    *_, resumed = train(_model(seed=7), plan, _batches, _watch(*values[stop:]), kept)
    _assert_equal_states(resumed, states[-1])
    assert (resumed.epoch, resumed.best_epoch) == (EPOCHS, 2)


def test_a_finished_training_has_nothing_left_to_do() -> None:
    *_, last = train(_model(), _plan(epochs=1), _batches, _steady)
    assert list(train(_model(), _plan(epochs=1), _batches, _steady, last)) == []


def test_the_best_weights_are_kept_when_later_epochs_are_worse() -> None:
    states = list(train(_model(), _plan(), _batches, _watch(0.1, 0.5, 0.4, 0.5)))
    assert [state.best_epoch for state in states] == [1, 2, 2, 2]  # an equal value is not better
    assert [state.best_value for state in states] == [0.1, 0.5, 0.5, 0.5]
    _assert_equal_weights(states[-1].best_weights, states[1].weights)
    assert any(np.any(best != last) for best, last in zip(states[-1].best_weights, states[-1].weights, strict=True))


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_value_that_is_no_number_is_never_the_best(value: float) -> None:
    model = _model()
    start = tuple(np.array(weights) for weights in model.get_weights())
    state = next(train(model, _plan(), _batches, _watch(value)))
    assert (state.best_epoch, state.best_value) == (0, -math.inf)
    _assert_equal_weights(state.best_weights, start)


def test_the_weights_of_a_state_are_not_changed_by_training_on() -> None:
    states = train(_model(), _plan(), _batches, _steady)
    first = next(states)
    kept = tuple(weights.copy() for weights in first.weights)
    next(states)
    _assert_equal_weights(first.weights, kept)


def test_the_weights_of_a_state_make_the_model_that_was_trained() -> None:
    trained, fresh = _model(), _model(seed=5)
    state = next(train(trained, _plan(), _batches, _steady))
    set_weights(fresh, state.weights)
    images = _pairs(3)[0]
    np.testing.assert_array_equal(trained(images), fresh(images))


def test_weights_of_another_network_are_refused() -> None:
    state = next(train(_model(), _plan(), _batches, _steady))
    with pytest.raises(ValueError, match="must match"):
        set_weights(build_model("jjnet"), state.weights)


@pytest.mark.parametrize("loss", PIXEL_LOSSES)
def test_the_loss_of_an_epoch_is_the_mean_over_its_images_and_no_earlier_epochs(loss: Loss) -> None:
    model = _model()
    compile_model(model, _plan(loss=loss, learning_rate=0.0))  # the weights stay, so the loss can be reckoned
    for epoch in (1, 2):
        batches = [_pairs(10 * epoch), _pairs(10 * epoch + 1), _pairs(10 * epoch + 2, n_images=2)]
        by_hand = np.concatenate([_loss(loss, model, batch) for batch in batches]).mean()
        assert train_epoch(model, batches, 3) == pytest.approx(by_hand, rel=1e-5)


def test_the_curve_has_a_row_for_each_epoch_with_its_loss_and_what_was_seen() -> None:
    *_, last = train(_model(), _plan(epochs=2, learning_rate=0.0), _batches, _watch(0, 0))
    untrained = _model()
    by_hand = [np.mean([_loss(mse, untrained, batch) for batch in _batches(epoch)]) for epoch in (1, 2)]
    for row, epoch in zip(last.curve, (1, 2), strict=True):
        assert row == {"epoch": epoch, "loss": pytest.approx(by_hand[epoch - 1], rel=1e-5), "seen": 1}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_epoch_at_the_next_look(bad: float) -> None:
    n_drawn, n_steps = 0, 3 * CHECK_STEPS

    def batches(epoch: int) -> Iterator[Batch]:
        nonlocal n_drawn
        for place in range(n_steps):
            n_drawn += 1
            degraded, original = _pairs(place % 3, n_images=1)
            yield degraded, original + np.float32(bad if place == 1 else 0)

    state = next(train(_model(), _plan(n_steps=n_steps), batches, _steady))
    assert n_drawn < 2 * CHECK_STEPS  # looks come before and after, and some batches are drawn ahead
    assert state.curve[-1]["loss"] is None


def _first_moments(clip_norm: float | None) -> NDArray[np.float64]:
    """Return Adam's first moments after one step, a tenth of the gradient it was given, as one vector."""
    model = _model()
    compile_model(model, _plan(clip_norm=clip_norm))
    train_epoch(model, [_pairs(0)], 1)
    names = [variable.path for variable in model.optimizer.variables]
    moments = [np.ravel(v) for v, name in zip(model.optimizer.variables, names, strict=True) if "momentum" in name]
    return np.concatenate(moments).astype(np.float64)


def test_clip_norm_limits_the_norm_of_the_whole_gradient_and_keeps_its_direction() -> None:
    gradient = 10 * _first_moments(None)
    norm = float(np.linalg.norm(gradient))
    clipped = 10 * _first_moments(norm / 4)
    np.testing.assert_allclose(clipped, gradient / 4, atol=1e-4 * norm)
    assert np.linalg.norm(clipped) == pytest.approx(norm / 4, rel=1e-4)
    np.testing.assert_allclose(10 * _first_moments(2 * norm), gradient, atol=1e-6 * norm)


def test_the_cosine_schedule_takes_the_rate_to_zero_over_its_steps_and_constant_leaves_it() -> None:
    rates: dict[str, list[float]] = {}
    for schedule in SCHEDULES:
        model = _model()
        states = train(model, _plan(schedule=schedule, learning_rate=0.01), _batches, _steady)
        rates[schedule] = [float(model.optimizer.learning_rate) for _ in states]
    assert rates["constant"] == pytest.approx([0.01] * EPOCHS)
    half_turns = np.arange(1, EPOCHS + 1) / EPOCHS
    assert rates["cosine"] == pytest.approx(0.01 * (1 + np.cos(np.pi * half_turns)) / 2, abs=1e-8)


def _small_state() -> TrainingState:
    return TrainingState(
        epoch=2,
        weights=(np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(0, np.float32)),
        optimizer=(np.array(12),),
        best_weights=(np.full((2, 3), np.nan, np.float32), np.zeros(0, np.float32)),
        watched_weights=(np.full(3, 0.5, np.float32),),
        curve=({"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": None}),
    )


def test_a_state_written_and_read_is_the_same() -> None:
    _assert_equal_states(TrainingState.from_bytes(_small_state().to_bytes()), _small_state())
    *_, trained = train(_model(), _plan(epochs=2), _batches, _watch(0.5, 0.1))
    _assert_equal_states(TrainingState.from_bytes(trained.to_bytes()), trained)


def test_numpy_alone_reads_the_arrays_of_a_state() -> None:
    state = _small_state()
    with np.load(io.BytesIO(state.to_bytes())) as file:
        np.testing.assert_array_equal(file["weights_0000"], state.weights[0])
        assert len(file.files) == 1 + 2 + 1 + 2 + 1  # facts, weights, optimizer, best weights, watched weights


def test_a_state_with_any_byte_changed_is_refused() -> None:
    data = _small_state().to_bytes()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(ValueError, match=r"the training state is damaged \(.+\): delete it to train afresh"):
            TrainingState.from_bytes(bytes(damaged))


@pytest.mark.parametrize("n_bytes", [0, 1, 40, 500, -1])
def test_a_truncated_state_is_refused(n_bytes: int) -> None:
    with pytest.raises(ValueError, match=r"the training state is damaged \(.+\): delete it to train afresh"):
        TrainingState.from_bytes(_small_state().to_bytes()[:n_bytes])


def test_preparing_the_backend_again_after_it_has_computed_is_allowed() -> None:
    keras.ops.convert_to_numpy(keras.ops.ones(3) + 1)
    prepare_backend(n_threads=2)
    assert device_name()


def test_a_prepared_backend_does_not_round_convolutions_to_fewer_bits() -> None:
    tf = pytest.importorskip("tensorflow")
    prepare_backend(n_threads=1)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def _validation() -> Iterator[Batch]:
    return iter((_pairs(1, n_images=4), _pairs(2, n_images=2)))


def test_the_validation_loss_is_the_mean_over_its_images_and_trains_nothing() -> None:
    model = _model()
    compile_model(model, _plan())
    before = model.get_weights()
    by_hand = np.concatenate([_loss(mse, model, batch) for batch in _validation()]).mean()
    assert validation_loss(model, _validation()) == pytest.approx(by_hand, rel=1e-5)
    _assert_equal_weights(tuple(model.get_weights()), tuple(before))
    assert math.isnan(validation_loss(model, []))


def test_training_ends_on_the_plateau_of_the_validation_loss() -> None:
    plan = _plan(epochs=9, patience=2, learning_rate=1e-12)  # the loss stays where it is
    states = list(train(_model(), plan, _batches, _steady, validation=_validation))
    assert [state.wait for state in states] == [0, 1, 2]
    assert states[-1].lowest_loss == states[0].curve[0]["validation_loss"]
    assert has_plateaued(2, "constant", states[-1])
    assert not has_plateaued(None, "constant", states[-1])
    assert list(train(_model(), plan, _batches, _steady, states[-1], _validation)) == []


def test_going_on_with_a_plateau_in_sight_ends_as_training_without_the_stop() -> None:
    plan = _plan(epochs=6, patience=3, learning_rate=0.3)  # so large that the loss soon stops falling
    states = list(train(_model(), plan, _batches, _steady, validation=_validation))
    for stop in (1, len(states) - 1):
        kept = TrainingState.from_bytes(states[stop - 1].to_bytes())
        *_, resumed = train(_model(seed=7), plan, _batches, _steady, kept, _validation)
        _assert_equal_states(resumed, states[-1])


def test_a_loss_lower_by_no_more_than_1e_8_is_not_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.5 - 1e-9, 0.5 - 2e-8, math.nan])
    monkeypatch.setattr("models.training.validation_loss", lambda model, batches: next(losses))
    states = list(train(_model(), _plan(patience=9), _batches, _steady, validation=_validation))
    assert [state.wait for state in states] == [0, 1, 0, 1]
    assert states[-1].lowest_loss == 0.5 - 2e-8
    assert states[-1].curve[-1]["validation_loss"] is None


def test_without_patience_there_is_no_validation() -> None:
    state = next(train(_model(), _plan(), _batches, _steady, validation=lambda: pytest.fail("validated")))
    assert "validation_loss" not in state.curve[0]


@pytest.mark.usefixtures("small_resnet")
def test_training_in_16_bits_goes_on_from_a_stored_state_too() -> None:
    def model() -> keras.Model:
        keras.utils.set_random_seed(0)
        return build_model("resnet", precision="mixed_float16")

    first, second = islice(train(model(), _plan(), _batches, _steady), 2)
    trained = model()
    *_, resumed = islice(train(trained, _plan(), _batches, _steady, TrainingState.from_bytes(first.to_bytes())), 1)
    assert isinstance(trained.optimizer, keras.optimizers.LossScaleOptimizer)
    _assert_equal_states(resumed, second)


def test_xla_trains_to_the_same_weights_but_for_rounding() -> None:
    models = [_model(), _model()]
    plain, compiled = (
        next(train(model, _plan(xla=xla), _batches, _steady)) for model, xla in zip(models, (False, True), strict=True)
    )
    assert models[1].jit_compile
    for one, other in zip(plain.weights, compiled.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_vgg16_is_not_trained_along() -> None:
    features = vgg16_features(None)
    before = features.get_weights()
    rng = np.random.default_rng(0)
    batch = tuple(rng.random((2, 32, 32, 3), np.float32) for _ in range(2))
    state = next(train(_model(), _plan(loss=perceptual(features), n_steps=1), lambda epoch: [batch], _steady))  # type: ignore[list-item]
    _assert_equal_weights(tuple(features.get_weights()), tuple(before))
    assert len(state.weights) == len(_model().weights)


def test_no_epoch_after_the_first_traces_the_training_step_again() -> None:
    n_traced, so_far = 0, []

    def loss(original: Tensor, restored: Tensor) -> Tensor:
        nonlocal n_traced
        n_traced += 1  # runs when the step is traced, not when it is computed
        return mse(original, restored)

    def batches(epoch: int) -> Iterator[Batch]:
        yield from _batches(epoch)
        yield _pairs(epoch, n_images=2)

    for _ in train(_model(), _plan(loss=loss, n_steps=N_BATCHES + 1), batches, _steady):
        so_far.append(n_traced)
    assert 1 <= so_far[0] <= 3
    assert so_far == [so_far[0]] * EPOCHS


def test_after_an_epoch_nothing_of_its_batches_is_kept() -> None:
    # With generators that TensorFlow knew, each epoch left batches read ahead and their thread.
    model, kept, is_closed = _model(), list[weakref.ref[NDArray[np.float32]]](), False
    compile_model(model, _plan())

    def batches() -> Iterator[Batch]:
        nonlocal is_closed
        try:
            for seed in range(N_BATCHES + 1):  # one more than an epoch takes
                pair = _pairs(seed)
                kept.extend(map(weakref.ref, pair))
                yield pair
        finally:
            is_closed = True

    train_epoch(model, batches(), N_BATCHES)
    gc.collect()
    assert is_closed
    assert kept
    assert not [array for array in kept if array() is not None]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow tunes what it reads, JAX does not")
def test_what_is_read_in_training_is_not_tuned() -> None:
    # Until its tuner awoke, up to as long again, TensorFlow would have every other epoch wait at its end.
    assert fittable(_batches(0)).options().autotune.enabled is False
