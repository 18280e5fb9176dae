"""The model file: a restorer's weights and what there is to know of it, as plain data that is safe to load.

    b"lowq model\\n", the length of the facts (4 bytes, little-endian), the facts as JSON, the weights one after another
    (little-endian, row by row), the SHA-256 of all that

The facts list the shape and type of each weight, so that nothing in the file is code.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.whole_file import write_whole

START = b"lowq model\n"
FORMAT_VERSION = 1
LENGTH_BYTES, DIGEST_BYTES = 4, 32
DTYPES = ("float32", "float16", "int32", "uint32")
SUFFIX = ".lowq"
IN_RUN = f"restorer/restorer{SUFFIX}"  # in a run: the pick's
FINALISTS_IN_RUN = "restorer/finalists"  # in a run: the folder of every finalist's, each with its safety card
# What every file says: the trial, the encoder, the data, the scores, whose it is.
FACTS: dict[str, type] = {"name": str, "spec": dict, "encoder": dict, "training_data": dict, "scores": dict}
FACTS |= {"licence": str, "versions": dict}
Weights = tuple[NDArray[Any], ...]


class ModelFileError(ValueError):
    """A model file cannot be used; the message names it, says why and what to do."""


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    facts: name (of the trial), spec (its fields), encoder (of the JPEG files that it was trained on), training_data
    (description, fingerprint, camera systems and their statistics), scores, licence, versions, and perhaps safety.
    """

    facts: Mapping[str, Any]
    weights: Weights

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    def to_bytes(self) -> bytes:
        """Return the file's bytes. Raises ValueError for a number that is not finite."""
        listed = [{"shape": list(weight.shape), "dtype": weight.dtype.name} for weight in self.weights]
        facts = {"format_version": FORMAT_VERSION, **self.facts, "weights": listed}
        header = json.dumps(facts, allow_nan=False, sort_keys=True).encode()
        little = (np.ascontiguousarray(weight, weight.dtype.newbyteorder("<")).tobytes() for weight in self.weights)
        content = b"".join((START, len(header).to_bytes(LENGTH_BYTES, "little"), header, *little))
        return content + hashlib.sha256(content).digest()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the file") -> "ModelFile":
        """Read what to_bytes returned. Raises ModelFileError for what is no such file, damaged or newer."""
        if not data.startswith(START):
            raise ModelFileError(f"{name} is no model file: name one that `python -m models export` wrote, or a run")
        content, place = data[:-DIGEST_BYTES], len(START) + LENGTH_BYTES
        if hashlib.sha256(content).digest() != data[-DIGEST_BYTES:]:
            raise ModelFileError(f"{name} is damaged (its SHA-256 is another): copy or export it again")
        end = place + int.from_bytes(content[len(START) : place], "little")
        try:
            facts = json.loads(content[place:end])
            version = facts.pop("format_version")
            if not isinstance(version, int) or version > FORMAT_VERSION:
                raise ModelFileError(
                    f"{name} has format {version!s:.20}, this lowq reads {FORMAT_VERSION}: install a newer lowq"
                )
            if wrong := [fact for fact, kind in FACTS.items() if not isinstance(facts.get(fact), kind)]:
                raise ValueError(f"its {wrong[0]} is missing")
            return cls(facts, _read_weights(content[end:], facts.pop("weights")))
        except ModelFileError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ModelFileError(f"{name} is no model file of lowq ({error!s:.80}): export it again") from error


def read_model_file(path: Path) -> ModelFile:
    """Read a model file. Raises ModelFileError where it cannot be used."""
    try:
        with path.open("rb") as file:
            data = file.read(len(START))
            if data == START:  # what is none may be larger than memory, or without an end
                data += file.read()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error
    return ModelFile.from_bytes(data, str(path))


def write_model_file(path: Path, model_file: ModelFile) -> None:
    """Write a model file, which appears when it is whole."""
    write_whole(path, model_file.to_bytes())


def _read_weights(data: bytes, listed: list[Any]) -> Weights:
    weights, place = [], 0
    for row in listed:
        shape, dtype = tuple(row["shape"]), str(row["dtype"])
        if dtype not in DTYPES or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError(f"a weight of {dtype} {shape}")
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        if place + n_bytes > len(data):
            raise ValueError("its weights end too early")
        flat = np.frombuffer(data[place : place + n_bytes], np.dtype(dtype).newbyteorder("<"))
        weights.append(flat.astype(dtype).reshape(shape))
        place += n_bytes
    if place != len(data):
        raise ValueError("bytes behind its weights")
    return tuple(weights)
