"""The last round: the best settings by two rankings, each at every training quality with three seeds."""

from collections import Counter

import pytest

from search.records import TrialRecord
from search.space.final import final_space
from search.space.scale import SCALES
from search.space.spaces import resolve
from search.space.spec import TrialSpec, TrialStatus


def _record(
    network: str,
    margin: float | None,
    gain_db: float | None = 0.0,
    status: TrialStatus = TrialStatus.COMPLETED,
    **fields: object,
) -> TrialRecord:
    spec = TrialSpec(network, **fields)  # type: ignore[arg-type]
    return TrialRecord(spec, status, 3, margin, gain_db, -1.5, 1.0)


def _specs(records: list[TrialRecord], k: int, seed: int = 0) -> list[TrialSpec]:
    space = final_space(records, k, seed)
    fixed = {**SCALES[space.scale].fields, **space.fields}
    return [TrialSpec(**{**resolve(fixed, p), **p}) for p in space.first_parameters()]


def test_the_best_by_margin_and_the_best_by_psnr_gain_are_retrained_at_every_quality_with_three_seeds() -> None:
    records = [_record("jjnet", 0.5, 0.1), _record("resnet", 0.1, 0.9), _record("unet", 0.4, 0.2)]
    specs = _specs(records, k=1, seed=5)
    assert Counter((s.architecture, s.training_quality, s.seed) for s in specs) == {
        (network, quality, seed): 1
        for network in ("jjnet", "resnet")
        for quality in ("20-80", "random", 75, 50, 25)
        for seed in (5, 6, 7)
    }
    assert {(spec.split, spec.epochs, spec.patience, spec.crop_px) for spec in specs} == {("data100", 300, 50, 192)}


def test_a_setting_keeps_what_was_sampled_and_counts_once_whatever_it_was_trained_on() -> None:
    records = [
        _record("jjnet", 0.5, 0.9, training_quality=quality, learning_rate=2e-3, batch_size=4, start="near_identity")
        for quality in (75, 50)
    ]
    specs = _specs(records, k=2)
    assert len(specs) == 15
    assert {(s.learning_rate, s.batch_size, s.start) for s in specs} == {(2e-3, 4, "near_identity")}


def test_settings_are_not_mixed() -> None:
    records = [_record("jjnet", 0.5, 0.9, loss="mae"), _record("resnet", 0.4, 0.8, loss="hf")]
    assert {(s.architecture, s.loss) for s in _specs(records, k=2)} == {("jjnet", "mae"), ("resnet", "hf")}


def test_trials_that_ran_all_their_epochs_come_before_stopped_ones() -> None:
    records = [_record("jjnet", 0.9, 0.9, TrialStatus.STOPPED), _record("resnet", 0.1, 0.1)]
    assert {s.architecture for s in _specs(records, k=1)} == {"resnet"}
    assert {s.architecture for s in _specs(records, k=2)} == {"resnet", "jjnet"}


@pytest.mark.parametrize("status", [TrialStatus.DEAD, TrialStatus.DIVERGED, TrialStatus.FAILED])
def test_without_a_trial_that_ended_well_there_is_no_last_round(status: TrialStatus) -> None:
    with pytest.raises(ValueError, match="nothing to retrain"):
        final_space([_record("jjnet", 0.5, status=status)], 1, 0)
