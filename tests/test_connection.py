"""Joining a cluster: why it cannot be joined is told apart, and nothing is waited for without end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from datasets.errors import InputError
from search.cluster import connection
from search.cluster.connection import ROOT, connect, usable_cores
from search.cluster.watchdog import _answers


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("AuthenticationError: token rejected", "the Ray cluster at h:1 refuses this machine's token: copy the head's"),
        ("RuntimeError: Version mismatch: Ray: 2.52.0 and 2.60.0", "is of another version (RuntimeError: Version"),
        ("ConnectionError: refused", "no Ray cluster answers at h:1 (ConnectionError: refused): start one, or leave"),
    ],
)
def test_why_a_cluster_cannot_be_joined_is_said(
    said: str, advice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(connection, "_probe", lambda address, environment: said)
    with pytest.raises(InputError) as raised:
        connect("h:1")
    assert advice in str(raised.value)


@pytest.mark.parametrize("is_in", ["the file of the home folder", *connection.AUTH_TOKENS])
def test_a_cluster_that_asks_for_a_token_is_joined_with_the_one_that_is_here(
    is_in: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (connection.AUTH_MODE, *connection.AUTH_TOKENS):
        monkeypatch.delenv(name, raising=False)
    if is_in in connection.AUTH_TOKENS:
        monkeypatch.setenv(is_in, "a token")
    else:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("a token")
    asked: list[Mapping[str, str]] = []

    def probe(address: str, environment: Mapping[str, str]) -> str:
        asked.append(environment)
        return "" if environment else "AuthenticationError: no token"

    monkeypatch.setattr(connection, "_probe", probe)
    monkeypatch.setattr(connection, "Config", SimpleNamespace(initialize=lambda text: None))
    connection._require_answer("h:1")
    assert asked == [{}, {connection.AUTH_MODE: "token"}]
    assert os.environ.pop(connection.AUTH_MODE) == "token"


def test_ray_says_nothing_of_a_wrong_token_but_that_it_cannot_connect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(connection, "_probe", lambda address, environment: "ConnectionError: Failed to connect")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match=f"the Ray cluster at {address} refuses this machine's token"):
            connect(address)


def test_an_address_that_accepts_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(connection, "CONNECT_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        told = rf"no Ray cluster answers at {address} \(it says nothing\).*, or search on a PC that is a node of it"
        with pytest.raises(InputError, match=told):
            connect(address)


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connection.os, "sched_getaffinity", lambda process: {0, 2, 5, 7})
    monkeypatch.setattr(connection, "CPU_QUOTA", tmp_path / "cpu.max")
    assert usable_cores() == 4
    for text, n_cores in (("max 100000", 4), ("250000 100000", 2), ("50000 100000", 1), ("nonsense", 4)):
        (tmp_path / "cpu.max").write_text(text)
        assert usable_cores() == n_cores


def test_a_sigterm_that_ray_hears_while_it_starts_interrupts_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(*asked: object, **options: object) -> None:
        raise SystemExit(15)  # as Ray's handler does

    monkeypatch.setattr(connection.ray, "init", init)
    with pytest.raises(KeyboardInterrupt):
        connect(None)


def test_workers_import_from_no_folder_of_the_users_and_sigterm_stays_the_searchs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders: list[Path] = []

    def init(*asked: object, **options: object) -> None:
        folders.append(Path.cwd())  # which Ray has workers import from
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    monkeypatch.setattr(connection.ray, "init", init)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    connection._init("local")
    assert (folders, Path.cwd(), signal.getsignal(signal.SIGTERM)) == ([ROOT], tmp_path, before)


@pytest.mark.parametrize(
    ("said", "n_tries", "starts"),
    [
        (["The current node timed out during startup. This"], 2, True),
        (2 * ["The current node timed out during startup. This"], 2, False),
        (["no /tmp/ray"], 1, False),
    ],
)
def test_where_ray_comes_up_late_it_is_started_once_more(
    monkeypatch: pytest.MonkeyPatch, said: list[str], n_tries: int, starts: bool
) -> None:
    tries: list[str] = []

    def init(address: str, **options: object) -> None:
        tries.append(address)
        if len(tries) <= len(said):
            raise Exception(said[len(tries) - 1])

    monkeypatch.setattr(connection.ray, "init", init)
    monkeypatch.setattr(connection, "machine", lambda trials_per_gpu: "a machine")
    if starts:
        assert connect(None) == "a machine"
    else:
        with pytest.raises(InputError, match=rf"^Ray cannot start on this machine \({said[-1]}"):
            connect(None)
    assert tries == n_tries * ["local"]


ALONE = "from search.cluster.connection import connect; connect(None)"


def test_a_machine_that_cannot_reach_itself_is_told_so() -> None:
    alone = ("unshare", "--net")
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare makes no network namespace here: it needs root on Linux")
    tried = subprocess.run(
        [*alone, sys.executable, "-c", ALONE],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert tried.stderr.strip().splitlines()[-1].endswith("talk over the loopback interface: ip link set lo up")


def test_the_watchdog_sees_who_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        assert _answers(place)
    assert not _answers(place)
