"""KerasTuner's Hyperband and Syne Tune for the replay: the published packages, driven through their own interfaces."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import keras_tuner
from replay import Ask, Curve, Recorded
from replay_rivals import WORST, cell_at, places_of
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice
from syne_tune.optimizer.baselines import ASHA, ASHACQR, BOHB
from syne_tune.optimizer.scheduler import SchedulerDecision


class Hyperband:
    """KerasTuner's Hyperband, which goes on with the best of a round from where they were."""

    def __init__(self, recorded: Recorded, seed: int) -> None:
        self.recorded = recorded
        self.folder = tempfile.TemporaryDirectory()
        space = keras_tuner.HyperParameters()
        for name, places in places_of(recorded).items():
            space.Choice(name, places)
        self.oracle = keras_tuner.oracles.HyperbandOracle(
            objective=keras_tuner.Objective("share", "min"),
            max_epochs=recorded.epochs,
            factor=3,
            hyperband_iterations=10_000,
            seed=seed,
            hyperparameters=space,
        )
        self.oracle.verbose = 0
        self.oracle._set_project_dir(self.folder.name, "replay")
        self.n = 0
        self.trials: dict[str, Any] = {}

    def propose(self) -> Ask | None:
        self.n += 1
        trial = self.oracle.create_trial(f"tuner{self.n}")
        if trial.status != "RUNNING":
            return None
        self.trials[trial.trial_id] = trial
        values = trial.hyperparameters.values
        cell = cell_at(self.recorded, values)
        return Ask(trial.trial_id, cell, values.get("tuner/initial_epoch", 0) + 1, values["tuner/epochs"])

    def reported(self, ask: Ask, epoch: int, best: float) -> bool:
        return True

    def ended(self, ask: Ask, curve: Curve) -> None:
        trial = self.trials.pop(ask.key)
        self.oracle.update_trial(ask.key, {"share": min(curve.best[-1], WORST)}, step=len(curve.best))
        trial.status = "COMPLETED"
        self.oracle.end_trial(trial)


class SyneTune:
    """A scheduler of Syne Tune with its own defaults: first rung at 1 epoch, reduction factor 3."""

    def __init__(self, recorded: Recorded, seed: int, scheduler: Callable[..., Any]) -> None:
        self.recorded, space = recorded, {name: choice(places) for name, places in places_of(recorded).items()}
        epochs = recorded.epochs
        self.scheduler = scheduler(space, metric="share", time_attr="epoch", max_t=epochs, random_seed=seed)
        self.trials: dict[str, Trial] = {}
        self.n = 0

    def propose(self) -> Ask | None:
        suggestion = self.scheduler.suggest()
        if suggestion is None:
            return None
        trial = Trial(self.n, suggestion.config, datetime.now())
        self.n += 1
        self.trials[str(trial.trial_id)] = trial
        self.scheduler.on_trial_add(trial)
        return Ask(str(trial.trial_id), cell_at(self.recorded, suggestion.config))

    def reported(self, ask: Ask, epoch: int, best: float) -> bool:
        result = {"share": min(best, WORST), "epoch": epoch}
        decision = self.scheduler.on_trial_result(self.trials[ask.key], result)
        return bool(decision == SchedulerDecision.CONTINUE)

    def ended(self, ask: Ask, curve: Curve) -> None:
        trial = self.trials.pop(ask.key)
        if curve.status:
            self.scheduler.on_trial_complete(trial, {"share": min(curve.best[-1], WORST), "epoch": len(curve.best)})
        else:
            self.scheduler.on_trial_remove(trial)


SYNE_TUNE = (ASHA, BOHB, ASHACQR)
