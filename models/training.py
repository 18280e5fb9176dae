"""The training loop: epochs over batches, the best weights kept, and a state from which training goes on exactly."""

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.losses import Loss

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]  # degraded, original: [B, H, W, 3] in [0, 1]
Weights = tuple[NDArray[np.generic], ...]
Row = Mapping[str, float | None]

DIGEST_BYTES = 32  # of a SHA-256
MIN_DELTA = 1e-8  # by how much a validation loss is lower, or it is not; thesis, section 3.4
STATE_FACTS = ("epoch", "best_value", "best_epoch", "lowest_loss", "wait", "curve")


@dataclass(frozen=True)
class TrainingPlan:
    """How to train: the loss, Adam's learning rate and its schedule over n_steps, the largest gradient norm, epochs.

    patience: epochs without a lower validation loss after which training has reached its plateau; None has none.
    xla: have XLA compile the training step.
    """

    loss: Loss
    epochs: int
    n_steps: int
    learning_rate: float = 1e-3
    schedule: str = "constant"
    clip_norm: float | None = None
    patience: int | None = None
    xla: bool = False


@dataclass(frozen=True)
class TrainingState:
    """Where training stands after an epoch; with the plan and the batches it decides all that follows.

    curve: a row per epoch. best_value: the largest value `watch` returned (-inf before the first), at best_epoch.
    lowest_loss: the lowest validation loss, wait epochs ago. There is no random state: batches depend on their epoch.
    """

    epoch: int
    weights: Weights
    optimizer: Weights
    best_weights: Weights
    best_value: float = -math.inf
    best_epoch: int = 0
    lowest_loss: float = math.inf
    wait: int = 0
    curve: tuple[Row, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the state as the bytes of an .npz file and, behind them, their SHA-256, which np.load passes over."""
        facts = {name: getattr(self, name) for name in STATE_FACTS}
        arrays = {
            f"{kind}_{place:04d}": array
            for kind in ("weights", "optimizer", "best_weights")
            for place, array in enumerate(getattr(self, kind))
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
            for kind in ("weights", "optimizer", "best_weights"):
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
    compile_model(model, plan)
    if state is None:
        state = TrainingState(0, _values(model.weights), _values(model.optimizer.variables), _values(model.weights))
    else:
        set_weights(model, state.weights)
        _assign(model.optimizer.variables, state.optimizer)
    for epoch in range(state.epoch + 1, plan.epochs + 1):
        if has_plateaued(plan.patience, state):
            return
        losses = {"loss": train_epoch(model, batches(epoch))}
        if plan.patience is not None:
            losses["validation_loss"] = validation_loss(model, validation())
        value, row = watch(model)
        finite = {name: loss if math.isfinite(loss) else None for name, loss in losses.items()}
        state = _after_epoch(model, state, value, {"epoch": epoch, **finite, **row})
        yield state


def has_plateaued(patience: int | None, state: TrainingState) -> bool:
    """Say whether the validation loss has not become lower, by more than 1e-8, for patience epochs."""
    return patience is not None and state.wait >= patience


def train_epoch(model: keras.Model, batches: Iterable[Batch]) -> float:
    """Train on every batch once and return the mean loss of an image; stop at a non-finite one and return that."""
    losses, n_images = [], []
    for degraded, original in batches:
        loss = float(model.train_on_batch(degraded, original))  # Keras: of this batch alone
        if not math.isfinite(loss):
            return loss
        losses.append(loss)
        n_images.append(len(degraded))
    return float(np.average(losses, weights=n_images)) if losses else math.nan


def validation_loss(model: keras.Model, batches: Iterable[Batch]) -> float:
    """Return the mean loss of an image over batches that are not trained on."""
    losses, n_images = [], []
    for degraded, original in batches:
        losses.append(float(model.test_on_batch(degraded, original)))
        n_images.append(len(degraded))
    return float(np.average(losses, weights=n_images)) if losses else math.nan


def compile_model(model: keras.Model, plan: TrainingPlan) -> None:
    """Give the model its loss and its Adam optimizer, built so that a state can be put into it."""
    rate: float | keras.optimizers.schedules.LearningRateSchedule = plan.learning_rate
    if plan.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.n_steps)
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=plan.clip_norm)
    if model.dtype_policy.name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    # JAX always compiles. TensorFlow's own kernels train these networks faster on a CPU, where compiling takes seconds.
    model.compile(optimizer, plan.loss, jit_compile=keras.backend.backend() == "jax")
    if plan.xla:
        model._jit_compile = True  # Keras declines wherever operations are deterministic; XLA compiles ours


def set_weights(model: keras.Model, weights: Weights) -> None:
    """Put weights from a state into a model of the same architecture."""
    _assign(model.weights, weights)


def _after_epoch(model: keras.Model, before: TrainingState, value: float, row: Row) -> TrainingState:
    state = replace(
        before,
        epoch=before.epoch + 1,
        weights=_values(model.weights),
        optimizer=_values(model.optimizer.variables),
        curve=(*before.curve, row),
    )
    validated = row.get("validation_loss")
    lower = validated is not None and validated < before.lowest_loss - MIN_DELTA
    state = replace(state, wait=0 if lower else before.wait + 1)
    if lower and validated is not None:
        state = replace(state, lowest_loss=validated)
    if value > before.best_value:
        state = replace(state, best_weights=state.weights, best_value=value, best_epoch=state.epoch)
    return state


def _values(variables: Iterable[keras.Variable]) -> Weights:
    return tuple(np.array(keras.ops.convert_to_numpy(variable)) for variable in variables)


def _assign(variables: Iterable[keras.Variable], values: Weights) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
