"""Trials in MLflow: told to a tracking server by Ray's callback; a server that is gone holds up and ends nothing."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from datasets.errors import InputError
from search.engine.mlflow_log import MlflowLog, require_mlflow
from search.space.spec import TrialSpec

SPEC = TrialSpec("resnet")


class Trial:
    """A trial as Tune has it."""

    config: ClassVar[dict[str, Any]] = {"spec": SPEC}

    def __str__(self) -> str:
        return SPEC.trial_id


class Server(BaseHTTPRequestHandler):
    """Answers as much of MLflow's REST interface as a search needs, and remembers what it is told."""

    told: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def _answer(self, facts: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if "experiments/get" in self.path:
            self._answer({"experiment": {"experiment_id": "1", "name": "a-run", "lifecycle_stage": "active"}})
        elif "runs/get" in self.path:
            self._answer({"run": {"info": RUN, "data": {}}})
        else:
            self._answer({}, 404)

    def do_POST(self) -> None:
        facts = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.told.append((self.path.rpartition("mlflow/")[2], facts))
        self._answer({"run": {"info": RUN, "data": {}}, "run_info": RUN, "experiment_id": "1"})

    def log_message(self, *arguments: object) -> None: ...


RUN = {
    "run_id": "r1",
    "run_uuid": "r1",
    "experiment_id": "1",
    "status": "RUNNING",
    "artifact_uri": "x",
    "run_name": "t",
}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(Server, "told", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _play(log: MlflowLog) -> None:
    trial = Trial()
    log.setup()
    log.on_trial_start(0, [trial], trial)
    result = {"epoch": 1, "best_bytes_at_parity": 0.8, "training_iteration": 1}
    log.on_trial_result(1, [trial], trial, result)
    log.on_trial_complete(1, [trial], trial)
    log.on_experiment_end([trial])


def test_a_trial_is_a_run_with_its_settings_and_what_it_showed(address: str) -> None:
    pytest.importorskip("mlflow")
    require_mlflow(address)
    said: list[str] = []
    _play(MlflowLog(address, "a-run", said.append))
    assert not said
    told = json.dumps(Server.told)
    assert '"runs/create"' in told
    assert '"architecture"' in told
    assert '"best_bytes_at_parity"' in told
    assert '"FINISHED"' in told


def test_a_server_that_is_gone_is_said_once_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said: list[str] = []
    _play(MlflowLog("http://127.0.0.1:1", "a-run", said.append))
    (line,) = said
    assert line.startswith("MLflow has nothing more of this search: ")


def test_no_server_and_no_address_are_refused_in_one_line() -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(InputError, match="no MLflow server answers at http://127"):
        require_mlflow("http://127.0.0.1:1")
    with pytest.raises(InputError, match="no MLflow server answers at http://lab:abc"):
        require_mlflow("http://lab:abc")
    with pytest.raises(InputError, match="--mlflow takes the address of a tracking server"):
        require_mlflow("mlruns")


def test_without_mlflow_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(InputError, match=r"pip install 'lowq\[mlflow\]'"):
        require_mlflow("http://127.0.0.1:1")
