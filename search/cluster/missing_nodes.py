"""The PCs of cluster.yaml that are not in the cluster, and why: the head asks each of them by ssh."""

import platform
import subprocess
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from search.cluster.configuration import ClusterConfiguration
from search.cluster.preflight import Fault

ANSWER_S = 30.0
ENVIRONMENT_MB = 4000  # of disk: what constraints.txt installs, without CUDA, is 2,900 MB
ASK = (
    "~/lowq/.venv/bin/python -c 'import platform; print(platform.python_version())' 2>/dev/null || echo none; "
    "test -f ~/lowq/.venv/installed && echo installed || echo not; df -Pk ~ | tail -n 1"
)
MONITOR = "`cat /tmp/ray/session_latest/logs/monitor.out` on the head tells what was tried"


def find_missing_nodes(configuration: ClusterConfiguration, present: Collection[str]) -> list[Fault]:
    """Return a fault for each PC that is not present, and for a head that has no key to ask them with."""
    absent = [worker for worker in configuration.workers if worker not in present]
    if not configuration.key.is_file():
        fix = "`ray up` again where cluster.yaml and the key are"
        return [
            Fault(
                configuration.head,
                f"the head lacks the key {configuration.key}, it cannot start the others",
                fix,
                is_fatal=False,
            ),
            *(Fault(worker, "is not in the cluster", fix) for worker in absent),
        ]
    with ThreadPoolExecutor(max(1, len(absent))) as threads:
        return list(threads.map(lambda worker: _ask(configuration, worker), absent))


def _ask(configuration: ClusterConfiguration, worker: str) -> Fault:
    """Ask an absent PC by ssh what is wrong."""
    target = f"{configuration.user}@{worker}"
    try:
        answer = configuration.ask(worker, ASK, ANSWER_S)
    except FileNotFoundError:
        return Fault(
            worker, "is not in the cluster, and the head has no ssh to ask it", "install openssh-client on the head"
        )
    except subprocess.TimeoutExpired:
        return Fault(worker, f"takes ssh, but does not answer within {ANSWER_S:g} s", "restart it")
    if answer.returncode == 0:
        return _explain(worker, answer.stdout.split())
    said = (answer.stderr.strip().splitlines() or [f"ssh ended with {answer.returncode}"])[-1]
    if "denied" in said:
        return Fault(worker, f"refuses ssh: {said}", f"`ssh-copy-id -i KEY {target}`, with the key of cluster.yaml")
    if "refused" in said:
        return Fault(worker, f"is on, and takes no ssh: {said}", "install and start openssh-server there")
    return Fault(worker, f"cannot be reached: {said}", f"switch it on; does `ssh {target}` work?")


def _explain(worker: str, facts: list[str]) -> Fault:
    """Read what a PC answered: Python's version, whether lowq is installed, a line of df."""
    try:
        python, installed, free_mb = facts[0], facts[1], int(facts[5]) * 1024 / 1e6
    except (LookupError, ValueError):
        return Fault(worker, "answers ssh with other lines than asked for", "have its ~/.bashrc print nothing to ssh")
    wanted = platform.python_version()
    if python not in ("none", wanted):
        fix = "install the same there, or name one that all have in cluster.yaml"
        return Fault(worker, f"has Python {python}, the head has {wanted}", fix)
    if installed == "installed":
        return Fault(worker, "is set up, but Ray does not run there (yet)", f"wait a minute; {MONITOR}")
    if free_mb < ENVIRONMENT_MB:
        what = f"{free_mb:.0f} MB of disk free in its home folder, lowq's packages need {ENVIRONMENT_MB} MB"
        return Fault(worker, what, "free some space there")
    return Fault(worker, "is being set up, or cannot be", f"wait some minutes; {MONITOR}")
