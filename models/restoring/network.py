"""From a model file to the restorer that it describes, and which network that is."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from models.build import ARCHITECTURES, build_model
from models.names import is_of_plugin
from models.restoring.model_file import ModelFile, ModelFileError
from models.sizes import SIZE_FIELDS, NetworkSize, network_size
from models.training import get_weights, set_weights

# The fields of a spec that decide what is built, and what they were before there was such a field.
BUILT = {"output_activation": "none", "global_residual": True, "start": "thesis", "precision": "float32"}


def build_network(spec: Mapping[str, Any]) -> keras.Model:
    """Build the restorer of a spec. Raises ModelFileError where its network is not known here."""
    name = spec.get("architecture")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        advice = "name its file with --plugin FILE" if is_of_plugin(str(name)) else "a newer lowq may have it"
        raise ModelFileError(f"the model's network {name!s:.60} is not built in: {advice}")
    try:
        options = {field: spec.get(field, before) for field, before in BUILT.items()}
        return build_model(name, **options, size=_size_of(spec))
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"the model's network {name} cannot be built: {error}") from error


def load_network(model_file: ModelFile) -> keras.Model:
    """Build a model file's restorer and give it its weights. Raises ModelFileError where they do not fit."""
    spec, shapes = model_file.facts["spec"], [weight.shape for weight in model_file.weights]
    if not all(np.isfinite(weight).all() for weight in model_file.weights):
        raise ModelFileError(f"{model_file.name} has weights that are no numbers: its training failed, take another")
    other = ModelFileError(f"the weights of {model_file.name} do not fit its network, which is another by now")
    if not _can_be_of(spec, shapes):
        raise other
    model = build_network(spec)
    if shapes != [tuple(weight.shape) for weight in get_weights(model)]:
        raise other
    set_weights(model, model_file.weights)
    return model


def _size_of(spec: Mapping[str, Any]) -> NetworkSize | None:
    return network_size(spec["architecture"], **{field: spec.get(field) for field in SIZE_FIELDS})


def _can_be_of(spec: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]) -> bool:
    """Say whether weights may be of a spec's network, without building one that no memory holds."""
    try:
        size = _size_of(spec)
    except (ValueError, TypeError, LookupError):
        return True  # building says what is wrong with it
    return size is None or (size.depth <= len(shapes) and any(size.width in shape for shape in shapes))
