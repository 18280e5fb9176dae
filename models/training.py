"""The training loop: epochs over batches, the best weights kept, and a state from which training goes on exactly."""

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.backend import fittable
from models.blur import Tensor
from models.errors import PerImage as Loss

Pixels = NDArray[np.float32]  # [B, H, W, 3] in [0, 1]
Batch = tuple[Pixels | tuple[Pixels, NDArray[np.float32]], Pixels]  # degraded, perhaps with tables [B, 8]; original
Weights = tuple[NDArray[np.generic], ...]
Row = Mapping[str, float | None]

DIGEST_BYTES = 32  # of a SHA-256
MIN_DELTA = 1e-8  # by how much a validation loss is lower, or it is not; thesis, section 3.4
CHECK_STEPS = 32  # between looks at the loss: each waits for the device
# Share of the way behind -> share of the peak rate.
SCHEDULES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "constant": lambda progress: ops.ones_like(progress),
    "cosine": lambda progress: 0.5 * (1 + ops.cos(np.pi * ops.clip(progress, 0, 1))),
}
WEIGHT_KINDS = ("weights", "optimizer", "best_weights", "watched_weights")
STATE_FACTS = ("epoch", "best_value", "best_epoch", "lowest_loss", "wait", "curve")


@dataclass(frozen=True)
class TrainingPlan:
    """How to train: the loss, epochs of n_steps batches, Adam's learning rate and its course, the largest gradient.

    schedule: a name of SCHEDULES, of what the rate falls to in the course of all epochs; warm_up: the share of them in
    which it first rises to learning_rate. ema: how much of the average of the weights each step keeps, by which the
    network is watched; None watches the weights themselves. n_normalised: training batches over which the statistics of
    batch normalisation are taken anew before the network is watched; 0 leaves its moving ones.
    patience: epochs without a lower validation loss after which training has reached its plateau; None has none. A rate
    that falls to zero has an end of its own: patience ends constant rates alone.
    xla: have XLA compile the training step. Raises ValueError for an unknown schedule, listing the known ones.
    """

    loss: Loss
    epochs: int
    n_steps: int
    learning_rate: float = 1e-3
    schedule: str = "constant"
    clip_norm: float | None = None
    patience: int | None = None
    xla: bool = False
    warm_up: float = 0.0
    ema: float | None = None
    n_normalised: int = 0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {self.schedule!r}; known: {', '.join(SCHEDULES)}")


@dataclass(frozen=True)
class TrainingState:
    """Where training stands after an epoch; with the plan and the batches it decides all that follows.

    watched_weights: the last that were watched, where averages or statistics make them others than weights.
    curve: a row per epoch. best_value: the largest value `watch` returned (-inf before the first), at best_epoch.
    lowest_loss: the lowest validation loss, wait epochs ago. There is no random state: batches depend on their epoch.
    """

    epoch: int
    weights: Weights
    optimizer: Weights
    best_weights: Weights
    watched_weights: Weights = ()
    best_value: float = -math.inf
    best_epoch: int = 0
    lowest_loss: float = math.inf
    wait: int = 0
    curve: tuple[Row, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the state as the bytes of an .npz file and, behind them, their SHA-256, which np.load passes over."""
        facts = {name: getattr(self, name) for name in STATE_FACTS}
        arrays = {
            f"{kind}_{place:04d}": array for kind in WEIGHT_KINDS for place, array in enumerate(getattr(self, kind))
        }
        buffer = io.BytesIO()
        np.savez(buffer, facts=np.array(json.dumps(facts)), **arrays)
        return buffer.getvalue() + hashlib.sha256(buffer.getvalue()).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> "TrainingState":
        """Read what to_bytes returned. Raises ValueError when the bytes are damaged."""
        content = data[:-DIGEST_BYTES]
        if hashlib.sha256(content).digest() != data[-DIGEST_BYTES:]:
            raise ValueError("the training state is damaged (its SHA-256 is another): delete it to train afresh")
        with np.load(io.BytesIO(content)) as file:
            facts: dict[str, Any] = json.loads(str(file["facts"]))
            for kind in WEIGHT_KINDS:
                facts[kind] = tuple(file[name] for name in sorted(file.files) if name.startswith(f"{kind}_"))
        return cls(**{**facts, "curve": tuple(facts["curve"])})


def train(
    model: keras.Model,
    plan: TrainingPlan,
    batches: Callable[[int], Iterable[Batch]],
    watch: Callable[[keras.Model], tuple[float, Row]],
    state: TrainingState | None = None,
    validation: Callable[[], Iterable[Batch]] = tuple,
) -> Iterator[TrainingState]:
    """Train epoch by epoch and yield the state after each, up to the last or the plateau; the caller may stop before.

    batches(epoch) gives the batches of an epoch, 1, 2, ...; watch(model) gives a value to maximise and numbers for the
    curve; validation() gives the batches whose loss shows the plateau. With a state, training goes on from it as if it
    had not stopped. A non-finite loss ends the epoch at once.
    """
    course = compile_model(model, plan)
    if state is None:
        state = TrainingState(0, _values(model.weights), _values(model.optimizer.variables), _values(model.weights))
    else:
        set_weights(model, state.weights)
        _assign(model.optimizer.variables, state.optimizer)
        course.go_on_from(state.epoch, int(model.optimizer.iterations))
    for epoch in range(state.epoch + 1, plan.epochs + 1):
        if has_plateaued(plan.patience, plan.schedule, state):
            return
        losses = {"loss": train_epoch(model, batches(epoch), plan.n_steps)}
        trained, optimizer = _values(model.weights), _values(model.optimizer.variables)
        _prepare_to_watch(model, plan, partial(batches, epoch))
        if plan.patience is not None:
            losses["validation_loss"] = validation_loss(model, validation())
        value, row = watch(model)
        finite = {name: loss if math.isfinite(loss) else None for name, loss in losses.items()}
        watched = _values(model.weights)
        set_weights(model, trained)
        state = replace(state, weights=trained, optimizer=optimizer, watched_weights=watched)
        state = _after_epoch(state, value, {"epoch": epoch, **finite, **row})
        yield state


def has_plateaued(patience: int | None, schedule: str, state: TrainingState) -> bool:
    """Say whether a constant rate has not lowered the validation loss, by more than 1e-8, for patience epochs."""
    return patience is not None and schedule == "constant" and state.wait >= patience


def train_epoch(model: keras.Model, batches: Iterable[Batch], n_steps: int) -> float:
    """Train on n_steps batches and return the mean loss of an image; soon after a non-finite one, return that."""
    stop = [_StopAtNonFinite()]
    with closing(batch for batch in batches) as read:  # TensorFlow would keep it, with the batches read ahead
        history = model.fit(fittable(read), steps_per_epoch=n_steps, verbose=0, shuffle=False, callbacks=stop)
    return float(history.history["loss"][0])


def _prepare_to_watch(model: keras.Model, plan: TrainingPlan, batches: Callable[[], Iterable[Batch]]) -> None:
    """Put the average of weights in their place, and the statistics of batches in those of batch normalisation."""
    if plan.ema is not None:
        getattr(model.optimizer, "inner_optimizer", model.optimizer).put_averages_into(model.trainable_variables)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers or not plan.n_normalised:
        return
    usual = [layer.momentum for layer in layers]
    try:
        for place, (degraded, _) in enumerate(islice(batches(), plan.n_normalised)):
            for layer in layers:
                layer.momentum = place / (place + 1)  # the mean of all batches so far
            model(degraded, training=True)
    finally:
        for layer, momentum in zip(layers, usual, strict=True):
            layer.momentum = momentum


class _StopAtNonFinite(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends an epoch when its mean loss is no number any more; looking waits for the device, so it does so rarely."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if batch % CHECK_STEPS == 0 and not math.isfinite(float((logs or {})["loss"])):
            self.model.stop_training = True


def validation_loss(model: keras.Model, batches: Iterable[Batch]) -> float:
    """Return the mean loss of an image over batches that are not trained on."""
    losses, n_images = [], []
    for degraded, original in batches:
        losses.append(float(model.test_on_batch(degraded, original)))
        n_images.append(len(original))
    return float(np.average(losses, weights=n_images)) if losses else math.nan


@keras.saving.register_keras_serializable(package="lowq")
class CourseOfRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate by the share of the way that is behind: a rise, then what the schedule makes of the peak.

    Counted from where training goes on, so that fewer or more steps an epoch from there on leave the course as it is.
    """

    def __init__(self, learning_rate: float, schedule: str, warm_up: float, epochs: int, n_steps: int) -> None:
        self.learning_rate, self.schedule, self.warm_up = learning_rate, schedule, warm_up
        self.epochs, self.n_steps = epochs, n_steps
        self.epochs_behind = self.steps_behind = 0

    def go_on_from(self, epochs_behind: int, steps_behind: int) -> None:
        """Have so many epochs and steps of Adam behind, before the first step is compiled."""
        self.epochs_behind, self.steps_behind = epochs_behind, steps_behind

    def __call__(self, step: Tensor) -> Tensor:
        # whole numbers, so that training goes on with the very rate that it would have had without a stop
        behind = ops.cast(step, "float32") + float(self.epochs_behind * self.n_steps - self.steps_behind)
        progress = behind / (self.n_steps * self.epochs)
        share = SCHEDULES[self.schedule]((progress - self.warm_up) / (1 - self.warm_up))
        if self.warm_up:
            share = ops.where(progress < self.warm_up, progress / self.warm_up, share)
        return self.learning_rate * share

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("learning_rate", "schedule", "warm_up", "epochs", "n_steps")}


class AveragingAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam whose averages of the weights stay beside them: Keras would put them in their place after every epoch."""

    def finalize_variable_values(self, trainable_variables: list[Any]) -> None: ...

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        """Average over fewer steps at first: an average over a hundred would long hold weights as they started."""
        steps = ops.cast(self.iterations, "float32")
        kept = ops.where(steps > 0, ops.minimum(self.ema_momentum, (1 + steps) / (10 + steps)), 0.0)
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            average.assign(average + (1 - kept) * (variable - average))

    def put_averages_into(self, trainable_variables: list[Any]) -> None:
        """Replace weights by their averages."""
        super().finalize_variable_values(trainable_variables)


def compile_model(model: keras.Model, plan: TrainingPlan) -> CourseOfRate:
    """Give the model its loss and its Adam optimizer, built so that a state can be put into it; returns its rate."""
    rate = CourseOfRate(plan.learning_rate, plan.schedule, plan.warm_up, plan.epochs, plan.n_steps)
    averaging = {} if plan.ema is None else {"use_ema": True, "ema_momentum": plan.ema}
    optimizer = AveragingAdam(rate, global_clipnorm=plan.clip_norm, **averaging)
    if model.dtype_policy.name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    # JAX always compiles. TensorFlow's own kernels train these networks faster on a CPU, where compiling takes seconds.
    model.compile(optimizer, plan.loss, jit_compile=keras.backend.backend() == "jax")
    if plan.xla:
        model._jit_compile = True  # Keras declines wherever operations are deterministic; XLA compiles ours
    return rate


def get_weights(model: keras.Model) -> Weights:
    """Return a model's weights, as a state holds them."""
    return _values(model.weights)


def set_weights(model: keras.Model, weights: Weights) -> None:
    """Put weights from a state into a model of the same architecture."""
    _assign(model.weights, weights)


def _after_epoch(before: TrainingState, value: float, row: Row) -> TrainingState:
    state = replace(before, epoch=before.epoch + 1, curve=(*before.curve, row))
    validated = row.get("validation_loss")
    lower = validated is not None and validated < before.lowest_loss - MIN_DELTA
    state = replace(state, wait=0 if lower else before.wait + 1)
    if lower and validated is not None:
        state = replace(state, lowest_loss=validated)
    if value > before.best_value:
        state = replace(state, best_weights=state.watched_weights, best_value=value, best_epoch=state.epoch)
    return state


def _values(variables: Iterable[keras.Variable]) -> Weights:
    return tuple(np.array(keras.ops.convert_to_numpy(variable)) for variable in variables)


def _assign(variables: Iterable[keras.Variable], values: Weights) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
