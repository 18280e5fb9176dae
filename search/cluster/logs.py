"""Where Ray's warnings and the workers' output go: into files of the run, from every node."""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray._private import worker as ray_worker
from ray._private.ray_logging import global_worker_stdstream_dispatcher

from datasets.errors import printable

WORKER_LOG = "workers.log"
AUTOSCALER = "autoscaler"  # tells of the cluster every few seconds
PRINTS = "ray_print_logs"  # Ray's own handler, which prints workers' output among the driver's


class WorkerLog:
    """A file of what workers print, each line behind the time, the node's address and the process."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def write(self, batch: Mapping[str, Any]) -> None:
        """Append the lines of a batch as Ray hands them over; a disk that is full is no reason to end a search."""
        if batch.get("pid") == AUTOSCALER:
            return
        origin = " ".join((time.strftime("%Y-%m-%d %H:%M:%S"), str(batch.get("ip", "-")), str(batch.get("pid"))))
        lines = [f"{origin} {printable(str(line))}" for line in batch.get("lines", ())]
        with suppress(OSError), self.file.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))


class DriverLog(logging.FileHandler):
    """The driver's log; that the disk is full is told by what must be written."""

    def handleError(self, record: logging.LogRecord) -> None: ...  # noqa: N802


def send_logs_to(folder: Path) -> None:
    """Put into files of the run: Ray's and Python's warnings, which a user cannot act on, and what workers print.

    Ray brings the lines of every node's workers to the driver.
    """
    folder.mkdir(parents=True, exist_ok=True)
    workers = WorkerLog(folder / WORKER_LOG)
    global_worker_stdstream_dispatcher.remove_handler(WORKER_LOG)
    global_worker_stdstream_dispatcher.add_handler(WORKER_LOG, workers.write)
    handler = DriverLog(folder / "driver.log", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.captureWarnings(True)
    for name in ("ray", "optuna", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False


def keep_from_screen() -> None:
    """Have Ray print nothing of workers on the driver's screen, and nothing of nodes, such as that a worker ended."""
    global_worker_stdstream_dispatcher.remove_handler(PRINTS)
    ray_worker.print_to_stdstream = _hand_over


def _hand_over(data: Mapping[str, Any], ignore_prefix: bool) -> None:
    global_worker_stdstream_dispatcher.emit(data)
