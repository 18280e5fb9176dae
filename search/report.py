"""What follows a search: the report and model files, each made by a command in a process of its own."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from search.engine.interrupt import POLL_S, told_to_end
from search.records import read_pick

ROOT = Path(__file__).resolve().parents[1]
RESTORER = Path("restorer", "restorer.lowq")


def make_report(run: Path) -> int:
    """Write the report of a run, before it the finalists' safety cards and after it the pick's model file.

    Returns the report's exit code. Raises KeyboardInterrupt once Ctrl-C or SIGTERM came, which ends what is under way.
    """
    _measure_safety(run)
    code = _command("analysis", run).returncode
    if not code:
        _export_pick(run)
    return code


def _measure_safety(run: Path) -> None:
    """Leave a model file of each finalist with its safety card in the run, for the report; some seconds each."""
    done = _command("models", "safety", run, "--finalists", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        print(f"no safety cards were made: {(done.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)


def _export_pick(run: Path) -> None:
    """Leave the pick's restorer as a model file in the run; where nothing is picked there is none."""
    if read_pick(run) is None:
        return
    file = run / RESTORER
    file.parent.mkdir(exist_ok=True)
    done = _command("models", "export", run, "-o", file, "--force", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        print(f"no model file was made: {(done.stderr.strip().splitlines() or ['?'])[-1]}", file=sys.stderr)
    else:
        print(f"restorer: {file}")


def _command(module: str, *arguments: object, **streams: Any) -> "subprocess.CompletedProcess[str]":
    """Run a module of lowq in a process of its own, by the code that this one runs.

    -P keeps the working directory out of its import path, where a folder may be called analysis too. Ctrl-C comes to
    this process alone, which then ends that one.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-P", "-m", module, *map(str, arguments)]
    environment = {**quiet, **os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, text=True, process_group=0, **streams) as process:
        try:
            while not told_to_end.is_set():
                with suppress(subprocess.TimeoutExpired):
                    output, errors = process.communicate(timeout=POLL_S)
                    return subprocess.CompletedProcess(command, process.returncode, output, errors)
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
