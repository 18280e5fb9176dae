"""PCs of cluster.yaml that are not in the cluster: each reason is named with its fix, by what ssh answers."""

import platform
from pathlib import Path

import pytest
import yaml

from search.cluster.configuration import ClusterConfiguration, read_configuration
from search.cluster.missing_nodes import find_missing_nodes
from search.cluster.preflight import Fault
from search.cluster.stop_nodes import stop_workers

PYTHON = platform.python_version()
DF = "/dev/sda1 900000 1 {free_kb} 9% /home"
ROOMY, FULL = DF.format(free_kb=50_000_000), DF.format(free_kb=500_000)


def _asked(answer: str, status: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fault:
    """Return the fault of a worker whose ssh answers so; `answer` goes to standard error when the status is not 0."""
    (folder / "key").touch()
    (folder / "ssh").write_text(f"#!/bin/sh\necho '{answer}' >&{2 if status else 1}\nexit {status}\n")
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    (fault,) = find_missing_nodes(
        ClusterConfiguration("10.0.0.1", ("10.0.0.2", "10.0.0.3"), "lab", folder / "key"), ["10.0.0.1", "10.0.0.3"]
    )
    assert (fault.node, fault.is_fatal) == ("10.0.0.2", True)
    return fault


@pytest.mark.parametrize(
    ("answer", "what", "fix"),
    [
        (
            "ssh: connect to host 10.0.0.2 port 22: No route to host",
            "cannot be reached: ssh: connect to host 10.0.0.2 port 22: No route to host",
            "switch it on; does `ssh lab@10.0.0.2` work?",
        ),
        (
            "ssh: connect to host 10.0.0.2 port 22: Connection refused",
            "is on, and takes no ssh: ssh: connect to host 10.0.0.2 port 22: Connection refused",
            "install and start openssh-server there",
        ),
        (
            "lab@10.0.0.2: Permission denied (publickey).",
            "refuses ssh: lab@10.0.0.2: Permission denied (publickey).",
            "`ssh-copy-id -i KEY lab@10.0.0.2`, with the key of cluster.yaml",
        ),
    ],
)
def test_a_pc_that_ssh_does_not_reach_is_named_with_the_reason(
    answer: str, what: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = _asked(answer, 255, tmp_path, monkeypatch)
    assert (fault.what, fault.fix) == (what, fix)


@pytest.mark.parametrize(
    ("answer", "what", "fix"),
    [
        (f"3.9.1\ninstalled\n{ROOMY}", f"has Python 3.9.1, the head has {PYTHON}", "install the same there"),
        (f"{PYTHON}\nnot\n{FULL}", "512 MB of disk free in its home folder, lowq", "free some space there"),
        (f"none\nnot\n{ROOMY}", "is being set up, or cannot be", "wait some minutes; `cat"),
        ("Welcome!", "answers ssh with other lines than asked for", "have its ~/.bashrc print nothing"),
        (f"{PYTHON}\ninstalled\n{ROOMY}", "is set up, but Ray does not run there (yet)", "wait a minute; `cat"),
    ],
)
def test_a_pc_that_answers_is_asked_what_it_lacks(
    answer: str, what: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = _asked(answer, 0, tmp_path, monkeypatch)
    assert fault.what.startswith(what)
    assert fault.fix.startswith(fix)


def test_a_pc_that_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.cluster.missing_nodes.ANSWER_S", 0.2)
    fault = _asked("'; sleep 5; echo '", 0, tmp_path, monkeypatch)
    assert (fault.what, fault.fix) == ("takes ssh, but does not answer within 0.2 s", "restart it")


@pytest.mark.parametrize(("status", "lines"), [(0, []), (255, ["10.0.0.2 was not stopped: No route to host"])])
def test_the_head_stops_the_others_and_names_those_it_cannot_reach(
    status: int, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text(
        f"#!/bin/sh\necho $* >>{tmp_path}/asked\necho 'No route to host' >&2\nexit {status}\n"
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert stop_workers(ClusterConfiguration("10.0.0.1", ("10.0.0.2",), "lab", tmp_path / "key")) == lines
    assert (tmp_path / "asked").read_text().endswith("lab@10.0.0.2 ~/lowq/.venv/bin/ray stop\n")


def test_a_head_without_ssh_stops_nobody_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (line,) = stop_workers(ClusterConfiguration("10.0.0.1", ("10.0.0.2",), "lab", tmp_path / "key"))
    assert line.startswith("10.0.0.2 was not stopped: [Errno 2] No such file or directory: 'ssh'")


def test_a_head_without_the_key_is_named_and_so_is_every_absent_pc(tmp_path: Path) -> None:
    head, worker = find_missing_nodes(ClusterConfiguration("10.0.0.1", ("10.0.0.2",), "lab", tmp_path / "key"), [])
    assert (head.node, head.what) == ("10.0.0.1", f"the head lacks the key {tmp_path}/key, it cannot start the others")
    assert not head.is_fatal
    assert (worker.node, worker.what, worker.is_fatal) == ("10.0.0.2", "is not in the cluster", True)
    assert worker.fix == "`ray up` again where cluster.yaml and the key are"


def test_a_head_without_ssh_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    (fault,) = find_missing_nodes(ClusterConfiguration("10.0.0.1", ("10.0.0.2",), "lab", tmp_path / "key"), [])
    assert (fault.what, fault.fix) == (
        "is not in the cluster, and the head has no ssh to ask it",
        "install openssh-client on the head",
    )


def test_the_room_is_read_from_what_ray_up_leaves_on_the_head(tmp_path: Path) -> None:
    told = {
        "provider": {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2"]},
        "auth": {"ssh_user": "lab", "ssh_private_key": "~/key"},
    }
    (tmp_path / "told.yaml").write_text(yaml.safe_dump(told))
    assert read_configuration(tmp_path / "told.yaml") == ClusterConfiguration(
        "10.0.0.1", ("10.0.0.2",), "lab", Path.home() / "key"
    )


@pytest.mark.parametrize(
    "text",
    [
        None,
        "provider: {type: aws}",
        "\n",
        "[1",
        "provider: {type: local}",
        "provider: {type: local, head_ip: a, worker_ips: }",
    ],
)
def test_a_cluster_made_by_other_means_has_no_room(text: str | None, tmp_path: Path) -> None:
    if text:
        (tmp_path / "told.yaml").write_text(text)
    assert read_configuration(tmp_path / "told.yaml") is None
