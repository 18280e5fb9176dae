"""The PCs of cluster.yaml, as the head knows them, and its way to them: ssh."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CONFIGURATION = "ray_bootstrap_config.yaml"  # in the head's home folder, where `ray up` leaves it
CONNECT_S = 8


@dataclass(frozen=True)
class ClusterConfiguration:
    """What cluster.yaml says of the PCs: addresses, and how the head gets to the others."""

    head: str
    workers: tuple[str, ...]
    user: str
    key: Path

    def ask(self, worker: str, command: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
        """Run a command on a worker. Raises FileNotFoundError without an ssh, subprocess.TimeoutExpired."""
        options = (
            f"ConnectTimeout={CONNECT_S}",
            "BatchMode=yes",
            "StrictHostKeyChecking=no",  # as Ray's own ssh has it
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        )
        ssh = ["ssh", "-i", str(self.key), *(part for option in options for part in ("-o", option))]
        return subprocess.run(
            [*ssh, f"{self.user}@{worker}", command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )


def read_configuration(path: Path | None = None) -> ClusterConfiguration | None:
    """Return what the configuration that formed a cluster says of its PCs; None where there is none."""
    try:
        path = path or Path.home() / CONFIGURATION
    except RuntimeError:  # a user without a home folder
        return None
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = yaml.safe_load(path.read_text())
        provider, auth = told.get("provider", {}), told.get("auth", {})
        if provider.get("type") != "local":
            return None
        key = Path(auth.get("ssh_private_key", "~/ray_bootstrap_key.pem")).expanduser()
        workers = tuple(provider["worker_ips"])
        return ClusterConfiguration(provider["head_ip"], workers, auth.get("ssh_user", "USER"), key)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError):
        return None  # another program's, or of a cluster of another kind
