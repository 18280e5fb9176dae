"""Hosts on one Linux machine: each has its own network, processes, home, /tmp and sshd, as a PC in a room has.

They are joined by a bridge in a network of its own, so nothing of them is seen from outside, and end with the process
that made them.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

NETWORK = "192.168.1."
USER, HOME = "lab", "/mnt/lab"
SHARED = "/mnt/shared"
READY_S = 20.0
NEEDED = ("ip", "unshare", "nsenter", "setpriv", "ssh", "ssh-keygen", "/usr/sbin/sshd", "rsync", "tmux")
KEPT = sorted({path for path in (sys.prefix, sys.base_prefix) if path.startswith("/tmp/")})
SSHD = f"""\
HostKey {HOME}/.sshd/key
PidFile none
UsePAM no
PermitRootLogin prohibit-password
MaxStartups 50
"""
# The first process of a host; $1: its folder, $2: the shared one, $3: how it may use that, then folders to keep in
# sight although they lie in /tmp, which is its own as well.
START = f"""\
set -e
mount --bind "$1/passwd" /etc/passwd
mount -t tmpfs tmpfs /mnt
mkdir {HOME} {SHARED}
mount --bind "$1/home" {HOME}
mount --bind -o "$3" "$2" {SHARED}
mkdir -p {HOME}/lowq/.venv
mount --bind {SHARED}/venv {HOME}/lowq/.venv
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/sshd
hostname "${{1##*/}}"
own=$1/tmp
shift 3
for kept in "$@"; do mkdir -p "/mnt$kept"; mount --bind "$kept" "/mnt$kept"; done
mount --bind "$own" /tmp
for kept in "$@"; do mkdir -p "$kept"; mount --bind "/mnt$kept" "$kept"; done
exec /usr/sbin/sshd -D -e -f {HOME}/.sshd/config
"""


@dataclass(frozen=True)
class Host:
    """A host that runs. pid: of its first process, as seen from outside; folder: of its files."""

    name: str
    address: str
    pid: int
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def popen(self, command: str, **options: object) -> "subprocess.Popen[str]":
        """Start a command in a login shell of the host."""
        shell = [
            "env",
            "-i",
            f"HOME={HOME}",
            f"USER={USER}",
            "TERM=xterm",
            "LANG=C.UTF-8",
            "bash",
            "-lc",
            f"cd; {command}",
        ]
        inside = ["nsenter", "--target", str(self.pid), "--net", "--pid", "--mount", "--uts", *shell]
        return subprocess.Popen(inside, text=True, **options)  # type: ignore[call-overload,no-any-return]

    def run(self, command: str, timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a command in a login shell of the host; its two outputs come as one."""
        process = self.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(command, process.returncode, output)

    def processes(self) -> dict[int, str]:
        """Return the command lines of what runs on the host but for its first process, by their ids outside."""
        mine, found = _namespace(self.pid), {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and int(entry.name) != self.pid and _namespace(int(entry.name)) == mine:
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue  # it ended meanwhile
        return {pid: line for pid, line in found.items() if line}

    def kill(self, part: str = "") -> int:
        """Kill what runs on the host, but for its first process, with a part in its command line; return how many."""
        chosen = [pid for pid, line in self.processes().items() if part in line]
        for pid in chosen:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(chosen)


class Room:
    """Hosts that one bridge joins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._switch = self._begin(["sleep", "infinity"], "--net")
        _ip("-n", "link", "add", "bridge0", "type", "bridge", pid=self._switch)
        _ip("-n", "link", "set", "bridge0", "up", pid=self._switch)

    def add(self, place: int, name: str, home: dict[str, str], shared: Path, is_writer: bool = False) -> Host:
        """Start a host with files in its home, name -> text; it sees the shared folder, which only writers change."""
        folder = self._folder / name
        (folder / "tmp").mkdir(parents=True)
        (folder / "tmp").chmod(0o1777)
        (folder / "passwd").write_text(f"{USER}:x:0:0:root:{HOME}:/bin/bash\nsshd:x:101:65534::/run/sshd:/bin/false\n")
        for file, text in {".sshd/config": SSHD, **home}.items():
            (folder / "home" / file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / "home" / file).write_text(text)
            (folder / "home" / file).chmod(0o600)
        make_key(folder / "home" / ".sshd" / "key")
        command = ["bash", "-c", START, "bash", str(folder), str(shared), "rw" if is_writer else "ro", *KEPT]
        pid = self._begin(command, "--net", "--pid", "--mount", "--uts", "--mount-proc", log=folder / "log")
        link = ("type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _ip("-n", "link", "add", f"host{place}", *link, pid=self._switch)
        _ip("-n", "link", "set", f"host{place}", "master", "bridge0", "up", pid=self._switch)
        host = Host(name, f"{NETWORK}{place}", pid, folder)
        _ip("-n", "addr", "add", f"{host.address}/24", "dev", "eth0", pid=pid)
        _ip("-n", "link", "set", "eth0", "up", pid=pid)
        _ip("-n", "link", "set", "lo", "up", pid=pid)
        return host

    def cut(self, host: Host) -> None:
        """Take a host's network away."""
        _ip("-n", "link", "set", f"host{host.address.rpartition('.')[2]}", "down", pid=self._switch)

    def mend(self, host: Host) -> None:
        """Give a host's network back."""
        _ip("-n", "link", "set", f"host{host.address.rpartition('.')[2]}", "up", pid=self._switch)

    def end(self) -> None:
        """End every host: their networks and mounts go with their processes."""
        for process in self._started:
            process.kill()
            process.wait()

    def _begin(self, command: list[str], *apart: str, log: Path | None = None) -> int:
        """Start a process in namespaces of its own; return its id."""
        before = ["setpriv", "--pdeathsig", "KILL", "unshare", *apart, "--fork", "--kill-child"]
        with open(log or os.devnull, "wb") as output:
            process = subprocess.Popen([*before, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self._started.append(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if process.poll() is not None:
                raise RuntimeError(f"{shlex.join(before)} ended: {log.read_text() if log else ''}")
            if pids := children.read_text().split():
                return int(pids[0])
            time.sleep(0.05)
        raise RuntimeError("no process came up")


def make_key(path: Path) -> str:
    """Make a key pair and return its public part."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


def _namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def _ip(*arguments: str, pid: int) -> None:
    """Run `ip` in the network of a process."""
    subprocess.run(["nsenter", "--target", str(pid), "--net", "ip", *arguments[1:]], check=True)
