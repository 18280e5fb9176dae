"""The restorer of a trial: built as its spec says, and loaded from what its training left in the store."""

import math
from dataclasses import replace
from typing import Any

import keras

from datasets.errors import InputError
from datasets.packed import PackedDataset
from models.architectures.planes import PlaneFilter
from models.build import build_model
from models.training import TrainingState, get_weights, set_weights
from search.space.spec import TrialSpec
from search.trial.closed_form import fitted_filter
from search.trial.store import STATE, Store


def load_restorer(spec: TrialSpec, store: Store) -> keras.Model:
    """Return the restorer that an ended trial left in the store, with the weights it was scored by.

    Raises InputError where they are lost: an untrained network would pass for it.
    """
    if spec.returns_input:
        return scored_model(spec, None)
    kept, file = store.load(spec.trial_id), f"{STATE} of trial {spec.trial_id}"
    if kept is None:
        raise InputError(f"{file} is missing in the run: put back a copy, then go on with --resume")
    try:
        return scored_model(spec, TrainingState.from_bytes(kept))
    except ValueError as error:
        raise InputError(f"{file} is damaged: put back a copy, then go on with --resume") from error


def load_state(spec: TrialSpec, store: Store) -> TrainingState | None:
    """Return the newest state of a trial, or of its parent; None where the store has neither."""
    kept, changes = store.load(spec.trial_id), dict[str, Any]()
    if kept is None and spec.parent is not None:
        kept, changes = store.load(spec.parent), {"wait": 0}  # a plateau is counted anew
    if kept is None:
        return None
    state = _read_state(kept, spec.trial_id)
    if state.curve and "bytes_at_parity" not in state.curve[-1]:  # of a version that ranked epochs by their margins
        changes |= {"best_value": -math.inf, "best_epoch": 0}
    return replace(state, **changes)


def scored_model(spec: TrialSpec, state: TrainingState | None) -> keras.Model:
    """Return the restorer a trial is scored by: the best weights, or the last where the spec says so."""
    model = build_of(spec)
    if state is not None:
        last = state.watched_weights or state.weights  # older states have none that were watched apart
        set_weights(model, state.best_weights if spec.restore_best else last)
    return model


def build_of(spec: TrialSpec) -> keras.Model:
    """Build the restorer that a spec names, with the weights it begins with."""
    return build_model(
        spec.architecture,
        spec.output_activation,
        spec.global_residual,
        spec.start,
        precision=spec.precision,
        size=spec.size,
    )


def build_to_train(spec: TrialSpec, pack: PackedDataset, store: Store | None = None) -> keras.Model:
    """Build the restorer of a trial that begins: one with a linear filter starts from the one in closed form.

    One that is to begin with pretrained weights has these, from the store. Raises InputError where it lacks them.
    """
    model = build_of(spec)
    if spec.pretrained is not None and store is not None:
        kept = store.load(spec.pretrained)
        if kept is None:
            raise InputError(f"{STATE} of trial {spec.pretrained}, which this one begins with, is missing in the run")
        set_weights(model, _read_state(kept, spec.pretrained).best_weights)
        return model
    if spec.start == "near_identity" or not spec.is_trained:
        for layer in model.layers:
            if isinstance(layer, PlaneFilter):
                layer.set_filter(fitted_filter(pack, spec.split, spec.training_quality))
    return model


def closed_form_state(spec: TrialSpec, pack: PackedDataset, store: Store) -> TrainingState | None:
    """Return the state of a trial without epochs, kept as others are; None of JPEG as it is, which has no weights."""
    if spec.returns_input:
        return None
    state = load_state(spec, store)
    if state is None:
        state = fitted_state(spec, pack)
        store.save(spec.trial_id, 0, {STATE: state.to_bytes()})
    return state


def fitted_state(spec: TrialSpec, pack: PackedDataset) -> TrainingState:
    """Return the state of a trial without epochs, fitted to a pack's training images."""
    weights = get_weights(build_to_train(spec, pack))
    return TrainingState(epoch=0, weights=weights, optimizer=(), best_weights=weights)


def _read_state(kept: bytes, trial_id: str) -> TrainingState:
    try:
        return TrainingState.from_bytes(kept)
    except ValueError as error:
        raise InputError(f"{STATE} of {trial_id}: {error}") from error
