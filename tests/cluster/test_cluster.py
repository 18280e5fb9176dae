"""Five PCs and a laptop, from nothing to a search and back, by the commands of docs/cluster.md.

Real: `ray up` and `ray down`, ssh, rsync, the installation on the head by pip from constraints.txt (from a folder of
wheels, without a network), the searches, the failures. Not real: the PCs share one kernel and two cores, each starts
Ray with one core and a small object store, the others see the head's environment instead of installing it again, and
nobody has a card. The tests build on one another, in this order: after one that fails none can pass.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.space.spec import TrialSpec
from tests.cluster.hosts import HOME, NEEDED, SHARED, Host, Room, make_key
from tests.cluster.page import ROOT, read_commands

WHEELS = ROOT / "build" / "wheels"
SMALL = "--num-cpus=1 --object-store-memory=100000000"
LAST_PC = "        - 192.168.1.14\n"
HEAD_PORT = "192.168.1.10:6379"
N_UNTRAINED = 2  # JPEG as it is, and the linear filter of the one training quality
CUT_S = 60
PATIENCE_S = 900
PIP = f"[global]\nno-index = true\nfind-links = {SHARED}/wheels\n"
PROFILE = f"PATH={sys.base_prefix}/bin:$HOME/.local/bin:$PATH\n"
ASK_URL = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
print(urllib.request.urlopen(request, timeout=5).status)
"""


def _missing() -> str | None:
    """Return why hosts cannot be made here, None where they can."""
    if os.geteuid() != 0:
        return "making hosts takes root"
    lacking = [tool for tool in NEEDED if shutil.which(tool) is None]
    if lacking:
        return f"{', '.join(lacking)} missing: apt-get install iproute2 openssh-server openssh-client rsync tmux"
    made = subprocess.run(["unshare", "--net", "--pid", "--mount", "--uts", "--fork", "true"], check=False)
    return None if made.returncode == 0 else "this root may not make namespaces"


WHY_NOT = _missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")

DRIVER = ".venv/bin/python search/run.py"


class Desk:
    """The laptop: gives commands of the page, and remembers which."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.page = read_commands()
        self.given: set[tuple[str, int]] = set()

    @property
    def checkout(self) -> Path:
        return self.host.home / "lowq"

    def line(self, section: str, place: int, *changes: tuple[str, str]) -> str:
        """Return a command of the page as it is given: in the checkout, in its environment, with some words changed."""
        self.given.add((section, place))
        command = self.page[section][place]
        for old, new in changes:
            assert old in command
            command = command.replace(old, new)
        return f"cd lowq && . .venv/bin/activate && {command}"

    def ask(self, section: str, place: int, *changes: tuple[str, str], timeout_s: float = 400) -> str:
        """Give a command, whatever comes of it, and return what it prints."""
        return self.host.run(self.line(section, place, *changes), timeout_s).stdout

    def give(self, section: str, place: int, *changes: tuple[str, str], timeout_s: float = 400) -> str:
        """Give a command that must succeed, and return what it prints."""
        done = self.host.run(self.line(section, place, *changes), timeout_s)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def all_fine(self, n_nodes: int) -> bool:
        told = self.ask("Check", 0)
        return "all nodes are fine" in told and n_listed(told) == n_nodes


def n_listed(told: str) -> int:
    """Return how many PCs the check lists."""
    return sum(f"\npc{n} " in told for n in range(1, 6))


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    room = Room(tmp_path_factory.mktemp("room"))
    yield room
    room.end()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A key: what is secret of it and what is not."""
    path = tmp_path_factory.mktemp("key") / "key"
    public = make_key(path)
    return path.read_text(), public


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that hosts share: wheels of all that constraints.txt asks for, and the environment of the PCs."""
    folder = tmp_path_factory.mktemp("shared")
    what = ["--constraint", "constraints.txt", "--dest", str(WHEELS), ".[watch]", "setuptools>=77"]
    wanted = "".join([*what, *((ROOT / name).read_text() for name in ("pyproject.toml", "constraints.txt"))])
    stamp = WHEELS / "of"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(WHEELS, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--quiet", *what], cwd=ROOT, check=True)
        stamp.write_text(wanted)
    shutil.copytree(WHEELS, folder / "wheels", copy_function=os.link if _same_disk(folder) else shutil.copy)
    (folder / "venv").mkdir()
    return folder


@pytest.fixture(scope="module")
def pcs(room: Room, key: tuple[str, str], shared: Path) -> list[Host]:
    """Five PCs, the head first; the head alone can write the environment that all see."""
    home = {
        ".profile": PROFILE,
        ".bashrc": "",
        ".ssh/authorized_keys": key[1],
        ".config/pip/pip.conf": PIP,
    }
    return [room.add(9 + n, f"pc{n}", home, shared, is_writer=n == 1) for n in range(1, 6)]


@pytest.fixture(scope="module")
def desk(room: Room, key: tuple[str, str], shared: Path) -> Desk:
    """A laptop with a checkout, the key and cluster.yaml filled in for four PCs; a fifth comes later."""
    home = {".profile": PROFILE, ".bashrc": "", ".ssh/id_ed25519": key[0]}
    home[".ssh/config"] = "StrictHostKeyChecking accept-new\n"
    desk = Desk(room.add(99, "laptop", home, shared))
    desk.host.run(f"umount {HOME}/lowq/.venv && rmdir lowq/.venv")
    skipped = shutil.ignore_patterns(".*", "build", "runs", "data", "benchmarks", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, desk.checkout, ignore=skipped, dirs_exist_ok=True)
    (desk.checkout / ".venv").symlink_to(sys.prefix)
    text = (ROOT / "cluster.yaml").read_text()
    assert text.count("ray start --") == 2
    (desk.checkout / "cluster.yaml").write_text(text.replace("ray start --", f"ray start {SMALL} --"))
    _edit(desk, LAST_PC, "")
    return desk


def test_four_pcs_form_a_cluster(pcs: list[Host], desk: Desk) -> None:
    for place in range(3):
        desk.give("Form", place)
    _until(lambda: desk.all_fine(4))
    assert pcs[0].run("cat lowq/.venv/installed").returncode == 0
    port = "import socket; socket.create_connection(('192.168.1.10', 8265), 5)"
    assert "ConnectionRefusedError" in pcs[1].run(f'python3 -c "{port}"').stdout, "the dashboard is for the head alone"


def test_it_is_stopped_without_a_trace_and_formed_again_with_one_more(pcs: list[Host], desk: Desk) -> None:
    desk.give("Stop", 0)
    assert _left_of_ray(pcs) == []
    _edit(desk, "        - 192.168.1.13\n", f"        - 192.168.1.13\n{LAST_PC}")
    desk.give("Grow and shrink", 0)
    _until(lambda: desk.all_fine(5))


def test_a_search_outlives_the_laptop_and_is_watched_from_it(pcs: list[Host], desk: Desk) -> None:
    desk.host.run("cd lowq && . .venv/bin/activate && python -m datasets synthesize images --count 60")
    desk.host.run("cd lowq && . .venv/bin/activate && python -m datasets pack images pack --size 96")
    desk.give("Send data", 0)
    desk.give("Search", 0)
    desk.host.kill()
    _until(lambda: "starts" in _log(pcs[0], "first"))
    assert "starts" in desk.give("Watch", 0, ("-n 5", "-n 99"))
    screen = desk.host.popen(f"script -qec '{desk.line('Watch', 1)}' /dev/null", stdout=subprocess.PIPE)
    watchers = [desk.host.popen(desk.line("Watch", place), stdout=subprocess.DEVNULL) for place in (2, 3, 4)]
    token = (desk.host.home / ".ray/auth_token").read_text()
    _until(lambda: "200" in _page(desk, "http://localhost:8265/nodes?view=summary", token))
    assert "403" in _page(desk, "http://localhost:8265/nodes?view=summary", "wrong")
    _until(lambda: "200" in _page(desk, "http://localhost:6006/data/runs", ""))
    _until(lambda: "200" in _page(desk, "http://localhost:8080/dashboard/", ""))
    desk.host.kill()
    for process in watchers:
        process.wait()
    assert "parity" in screen.communicate()[0]
    _until(lambda: "restorer: " in _log(pcs[0], "first"))
    assert "report: " in desk.give("Watch", 0)
    records = _records(pcs[0], "first")
    assert {record["node"] for record in records} == {pc.name for pc in pcs}
    assert len(records) == 12 + N_UNTRAINED
    assert {record["status"] for record in records} <= {"completed", "stopped"}


def test_a_wrong_token_is_refused(pcs: list[Host], desk: Desk) -> None:
    command = f"cd lowq && RAY_AUTH_TOKEN=wrong .venv/bin/python search/run.py --address {HEAD_PORT} --dry-run"
    done = pcs[1].run(command, 120)
    assert done.returncode == 2
    assert f"lowq: the Ray cluster at {HEAD_PORT} refuses this machine's token" in done.stdout


def test_results_are_fetched(desk: Desk) -> None:
    desk.give("Fetch results", 0)
    assert "192.168" not in (desk.checkout / "first/report/index.html").read_text()


def test_a_search_outlives_dead_pcs_a_cut_network_and_its_own_end(room: Room, pcs: list[Host], desk: Desk) -> None:
    head, killed, cut, *_ = pcs
    long = ("runs/first", "runs/second"), ("first.log", "second.log"), ("--trials 12", "--trials 1000")
    desk.give("Search", 0, *long)
    _until(lambda: all(_trains(pc) for pc in pcs))
    open_at_kill = _open(head, "second")
    killed.kill()
    _until(lambda: not _open(head, "second") & open_at_kill)
    _until(lambda: _trains(cut))
    open_at_cut = _open(head, "second")
    room.cut(cut)
    time.sleep(CUT_S)
    room.mend(cut)
    _until(lambda: not _open(head, "second") & open_at_cut)
    _until(lambda: desk.all_fine(5))
    open_at_end = _open(head, "second")
    assert head.kill("search/run.py") >= 1
    n_trials = len(_records(head, "second")) - N_UNTRAINED + len(open_at_end) + 2
    resumed = ("runs/first", f"runs/second --trials {n_trials}"), ("first.log", "second.log")
    desk.give("Interrupt, and go on", 1, *resumed)
    _until(lambda: len(_records(head, "second")) == n_trials + N_UNTRAINED)
    desk.give("Interrupt, and go on", 0)
    _until(lambda: not any(line.startswith(DRIVER) for line in head.processes().values()))
    records = _records(head, "second")
    ids = [record["trial_id"] for record in records]
    assert len(ids) == len(set(ids)) == n_trials + N_UNTRAINED
    assert open_at_kill | open_at_cut | open_at_end <= set(ids)
    assert {record["status"] for record in records} <= {"completed", "stopped"}


def test_pcs_that_are_not_there_are_named_before_a_search_which_goes_on_without_them_when_told_to(
    room: Room, pcs: list[Host], desk: Desk
) -> None:
    *others, closed, off = pcs
    others[0].run("mv ray_bootstrap_key.pem key")
    (closed.home / ".ssh/authorized_keys").rename(closed.home / ".ssh/none")
    closed.kill()
    room.cut(off)
    off.kill()
    told = ""
    while n_listed(told := desk.ask("Check", 0)) > 3:
        time.sleep(1)
    assert "the head lacks the key" in told
    others[0].run("mv key ray_bootstrap_key.pem")
    told = desk.ask("Check", 0)
    assert "192.168.1.13  refuses ssh: " in told
    assert "192.168.1.14  cannot be reached: " in told
    third = ("runs/first", "runs/third"), ("first.log", "third.log"), ("--trials 12", "--trials 1000")
    desk.give("Search", 0, *third)
    _until(lambda: "or go on with --min-nodes 3:" in _log(others[0], "third"))
    desk.give("Search", 0, *third[:2], ("--trials 12", "--trials 1000 --min-nodes 3"))
    _until(lambda: {record["node"] for record in _records(others[0], "third")} == {pc.name for pc in others})
    desk.give("Interrupt, and go on", 0)
    _until(lambda: "interrupted; what ended is safe" in _log(others[0], "third"))
    room.mend(off)
    (closed.home / ".ssh/none").rename(closed.home / ".ssh/authorized_keys")
    _until(lambda: desk.all_fine(5))


def test_in_the_end_nothing_is_left(room: Room, pcs: list[Host], desk: Desk) -> None:
    desk.give("Stop", 0)
    assert _left_of_ray(pcs) == []
    for pc in pcs:
        pc.run(f"umount {HOME}/lowq/.venv")
    desk.give("Clean up", 0)
    for pc in pcs:
        assert pc.run("ls -A ~ | grep -E 'lowq|ray'; ls /tmp | grep '^ray'").stdout == ""
    assert desk.given == {(section, place) for section, lines in desk.page.items() for place in range(len(lines))}
    running = [pid for host in (*pcs, desk.host) for pid in (host.pid, *host.processes())]
    room.end()
    _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in running))
    assert str(pcs[0].folder) not in Path("/proc/mounts").read_text()


def _same_disk(folder: Path) -> bool:
    return folder.stat().st_dev == WHEELS.stat().st_dev


def _edit(desk: Desk, old: str, new: str) -> None:
    path = desk.checkout / "cluster.yaml"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def _until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so. Raises AssertionError when it takes longer than it can on the slowest machine."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for nothing"
        time.sleep(1)


def _log(head: Host, run: str) -> str:
    """Return what a search has said on the head; the page's command shows the end of it, and takes a core to start."""
    path = head.home / f"lowq/{run}.log"
    return path.read_text() if path.exists() else ""


def _trains(pc: Host) -> bool:
    return any(line.startswith("ray::ImplicitFunc") for line in pc.processes().values())


def _open(head: Host, run: str) -> set[object]:
    """Return the trials that were proposed and have not ended."""
    ended = {record["trial_id"] for record in _records(head, run)}
    return {TrialSpec(**spec).trial_id for spec in _rows(head, run, "proposed.jsonl")} - ended  # type: ignore[arg-type]


def _page(desk: Desk, url: str, token: str) -> str:
    """Return the status of a page that the laptop asks for, or why it has none."""
    return desk.host.run(f"python3 -c '{ASK_URL}' '{url}' '{token}' 2>&1 | tail -n 1").stdout


def _left_of_ray(pcs: list[Host]) -> list[str]:
    """Return the command lines of what Ray or lowq run on the PCs; shells in tmux, with old output, do not count."""
    lines = [line for pc in pcs for line in pc.processes().values() if not line.startswith(("tmux", "bash", "sshd"))]
    return [line for line in lines if "ray" in line or "python" in line]


def _rows(head: Host, run: str, name: str) -> list[dict[str, object]]:
    """Return the whole lines of a run's file on the head."""
    path = head.home / "lowq/runs" / run / name
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _records(head: Host, run: str) -> list[dict[str, object]]:
    return _rows(head, run, "records.jsonl")
