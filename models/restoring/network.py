"""From a model file to the restorer that it describes, and which network that is."""

from collections.abc import Mapping
from typing import Any

import keras

from models.build import ARCHITECTURES, build_model
from models.names import is_of_plugin
from models.restoring.model_file import ModelFile, ModelFileError
from models.sizes import SIZE_FIELDS, network_size
from models.training import get_weights, set_weights

# The fields of a spec that decide what is built, and what they were before there was such a field.
BUILT = {"output_activation": "none", "global_residual": True, "start": "thesis", "precision": "float32"}


def build_network(spec: Mapping[str, Any]) -> keras.Model:
    """Build the restorer of a spec. Raises ModelFileError where its network is not known here."""
    name = spec.get("architecture")
    if name not in ARCHITECTURES:
        advice = "name its file with --plugin FILE" if is_of_plugin(str(name)) else "a newer lowq may have it"
        raise ModelFileError(f"the model's network {name!s:.60} is not built in: {advice}")
    try:
        size = network_size(name, **{field: spec.get(field) for field in SIZE_FIELDS})
        return build_model(name, **{field: spec.get(field, before) for field, before in BUILT.items()}, size=size)
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"the model's network {name} cannot be built: {error}") from error


def load_network(model_file: ModelFile) -> keras.Model:
    """Build a model file's restorer and give it its weights. Raises ModelFileError where they do not fit."""
    model = build_network(model_file.facts["spec"])
    wanted = [tuple(weight.shape) for weight in get_weights(model)]
    if wanted != [weight.shape for weight in model_file.weights]:
        raise ModelFileError(f"the weights of {model_file.name} do not fit its network, which is another by now")
    set_weights(model, model_file.weights)
    return model
