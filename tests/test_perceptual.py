"""VGG16's weights in a search: found, fetched, checked, or done without and said so."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.client import IncompleteRead
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import keras
import pytest

from datasets.errors import InputError
from models.names import PERCEPTUAL
from models.vgg16 import N_PARAMETERS, cached_weights, check_weights, fetch_weights
from search.cli import main
from search.records import describe_left_out
from search.space.perceptual import find_weights, weights_facts
from search.space.space import Space
from search.space.spaces import SPACES

FULL = SPACES["full"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights of VGG16's convolutions, as Keras saves them."""
    path: Path = tmp_path_factory.mktemp("vgg16") / "random.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None).save_weights(path)
    return path


@pytest.fixture(autouse=True)
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for Keras' files that has none, and no way out of this machine."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr("models.vgg16.fetch_weights.__defaults__", ("http://127.0.0.1:1/weights.h5", "0"))
    return tmp_path / "keras"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def address(weights: Path) -> Iterator[str]:
    """A server on this machine that has the weights."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(weights.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_vgg16_has_as_many_parameters_as_its_files_are_checked_for() -> None:
    assert keras.applications.VGG16(include_top=False, weights=None).count_params() == N_PARAMETERS


def test_weights_as_keras_saves_them_pass_the_check(weights: Path) -> None:
    check_weights(weights)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = [1.0, 2.0]
    with pytest.raises(ValueError, match=r"other.h5 holds 2 parameters, VGG16 without its top has 14714688: name the"):
        check_weights(tmp_path / "other.h5")


def test_a_file_that_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("weights")
    with pytest.raises(ValueError, match=r"text.h5 is no HDF5 file: name VGG16's weights as Keras saves them"):
        check_weights(tmp_path / "text.h5")


def test_weights_are_downloaded_once_to_where_keras_keeps_them(address: str, weights: Path, keras_home: Path) -> None:
    md5 = hashlib.md5(weights.read_bytes()).hexdigest()
    path = fetch_weights(f"{address}/{weights.name}", md5)
    assert path == cached_weights()
    assert path.parent == keras_home / "models"
    assert path.read_bytes() == weights.read_bytes()
    assert fetch_weights("http://127.0.0.1:1/gone", md5) == path
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_download_that_is_another_file_is_refused_and_not_kept(address: str, weights: Path) -> None:
    with pytest.raises(OSError, match=r"gave \d+ bytes that are not VGG16's weights"):
        fetch_weights(f"{address}/{weights.name}", "0" * 32)
    assert not cached_weights().exists()


def test_a_named_file_is_used_and_told_by_its_hash(weights: Path) -> None:
    space, found, left_out = find_weights(FULL, weights)
    assert (space, found, left_out) == (FULL, weights.resolve(), [])
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert weights_facts(found) == {"path": str(weights.resolve()), "sha256": sha256}


def test_without_weights_the_other_losses_are_searched_and_the_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    space, found, left_out = find_weights(FULL, None)
    assert f"are downloaded once (59 MB): {cached_weights()}" in capsys.readouterr().out
    assert found is None
    assert space.axes["loss"] == tuple(loss for loss in FULL.axes["loss"] if loss != PERCEPTUAL)
    assert [describe_left_out(item) for item in left_out] == ["perceptual: not run, no VGG16 weights"]
    assert "Connection refused" in left_out[0]["cause"]


def test_a_space_without_the_perceptual_loss_asks_for_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.space.perceptual.fetch_weights", lambda: pytest.fail("asked for weights"))
    assert find_weights(SPACES["smoke"], None) == (SPACES["smoke"], None, [])


def test_a_download_that_breaks_off_leaves_the_loss_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off() -> Path:
        raise IncompleteRead(b"abc", 997)

    monkeypatch.setattr("search.space.perceptual.fetch_weights", breaks_off)
    assert PERCEPTUAL not in find_weights(FULL, None)[0].axes["loss"]


def test_a_space_whose_loss_is_no_axis_asks_for_no_weights() -> None:
    space = Space("mine", {"architecture": ("native1k",)}, fields={"loss": "mse"})
    assert find_weights(space, None) == (space, None, [])
    with pytest.raises(ValueError, match="unknown loss 'mse' in space mine; known: none"):
        space.narrowed("loss", ["mse"])


def test_the_perceptual_loss_alone_cannot_be_searched_without_weights() -> None:
    with pytest.raises(InputError, match=r"the perceptual loss needs VGG16's weights, .+: name a file .+ --vgg16-we"):
        find_weights(FULL.narrowed("loss", [PERCEPTUAL]), None)


@pytest.mark.parametrize(("name", "message"), [("nowhere.h5", "is no file: name VGG16's"), ("text.h5", "is no HDF5")])
def test_a_bad_weights_file_is_one_line(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.h5").write_text("weights")
    assert main(["--vgg16-weights", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lowq: ")
    assert message in line
