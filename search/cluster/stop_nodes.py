"""`python -m search.cluster.stop_nodes`: on the head, stops Ray on every other PC; ray.sh calls it before its own."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

from search.cluster.configuration import ClusterConfiguration, read_configuration

STOP_S = 40.0
STOP = "~/lowq/.venv/bin/ray stop"


def stop_workers(configuration: ClusterConfiguration) -> list[str]:
    """Stop Ray on every worker, all at once; return a line for each that could not be told."""
    with ThreadPoolExecutor(max(1, len(configuration.workers))) as threads:
        return [
            line for line in threads.map(lambda worker: _stop(configuration, worker), configuration.workers) if line
        ]


def _stop(configuration: ClusterConfiguration, worker: str) -> str:
    try:
        answer = configuration.ask(worker, STOP, STOP_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{worker} was not stopped: {error}"
    said = (answer.stderr.strip().splitlines() or [f"ssh ended with {answer.returncode}"])[-1]
    return f"{worker} was not stopped: {said}" if answer.returncode else ""


if __name__ == "__main__":
    found = read_configuration()
    for line in stop_workers(found) if found else ():
        print(line)
