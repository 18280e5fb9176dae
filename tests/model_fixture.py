"""Model files for tests: small networks whose weights numpy draws, so that they change what they are given."""

from typing import Any

import numpy as np

from models.restoring.model_file import ModelFile
from models.restoring.network import build_network
from models.training import get_weights

STEP = 0.02


def drawn_model_file(architecture: str = "native1k", **spec: Any) -> ModelFile:
    """Return a model file of a network whose weights are moved a little from where they start."""
    spec = {"architecture": architecture, "start": "near_identity", "training_quality": "20-80", **spec}
    rng = np.random.default_rng(3)
    weights = tuple(
        (weight + rng.normal(0, STEP, weight.shape)).astype(weight.dtype) if weight.ndim > 1 else weight
        for weight in get_weights(build_network(spec))
    )
    facts = {
        "name": f"{architecture}-drawn",
        "spec": spec,
        "encoder": {"codec": "JPEG", "subsampling": "4:2:0", "tables": "libjpeg", "quality": spec["training_quality"]},
        "training_data": {"description": "none: its weights are drawn", "statistics": None},
        "scores": {},
        "licence": "Apache-2.0",
        "versions": {},
    }
    return ModelFile(facts, weights)
