"""The last round: the best settings, each with three seeds, at every training quality where the scale is large."""

from collections import Counter
from dataclasses import replace

import pytest

from search.records import TrialRecord
from search.space.final import final_space
from search.space.scale import SCALES, Scale
from search.space.spec import TrialSpec, TrialStatus
from search.space.values import resolve


def _record(
    network: str,
    margin: float | None,
    gain_db: float | None = 0.0,
    status: TrialStatus = TrialStatus.COMPLETED,
    **fields: object,
) -> TrialRecord:
    spec = TrialSpec(network, **fields)  # type: ignore[arg-type]
    return TrialRecord(spec, status, 3, margin, gain_db, -1.5, 1.0)


def _specs(records: list[TrialRecord], k: int | None, seed: int = 0, scale: Scale = SCALES["tiny"]) -> list[TrialSpec]:
    space = final_space(records, scale, k, seed)
    fixed = {**SCALES[space.scale].fields, **space.fields}
    return [TrialSpec(**{**resolve(fixed, p), **p}) for p in space.first_parameters()]


def test_the_best_are_trained_again_at_every_quality_with_three_seeds() -> None:
    records = [_record("jjnet", 0.5, 0.1), _record("resnet", 0.4, 0.9), _record("unet", 0.1, 0.2)]
    specs = _specs(records, k=2, seed=5)
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


def test_a_trial_that_was_stopped_counts_by_what_it_had_reached() -> None:
    records = [_record("resnet", 0.1, 0.1), _record("jjnet", 0.9, 0.9, TrialStatus.STOPPED)]
    assert {s.architecture for s in _specs(records, k=1)} == {"jjnet"}
    assert {s.architecture for s in _specs(records, k=2)} == {"resnet", "jjnet"}


@pytest.mark.parametrize("status", [TrialStatus.DEAD, TrialStatus.DIVERGED, TrialStatus.FAILED])
def test_without_a_trial_that_ended_well_there_is_no_last_round(status: TrialStatus) -> None:
    with pytest.raises(ValueError, match="nothing to retrain"):
        final_space([_record("jjnet", 0.5, status=status)], SCALES["tiny"], 1, 0)


def test_bytes_at_parity_decide_where_all_have_them() -> None:
    records = [
        replace(_record("jjnet", 0.5), bytes_at_parity=0.9),
        replace(_record("resnet", 0.1), bytes_at_parity=0.7),
    ]
    assert {s.architecture for s in _specs(records, k=1)} == {"resnet"}
    older = [records[0], replace(records[1], bytes_at_parity=None)]
    assert {s.architecture for s in _specs(older, k=1)} == {"jjnet"}


def test_after_a_demo_the_last_round_is_a_demo_too() -> None:
    records = [_record("native10k", 0.5, training_quality=60), _record("resnet", 0.4)]
    specs = _specs(records, None, scale=SCALES["demo"])
    assert [(s.architecture, s.training_quality, s.split, s.seed) for s in specs] == [
        ("native10k", 60, "tiny", seed) for seed in range(3)
    ]
    assert {s.epochs for s in specs} == {SCALES["demo"].fields["epochs"]}


def test_of_networks_that_are_named_the_best_of_each_is_trained_again() -> None:
    records = [
        _record("native10k", 0.5, loss="mse"),
        _record("jjnet", 0.4, loss="hf"),
        _record("jjnet", 0.3, loss="mae"),
        _record("resnet", 0.2, status=TrialStatus.STOPPED),
    ]
    space = final_space(records, SCALES["demo"], None, 0, ("resnet", "jjnet"))
    found = {(parameters["architecture"], parameters["loss"]) for parameters in space.first_parameters()}
    assert found == {("jjnet", "hf"), ("resnet", "mse")}
    assert len(final_space(records, SCALES["demo"], 2, 0, ("jjnet",)).cells()) == 2 * 3


def test_a_named_network_without_a_trial_that_ended_well_is_told() -> None:
    records = [_record("jjnet", 0.5), _record("resnet", 0.5, status=TrialStatus.DEAD)]
    with pytest.raises(ValueError, match=r"no trial of resnet completed .*; of these one did: jjnet$"):
        final_space(records, SCALES["demo"], None, 0, ("jjnet", "resnet"))
