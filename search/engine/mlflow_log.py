"""Trials as runs of an MLflow tracking server, by Ray's own callback; a server that fails or hangs holds nothing up."""

import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from http.client import HTTPException
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ray import tune

from datasets.errors import InputError

ANSWER_S = 10.0
FLUSH_S = 20.0  # at the end, for what the server has not taken yet
INSTALL = "pip install 'lowq[mlflow]'"


def require_mlflow(uri: str) -> None:
    """Raise InputError where MLflow is not installed, or no server answers at an address."""
    try:
        import mlflow  # noqa: F401
    except ImportError as error:
        raise InputError(f"--mlflow needs MLflow: {INSTALL}") from error
    if not uri.startswith(("http://", "https://")):
        raise InputError(f"--mlflow takes the address of a tracking server, such as http://lab:5000, got {uri}")
    try:
        urllib.request.urlopen(uri, timeout=ANSWER_S).close()
    except urllib.error.HTTPError:
        return  # it answers
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"no MLflow server answers at {uri} ({reason}): start one, or leave --mlflow out") from error


class MlflowLog(tune.Callback):  # type: ignore[misc]
    """Hands what Tune tells on to Ray's callback in a thread of its own; `say` hears once that it failed."""

    def __init__(self, uri: str, experiment: str, say: Callable[[str], None]) -> None:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        self.inner = MLflowLoggerCallback(tracking_uri=uri, experiment_name=experiment)
        self.say = say
        self.waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.thread = Thread(target=self._work, daemon=True)
        self.thread.start()

    def setup(self, *arguments: Any, **named: Any) -> None:
        self.waiting.put(self.inner.setup)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **named: Any) -> None:
        self.waiting.put(partial(self._start, trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **named: Any
    ) -> None:
        self.waiting.put(partial(self.inner.log_trial_result, iteration, trial, dict(result)))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **named: Any) -> None:
        self.waiting.put(partial(self.inner.log_trial_end, trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **named: Any) -> None:
        self.waiting.put(partial(self.inner.log_trial_end, trial, failed=True))

    def on_experiment_end(self, trials: list[Any], **named: Any) -> None:
        self.waiting.put(None)
        self.thread.join(FLUSH_S)

    def _start(self, trial: Any) -> None:
        self.inner.log_trial_start(trial)
        spec = asdict(trial.config["spec"])
        self.inner.mlflow_util.log_params(run_id=self.inner._trial_runs[trial], params_to_log=spec)

    def _work(self) -> None:
        while (task := self.waiting.get()) is not None:
            try:
                task()
            except Exception as error:  # of whatever kind: it is no reason to end a search
                self.say(f"MLflow has nothing more of this search: {str(error).strip().splitlines()[0][:200]}")
                return
