"""The model file: written, read and equal; whatever is wrong with it is one line."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from models.restoring.model_file import (
    DIGEST_BYTES,
    START,
    ModelFile,
    ModelFileError,
    read_model_file,
    write_model_file,
)
from models.restoring.network import load_network
from models.training import get_weights
from tests.model_fixture import drawn_model_file

FACTS = {"name": "x", "spec": {}, "encoder": {}, "training_data": {}, "scores": {}, "licence": "y", "versions": {}}
WEIGHTS = (np.arange(6, dtype=np.float32).reshape(2, 3), np.array([7], np.int32), np.zeros((0, 4), np.float32))
SMALL = ModelFile(FACTS, WEIGHTS)


def signed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def with_header(header: object, weights: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return signed(START + len(text).to_bytes(4, "little") + text + weights)


def test_a_model_file_is_read_as_it_was_written() -> None:
    read = ModelFile.from_bytes(SMALL.to_bytes())
    assert read.facts == FACTS
    assert read.name == "x"
    for weight, written in zip(read.weights, WEIGHTS, strict=True):
        assert weight.dtype == written.dtype
        np.testing.assert_array_equal(weight, written)


def test_the_bytes_are_those_of_the_page_that_describes_them() -> None:
    data = SMALL.to_bytes()
    assert data.startswith(b"lowq model\n")
    length = int.from_bytes(data[11:15], "little")
    facts = json.loads(data[15 : 15 + length])
    assert facts["format_version"] == 1
    assert facts["weights"][1] == {"shape": [1], "dtype": "int32"}
    assert data[15 + length : -32] == WEIGHTS[0].tobytes() + WEIGHTS[1].tobytes()
    assert data[-32:] == hashlib.sha256(data[:-32]).digest()


def test_a_network_has_the_weights_of_its_file(tmp_path: Path) -> None:
    drawn = drawn_model_file()
    write_model_file(tmp_path / "sub" / "a.lowq", drawn)
    model = load_network(read_model_file(tmp_path / "sub" / "a.lowq"))
    for weight, written in zip(get_weights(model), drawn.weights, strict=True):
        np.testing.assert_array_equal(weight, written)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["a.lowq"]


@pytest.mark.parametrize("length", [0, 5, len(START), len(START) + 20])
def test_a_cut_file_is_refused_wherever_it_ends(length: int) -> None:
    with pytest.raises(ModelFileError, match=r"damaged|no model file"):
        ModelFile.from_bytes(SMALL.to_bytes()[:length])


def test_every_changed_byte_is_found() -> None:
    data = SMALL.to_bytes()
    for place in range(0, len(data), 7):
        with pytest.raises(ModelFileError):
            ModelFile.from_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


GOOD = {"format_version": 1, **FACTS, "weights": [{"shape": [2], "dtype": "float32"}]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no model file"),
        (b"PK\x03\x04", "no model file"),
        (with_header({**GOOD, "format_version": 2}, bytes(8)), "format 2, this lowq reads 1: install a newer lowq"),
        (with_header({**GOOD, "format_version": "x" * 99}, bytes(8)), "install a newer lowq"),
        (with_header({**GOOD, "licence": 3}, bytes(8)), "its licence is missing"),
        (with_header(GOOD, bytes(7)), "its weights end too early"),
        (with_header(GOOD, bytes(9)), "bytes behind its weights"),
        (with_header({**GOOD, "weights": [{"shape": [1], "dtype": "object"}]}, bytes(8)), "a weight of object"),
        (with_header({**GOOD, "weights": [{"shape": [-1], "dtype": "float32"}]}), "a weight of float32"),
        (with_header({**GOOD, "weights": [3]}), "no model file of lowq"),
        (with_header([1]), "no model file of lowq"),
        (signed(START + b"\xff\xff\xff\x7f{}"), "no model file of lowq"),
        (signed(START), "no model file of lowq"),
    ],
)
def test_what_is_wrong_is_one_line(data: bytes, words: str) -> None:
    with pytest.raises(ModelFileError, match=words) as raised:
        ModelFile.from_bytes(data, "a.lowq")
    assert str(raised.value).startswith("a.lowq ")
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.lowq cannot be read: No such file"):
        read_model_file(tmp_path / "none.lowq")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="has no file without an end")
def test_what_is_no_model_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ModelFileError, match="/dev/zero is no model file"):
        read_model_file(Path("/dev/zero"))


def test_weights_of_another_network_are_refused() -> None:
    drawn = drawn_model_file()
    facts = {**drawn.facts, "spec": {**drawn.facts["spec"], "architecture": "native10k"}}
    with pytest.raises(ModelFileError, match="do not fit its network"):
        load_network(ModelFile(facts, drawn.weights))


@pytest.mark.parametrize("size", [{"width": 10**6}, {"depth": 10**6}])
def test_a_network_that_no_memory_holds_is_not_built(size: dict[str, int]) -> None:
    drawn = drawn_model_file("native1k")
    facts = {**drawn.facts, "spec": {**drawn.facts["spec"], **size}}
    with pytest.raises(ModelFileError, match="do not fit its network"):
        load_network(ModelFile(facts, drawn.weights))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value: float) -> None:
    drawn = drawn_model_file()
    weights = (np.full_like(drawn.weights[0], value), *drawn.weights[1:])
    with pytest.raises(ModelFileError, match="has weights that are no numbers"):
        load_network(ModelFile(drawn.facts, weights))


@pytest.mark.parametrize(
    ("name", "advice"), [("my_nets.narrow", "name its file with --plugin FILE"), ("native9z", "a newer lowq may have")]
)
def test_a_network_that_is_not_built_in_is_refused(name: str, advice: str) -> None:
    facts = {**FACTS, "spec": {"architecture": name}}
    with pytest.raises(ModelFileError, match=f"{name} is not built in: {advice}"):
        load_network(ModelFile(facts, ()))


def test_a_size_that_cannot_be_is_refused() -> None:
    facts = {**FACTS, "spec": {"architecture": "native1k", "width": -3}}
    with pytest.raises(ModelFileError, match="cannot be built: width"):
        load_network(ModelFile(facts, ()))


def test_digest_bytes_are_those_of_sha256() -> None:
    assert hashlib.sha256().digest_size == DIGEST_BYTES
