"""The final round: the best settings of a run, trained again with several seeds, at every quality on large scales."""

from collections.abc import Sequence
from itertools import chain

from models.sizes import SIZE_FIELDS
from search.records import TrialRecord, best_first
from search.space.scale import Scale
from search.space.space import Space
from search.space.spaces import FINAL, USEFUL_RANGE
from search.space.spec import RANDOM, TrialStatus

N_SEEDS = 3
QUALITIES = (USEFUL_RANGE, RANDOM, 75, 50, 25)
RETRAINED = (TrialStatus.COMPLETED, TrialStatus.PAUSED, TrialStatus.STOPPED)
# What a setting is: the rest is how long, on what and in what order it was trained.
SETTING = (
    *("architecture", "loss", "output_activation", "learning_rate", "batch_size", "schedule", "clip_norm"),
    *("augmentation", "global_residual", "start", "ssim_weight", "warm_up", "ema", "encoder", *SIZE_FIELDS),
)


def final_space(
    records: Sequence[TrialRecord], scale: Scale, k: int | None, seed: int, networks: Sequence[str] | None = None
) -> Space:
    """Return the space of a run's k best settings (None: as many as the scale says), by bytes at parity.

    networks: where given, the k best (None: the best) of each of these instead. A trial that was stopped early counts
    by what it had reached: what is ahead of others that went on is no worse for it. The thesis' scales train on a large
    split at every quality, the small ones on their own split and at the quality that a setting was found at. Raises
    ValueError when there is nothing to train.
    """
    names = SETTING if scale.has_final_qualities else (*SETTING, "training_quality")
    if networks is None:
        settings = _best(records, names)[: k or scale.final_top]
    else:
        settings = list(chain.from_iterable(_best(_of(records, network), names)[: k or 1] for network in networks))
    if not settings:
        raise ValueError("no trial of it completed or was stopped with a margin, so there is nothing to retrain")
    axes = {name: tuple(dict.fromkeys(setting[place] for setting in settings)) for place, name in enumerate(names)}
    axes = {"training_quality": QUALITIES, **axes}
    return Space(
        name=FINAL,
        axes={**axes, "seed": tuple(range(seed, seed + N_SEEDS))},
        only=tuple(dict(zip(names, setting, strict=True)) for setting in settings),
        fields={"split": scale.final_split},
        scale="full" if scale.has_final_qualities else scale.name,
        stops_early=False,
        tests_all=True,
    )


def _of(records: Sequence[TrialRecord], network: str) -> list[TrialRecord]:
    """Return the records of a network. Raises ValueError where it has none that can be trained again."""
    found = [record for record in records if record.spec.architecture == network]
    if not _best(found, SETTING):
        known = ", ".join(sorted({record.spec.architecture for record in records if _best([record], SETTING)}))
        raise ValueError(f"no trial of {network} completed or was stopped with a margin; of these one did: {known}")
    return found


def _best(records: Sequence[TrialRecord], names: Sequence[str]) -> list[tuple[object, ...]]:
    """List the settings, best first, each once."""
    able = [record for record in records if record.status in RETRAINED]
    return list(dict.fromkeys(tuple(getattr(record.spec, name) for name in names) for record in best_first(able)))
