"""Where a result comes from: versions, node, commit."""

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("lowq", "ray", "optuna", "tensorflow", "keras", "numpy", "pillow")


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a result."""
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


def node_name() -> str:
    """Return this machine's name."""
    return platform.node()


def git_commit() -> str | None:
    """Return the commit of the code that runs, "-dirty" appended when it was changed; None outside a repository."""
    git = ("git", "-C", str(Path(__file__).parent))
    try:
        commit = subprocess.run((*git, "rev-parse", "HEAD"), capture_output=True, text=True, check=True).stdout.strip()
        changes = subprocess.run((*git, "status", "--porcelain"), capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changes.strip() else commit
