"""The perceptual loss in a search: VGG16's weights are found, or the search goes on without it and says so."""

import hashlib
from http.client import HTTPException
from pathlib import Path
from typing import Any

from datasets.errors import InputError
from models.names import PERCEPTUAL
from models.vgg16 import cached_weights, check_weights, fetch_weights
from search.space.space import Space

NOT_RUN = "no VGG16 weights"


def find_weights(space: Space, named: Path | None) -> tuple[Space, Path | None, list[dict[str, str]]]:
    """Return the space that can be searched, the file of VGG16's weights, and what is left out of the run.

    named: the file that the user gave; without one Keras' own copy is used, or downloaded. Raises InputError when the
    named file is not VGG16's, or when nothing is left to compare.
    """
    if PERCEPTUAL not in space.axes.get("loss", (space.fields.get("loss"),)):
        return space, None, []
    if named is not None:
        return space, _checked(named), []
    if not cached_weights().exists():
        print(f"VGG16's weights for the perceptual loss are downloaded once (59 MB): {cached_weights()}", flush=True)
    try:
        return space, _checked(fetch_weights()), []
    except (OSError, HTTPException) as error:
        others = [loss for loss in space.axes.get("loss", ()) if loss != PERCEPTUAL]
        if not others:
            raise InputError(
                f"the perceptual loss needs VGG16's weights, which cannot be downloaded ({_reason(error)}): name a "
                "file of them with --vgg16-weights"
            ) from error
        return space.narrowed("loss", others), None, [{"what": PERCEPTUAL, "why": NOT_RUN, "cause": _reason(error)}]


def weights_facts(weights: Path | None) -> dict[str, Any] | None:
    """Return which weights a run uses, by path and SHA-256; None where it uses none."""
    if weights is None:
        return None
    return {"path": str(weights), "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}


def _checked(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is no file: name VGG16's weights (..._notop.h5), or leave --vgg16-weights out")
    try:
        check_weights(path)
    except ValueError as error:
        raise InputError(str(error)) from error
    return path.resolve()


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", error)).split())
