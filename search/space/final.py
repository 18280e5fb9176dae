"""The last round: the best settings of a run, retrained on a large split at every quality, with several seeds."""

from collections.abc import Callable, Sequence

from models.sizes import SIZE_FIELDS
from search.records import TrialRecord
from search.space.spaces import FINAL, USEFUL_RANGE, Space
from search.space.spec import RANDOM, TrialStatus

N_SEEDS = 3
SPLIT = "data100"
QUALITIES = (USEFUL_RANGE, RANDOM, 75, 50, 25)
# What a setting is: the rest is how long, on what and in what order it was trained.
SETTING = (
    *("architecture", "loss", "output_activation", "learning_rate", "batch_size", "schedule", "clip_norm"),
    *("augmentation", "global_residual", "start", "ssim_weight", "warm_up", "ema", *SIZE_FIELDS),
)
RANKINGS: tuple[Callable[[TrialRecord], float | None], ...] = (
    lambda record: record.margin,
    lambda record: record.psnr_gain_db,
)


def final_space(records: Sequence[TrialRecord], k: int, seed: int) -> Space:
    """Return the space of the k best settings by margin and the k best by PSNR gain, the same one counted once.

    Trials that ran all their epochs come before those that were stopped. Raises ValueError when there is neither.
    """
    settings = list(dict.fromkeys(setting for rank in RANKINGS for setting in _best(records, rank)[:k]))
    if not settings:
        raise ValueError("no trial of it completed or was stopped with a margin, so there is nothing to retrain")
    axes = {name: tuple(dict.fromkeys(setting[place] for setting in settings)) for place, name in enumerate(SETTING)}
    return Space(
        name=FINAL,
        axes={**axes, "training_quality": QUALITIES, "seed": tuple(range(seed, seed + N_SEEDS))},
        only=tuple(dict(zip(SETTING, setting, strict=True)) for setting in settings),
        fields={"split": SPLIT},
        scale="full",
        stops_early=False,
        tests_all=True,
    )


def _best(records: Sequence[TrialRecord], rank: Callable[[TrialRecord], float | None]) -> list[tuple[object, ...]]:
    """List the settings, best first, each once."""
    ordered = []
    for status in (TrialStatus.COMPLETED, TrialStatus.STOPPED):
        able = [record for record in records if record.status is status and record.spec.is_trained]
        ranked = [(value, record) for record in able if (value := rank(record)) is not None]
        ordered += [record.spec for _, record in sorted(ranked, key=lambda pair: (-pair[0], pair[1].trial_id))]
    return list(dict.fromkeys(tuple(getattr(spec, name) for name in SETTING) for spec in ordered))
