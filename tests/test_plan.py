"""Plans and scales: what a search will take, and which scale `auto` is."""

from dataclasses import replace

import pytest

from models.footprint import FOOTPRINTS
from search.space.plan import N_IN_A_BUDGET, SCREENING_S, Machine, Workload, epochs_within, expected_share, make_plan
from search.space.scale import SCALES, Scale, choose_scale
from search.space.space import Space
from search.space.spaces import SPACES
from search.space.spec import TrialSpec
from search.space.values import resolve

MACHINE = Machine(n_slots=2, n_threads=1)
WORKLOAD = Workload(n_train=96, n_scored=8, n_tested=8, size_px=360, n_qualities=8, n_finalists=2)


def _spec(scale: Scale, architecture: str) -> TrialSpec:
    return TrialSpec(architecture, **resolve(scale.fields, {"architecture": architecture}))


SPECS = [_spec(SCALES["demo"], name) for name in ("resnet", "jjnet")] * 4


def test_every_network_that_is_trained_can_be_planned() -> None:
    assert set(FOOTPRINTS) == {*SPACES["full"].axes["architecture"], "linear"}


def test_the_share_of_epochs_that_early_stopping_leaves_by_hand() -> None:
    # rungs at 2 and 4 of 8: all run 2, half run 2 more, a quarter 4 more: (2 + 1 + 1) / 8
    assert expected_share(8, grace_epochs=2, reduction_factor=2) == 0.5
    assert expected_share(2, grace_epochs=4, reduction_factor=3) == 1.0


def test_a_plan_says_trials_cells_epochs_and_minutes() -> None:
    plan = make_plan(SPACES["full"], SCALES["demo"], SPECS, MACHINE, WORKLOAD)
    lines = plan.describe().splitlines()
    assert lines[0].startswith("plan: 8 trials (up to 8 of 720 cells tried), up to 8 epochs each, about 32 in all")
    assert lines[1].startswith("expected time: about ")


def test_what_comes_before_and_after_trials_is_in_the_plan() -> None:
    plain = make_plan(SPACES["full"], SCALES["demo"], SPECS, MACHINE, WORKLOAD)
    screened = replace(SPACES["full"], screens=SPACES["encoder"].screens, n_screened=10)
    screening_s = make_plan(screened, SCALES["demo"], SPECS, MACHINE, WORKLOAD).trials_s - plain.trials_s
    assert screening_s == pytest.approx(10 * SCREENING_S / 2)  # on two cores
    every = make_plan(SPACES["full"], SCALES["demo"], SPECS, MACHINE, replace(WORKLOAD, n_finalists=8))
    assert every.trials_s == plain.trials_s
    assert every.finish_s > plain.finish_s


def test_trials_that_confirm_are_planned_to_their_end() -> None:
    whole = make_plan(SPACES["full"], SCALES["demo"], SPECS, MACHINE, WORKLOAD)
    confirmed = make_plan(SPACES["full"], SCALES["demo"], SPECS, MACHINE, WORKLOAD, n_confirming=2)
    assert (whole.n_epochs_expected, confirmed.n_epochs_expected) == (8 * 4, 6 * 4 + 2 * 8)
    assert confirmed.trials_s > whole.trials_s


def test_more_slots_take_less_time_and_more_trials_take_more() -> None:
    def seconds(machine: Machine, n_trials: int) -> float:
        return make_plan(SPACES["full"], SCALES["demo"], SPECS[:n_trials], machine, WORKLOAD).trials_s

    assert seconds(MACHINE, 8) < seconds(replace(MACHINE, n_slots=1), 8)
    assert seconds(MACHINE, 4) < seconds(MACHINE, 8)


def test_a_time_budget_has_room_for_trials_that_are_trained_to_their_end() -> None:
    scale, native = SCALES["small"], SPACES["native"]
    spec = _spec(scale, "native11k")

    def fitting(budget_s: float, space: Space = native, n_trials: int = 4) -> int:
        return epochs_within(budget_s, space, scale, [spec] * n_trials, MACHINE, WORKLOAD)

    assert fitting(24 * 3600) == spec.epochs == 48
    assert fitting(60) == scale.grace_epochs
    some = fitting(1200)
    assert scale.grace_epochs < some < 48
    one_after_the_other = replace(native, stops_early=False)
    of_all = make_plan(
        one_after_the_other,
        scale,
        [replace(spec, epochs=some)] * N_IN_A_BUDGET,
        replace(MACHINE, n_slots=1),
        WORKLOAD,
    )
    assert 1100 < of_all.trials_s <= 1200
    assert fitting(1200, one_after_the_other, 2 * N_IN_A_BUDGET) == some  # two at a time
    assert fitting(1200, one_after_the_other, 40) == scale.grace_epochs


@pytest.mark.parametrize(("n_gpus", "name"), [(0, "demo"), (5, "tiny")])
def test_auto_is_demo_without_a_gpu_and_tiny_with_one_and_says_so(n_gpus: int, name: str) -> None:
    scale, why = choose_scale("auto", n_gpus)
    assert scale.name == name
    assert f"scale {name}" in (why or "")


def test_an_unknown_scale_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown scale 'huge'; known: auto, demo, small, tiny, full"):
        choose_scale("huge", 0)


@pytest.mark.parametrize("name", SCALES)
def test_every_scale_makes_specs_and_regions_that_fit(name: str) -> None:
    scale = SCALES[name]
    for network in ("resnet", "native11k"):
        assert scale.grace_epochs <= _spec(scale, network).epochs
    assert scale.protocol.for_images(360).crop_px == 192
    small = scale.protocol.for_images(96)
    assert small.crop_px == 51
    assert small.monitor_px <= 96


def test_a_demo_tries_every_network_and_every_loss() -> None:
    cells = SPACES["full"].cells()[: SCALES["demo"].n_trials]
    for place, values in enumerate(list(SPACES["full"].axes.values())[:2]):
        assert {cell[place] for cell in cells} == set(values)


@pytest.mark.parametrize("name", SCALES)
def test_native_networks_are_trained_their_own_way_at_every_scale_and_others_as_usual(name: str) -> None:
    native, usual = (_spec(SCALES[name], network) for network in ("native41k", "unet"))
    assert (native.warm_up, native.ema, native.clip_norm, native.schedule) == (0.05, None, 1.0, "cosine")
    assert (native.crop, native.augmentation, native.start) == ("chroma-grid", "symmetries", "near_identity")
    assert (usual.warm_up, usual.ema, usual.clip_norm) == (0.0, None, None)
    assert usual.augmentation != "symmetries"
    assert native.normalisation == usual.normalisation == "re-estimated"


def test_a_larger_size_of_a_native_network_is_planned_to_take_longer() -> None:
    def seconds(**size: int) -> float:
        specs = [replace(_spec(SCALES["demo"], "native10k"), **size)]
        return make_plan(SPACES["full"], SCALES["demo"], specs, MACHINE, WORKLOAD).trials_s

    assert seconds(width=24) == seconds()
    assert seconds(width=48) > seconds() > seconds(width=12)
