"""A search as a process of its own: started in another folder than the project's, and listened to."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from datasets.packed import PackedDataset

ROOT = Path(__file__).resolve().parent.parent
RUN_PY = ROOT / "search" / "run.py"
ENDS_S = 600  # the most that a search is waited for: a machine may be busy


def command_line(*arguments: object) -> list[str]:
    """Return the command that starts a search with these arguments."""
    return [sys.executable, str(RUN_PY), *map(str, arguments)]


def run_in(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a search from a folder to its end."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RAY_ADDRESS")}
    return subprocess.run(
        command_line(*arguments), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def start(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """Start a search from a folder, in a session of its own."""
    return subprocess.Popen(
        command_line(*arguments),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def start_smoke(pack: PackedDataset, folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """Start a smoke search; its run is FOLDER/run."""
    return start(folder, "--space", "smoke", "--data", pack.folder, "--out", "run", *arguments)


def line_with(process: "subprocess.Popen[str]", part: str) -> str:
    """Wait for the line of a search's output that holds a part."""
    assert process.stdout is not None
    for line in process.stdout:
        if part in line:
            return line
    raise AssertionError(f"no line with {part!r}: {process.communicate()[1]}")


def epochs_told(lines: Iterable[str]) -> list[tuple[str, str]]:
    """List the trials and epochs that lines of a search's output tell of."""
    return re.findall(r"(\S+)  epoch (\d+)/", "\n".join(lines))
