"""Where a result comes from: versions, code, node, commit."""

import hashlib
import importlib.util
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOMS = ("datasets", "models", "search", "analysis")
PACKAGES = ("lowq", "ray", "optuna", "tensorflow", "keras", "numpy", "pillow")


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a result."""
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}


@cache
def code_hash() -> str:
    """Return the SHA-256 of our four packages' code, wherever each of them is imported from.

    Another package of the same name, such as Hugging Face's datasets, makes another hash.
    """
    digest = hashlib.sha256()
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{room}/{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


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
