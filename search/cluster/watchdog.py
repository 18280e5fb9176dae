"""Watches that Ray answers: a search whose cluster is gone ends with a line, not in silence."""

import os
import shlex
import socket
import sys
import threading
from pathlib import Path

import ray

EVERY_S = 5.0
ANSWER_S = 5.0
MAX_SILENT = 4  # looks in a row without an answer
EXIT_CODE = 2


class Watchdog:
    """A thread that connects to the head and to this node's own Ray every few seconds, until it is stopped."""

    def __init__(self, run: Path) -> None:
        self.run = run
        here = ray.get_runtime_context().get_node_id()
        (node,) = [node for node in ray.nodes() if node["NodeID"] == here]
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        self.places = {
            "the head of the cluster": (host.strip("[]"), int(port)),
            "Ray on this machine": (node["NodeManagerAddress"], int(node["NodeManagerPort"])),
        }
        self.silent = dict.fromkeys(self.places, 0)
        self.ended = threading.Event()
        threading.Thread(target=self._watch, name="lowq-watchdog", daemon=True).start()

    def stop(self) -> None:
        self.ended.set()

    def _watch(self) -> None:
        while not self.ended.wait(EVERY_S):
            for name, place in self.places.items():
                self.silent[name] = 0 if _answers(place) else self.silent[name] + 1
                if self.silent[name] >= MAX_SILENT and not self.ended.is_set():
                    go_on = f"start it again, then go on with --resume {shlex.quote(str(self.run))}"
                    print(f"lowq: {name} does not answer any more; what ended is safe: {go_on}", file=sys.stderr)
                    sys.stderr.flush()
                    os._exit(EXIT_CODE)  # the main thread waits for what will not come


def _answers(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, ANSWER_S).close()
    except OSError:
        return False
    return True
