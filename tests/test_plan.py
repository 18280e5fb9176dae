"""Plans and scales: what a search will take, and which scale `auto` is."""

from dataclasses import replace

import pytest

from models.footprint import FOOTPRINTS
from search.plan import Machine, Workload, expected_share, make_plan
from search.scale import SCALES, choose_scale
from search.spaces import SPACES
from search.spec import TrialSpec

MACHINE = Machine(n_slots=2, n_threads=1)
WORKLOAD = Workload(n_train=96, n_scored=8, n_tested=8, size_px=360, n_qualities=8)
SPECS = [TrialSpec(name, **SCALES["demo"].fields) for name in ("resnet", "jjnet")] * 4


def test_every_network_that_is_trained_can_be_planned() -> None:
    assert set(FOOTPRINTS) == set(SPACES["full"].axes["architecture"])


def test_the_share_of_epochs_that_early_stopping_leaves_by_hand() -> None:
    # rungs at 2 and 4 of 8: all run 2, half run 2 more, a quarter 4 more: (2 + 1 + 1) / 8
    assert expected_share(8, grace_epochs=2, reduction_factor=2) == 0.5
    assert expected_share(2, grace_epochs=4, reduction_factor=3) == 1.0


def test_a_plan_says_trials_cells_epochs_and_minutes() -> None:
    plan = make_plan(SPACES["full"], SCALES["demo"], SPECS, MACHINE, WORKLOAD)
    lines = plan.describe().splitlines()
    assert lines[0].startswith("plan: 8 trials (8 of 256 cells tried), up to 16 epochs each, about 40 in all")
    assert lines[1].startswith("expected time: about ")


def test_more_slots_take_less_time_and_more_trials_take_more() -> None:
    def seconds(machine: Machine, n_trials: int) -> float:
        return make_plan(SPACES["full"], SCALES["demo"], SPECS[:n_trials], machine, WORKLOAD).trials_s

    assert seconds(MACHINE, 8) < seconds(replace(MACHINE, n_slots=1), 8)
    assert seconds(MACHINE, 4) < seconds(MACHINE, 8)


@pytest.mark.parametrize(("n_gpus", "name"), [(0, "demo"), (5, "tiny")])
def test_auto_is_demo_without_a_gpu_and_tiny_with_one_and_says_so(n_gpus: int, name: str) -> None:
    scale, why = choose_scale("auto", n_gpus)
    assert scale.name == name
    assert f"scale {name}" in (why or "")


def test_an_unknown_scale_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown scale 'huge'; known: auto, demo, tiny, full"):
        choose_scale("huge", 0)


@pytest.mark.parametrize("name", SCALES)
def test_every_scale_makes_specs_and_regions_that_fit(name: str) -> None:
    scale = SCALES[name]
    spec = TrialSpec("resnet", **scale.fields)
    assert scale.grace_epochs <= spec.epochs
    assert scale.protocol.for_images(360).crop_px == 192
    small = scale.protocol.for_images(96)
    assert small.crop_px == 51
    assert small.monitor_px <= 96


def test_a_demo_tries_every_network_and_every_loss() -> None:
    cells = SPACES["full"].cells()[: SCALES["demo"].n_trials]
    for place, values in enumerate(list(SPACES["full"].axes.values())[:2]):
        assert {cell[place] for cell in cells} == set(values)
