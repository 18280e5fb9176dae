"""Spaces: countable cells, balanced from the first on, and the same to Optuna."""

import json
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.names import ARCHITECTURES, LOSSES, UNTRAINED, WEIGHTED_LOSSES
from models.sizes import NATIVE_SIZES
from search.space.scale import SCALES, Scale
from search.space.space import Space, space_from_facts
from search.space.spaces import SPACES, find_space, for_natives
from search.space.spec import TrialSpec
from search.space.values import By, LogRange, TableShapes, drawn_as, resolve, suggest, values_from_facts

FULL = SPACES["full"]


def test_the_full_space_has_every_network_loss_quality_and_activation_once() -> None:
    cells = FULL.cells()
    assert len(cells) == len(set(cells)) == (len(ARCHITECTURES) - len(UNTRAINED)) * len(LOSSES) * 5 * 2


@pytest.mark.parametrize("axis", ["architecture", "loss"])
@pytest.mark.parametrize("n", range(12, 72, 5))
def test_any_prefix_of_the_full_space_covers_networks_and_losses_evenly(axis: str, n: int) -> None:
    place = list(FULL.axes).index(axis)
    counts = Counter(cell[place] for cell in FULL.cells()[:n])
    assert len(counts) == len(FULL.axes[axis])
    assert max(counts.values()) - min(counts.values()) <= 1


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=1), st.integers(1, 4), min_size=1, max_size=4))
def test_cells_are_the_product_of_the_axes_and_every_value_comes_up_before_any_comes_up_often(
    sizes: dict[str, int],
) -> None:
    space = Space("any", {axis: tuple(range(size)) for axis, size in sizes.items()})
    cells = space.cells()
    assert len(set(cells)) == len(cells)
    largest = max(sizes.values())
    for place, size in enumerate(sizes.values()):
        assert {cell[place] for cell in cells[:largest]} == set(range(size))


def _spec(space: Space, scale: Scale, first: dict[str, Any]) -> TrialSpec:
    return TrialSpec(**{**resolve({**scale.fields, **space.fields}, first), **first})


def _specs(space: Space) -> list[TrialSpec]:
    scale = SCALES["full" if space.scale == "auto" else space.scale]
    return [_spec(space, scale, first) for first in space.first_parameters()]


def _own(space: Space, spec: TrialSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in (*space.axes, *space.sampled)}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_first_trial_of_every_cell_is_a_spec_that_optuna_could_draw(space: Space, scale: Scale) -> None:
    for first in space.first_parameters():
        own = _own(space, _spec(space, scale, first))
        drawn = space.drawn_from(own)
        assert drawn is not None
        assert space.suggest(optuna.trial.FixedTrial(drawn)) == own


def test_values_that_depend_on_the_network_are_drawn_under_a_name_of_their_own() -> None:
    own = {name: vars(TrialSpec("memnet", training_quality=75))[name] for name in (*FULL.axes, *FULL.sampled)}
    drawn = FULL.drawn_from({**own, "batch_size": 2})
    assert drawn is not None
    assert drawn["batch_size of memnet"] == 2
    assert "batch_size" not in drawn
    assert FULL.drawn_from({**own, "batch_size": 16}) is None
    assert FULL.choices("batch_size", own) == (2, 4, 8)
    assert FULL.choices("batch_size", {**own, "architecture": "jjnet"}) == (4, 8, 16)
    assert FULL.choices("learning_rate", own) == FULL.choices("seed", own) == ()


def test_what_a_space_lacks_is_never_drawn() -> None:
    own = _own(FULL, TrialSpec("jjnet"))
    assert FULL.drawn_from(own) is not None
    assert FULL.drawn_from({**own, "training_quality": 60}) is None
    assert FULL.drawn_from({**own, "learning_rate": 0.5}) is None
    assert SPACES["appendix"].drawn_from(_own(SPACES["appendix"], TrialSpec("unet", training_quality=25))) is None


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_space_comes_back_from_json_as_it_was(space: Space) -> None:
    assert space_from_facts(json.loads(json.dumps(space.as_facts()))) == space


def test_a_space_is_narrowed_to_the_values_asked_for_in_its_own_order() -> None:
    narrowed = FULL.narrowed("training_quality", [25, "random"]).narrowed("loss", None)
    assert narrowed.axes["training_quality"] == ("random", 25)
    assert narrowed.axes["loss"] == FULL.axes["loss"]


def test_narrowing_to_an_unknown_value_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown loss 'l3' in space full; known: psnr-ssim, mse, mae, hf, perceptual"):
        FULL.narrowed("loss", ["mse", "l3"])


def test_an_unknown_space_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError,
        match="unknown space 'fulll'; known: full, native, encoder, appendix, residual, quality, smoke, final",
    ):
        find_space("fulll")


def test_without_sampled_values_a_space_draws_its_axes_alone() -> None:
    cell = FULL.first_parameters()[0]
    assert replace(FULL, sampled={}).suggest(optuna.trial.FixedTrial(cell)) == cell


def test_the_appendix_is_the_forty_cells_of_the_thesis_tables_8_to_17() -> None:
    space = SPACES["appendix"]
    specs = _specs(space)
    assert len({spec.trial_id for spec in specs}) == 40
    tables = Counter((spec.architecture, spec.training_quality, spec.output_activation) for spec in specs)
    assert set(tables.values()) == {4}
    assert {spec.loss for spec in specs} == {"mae", "mse", "hf", "perceptual"}
    by_network = Counter(network for network, _, _ in tables)
    assert by_network == {
        "jjnet": 2,
        "denseunet": 3,
        "smallxception": 1,
        "unet": 1,
        "resnet": 1,
        "densenet": 1,
        "memnet": 1,
    }
    assert {table for table in tables if table[0] == "denseunet"} == {
        ("denseunet", quality, "none") for quality in (75, 50, 25)
    }
    assert ("jjnet", 75, "tanh") in tables


def test_the_appendix_trains_as_the_thesis_did() -> None:
    space = SPACES["appendix"]
    spec = _spec(space, SCALES[space.scale], {"architecture": "jjnet", "loss": "mse"})
    assert (spec.split, spec.epochs, spec.patience, spec.epoch_images) == ("tiny", 30, None, None)
    assert (spec.crop, spec.crop_px, spec.augmentation, spec.start) == ("centre", 192, "none", "thesis")
    assert (spec.learning_rate, spec.batch_size, spec.schedule, spec.clip_norm) == (1e-3, 8, "constant", None)
    assert (spec.warm_up, spec.ema, spec.normalisation) == (0.0, None, "moving")
    assert not spec.restore_best
    assert not space.stops_early
    assert SCALES[space.scale].protocol.n_scored is None


def test_the_residual_space_compares_each_network_with_itself_predicting_the_image() -> None:
    cells = SPACES["residual"].first_parameters()
    thesis = [name for name in ARCHITECTURES if name not in (*UNTRAINED, *NATIVE_SIZES)]
    assert len(thesis) == 8
    assert Counter(cell["architecture"] for cell in cells) == Counter(2 * thesis)
    assert {cell["global_residual"] for cell in cells} == {True, False}


def test_the_quality_space_is_the_retraining_of_the_thesis_on_both_splits() -> None:
    specs = _specs(SPACES["quality"])
    assert Counter((spec.architecture, spec.training_quality, spec.split) for spec in specs) == {
        **{("jjnet", quality, split): 1 for quality in (25, 50, 75, "random") for split in ("data100", "data101")},
        **{("resnetyuv", quality, split): 1 for quality in (75, "random") for split in ("data100", "data101")},
    }
    for spec in specs:
        assert (spec.loss, spec.output_activation, spec.augmentation) == ("mse", "none", "flips-brightness")
        assert (spec.crop_px, spec.batch_size, spec.patience) == (192, 8, 50)
    assert not SPACES["quality"].stops_early
    assert SPACES["quality"].tests_all


def test_a_narrowed_space_has_only_cells_that_it_had() -> None:
    narrowed = SPACES["appendix"].narrowed("architecture", ["jjnet"]).narrowed("loss", ["mse"])
    assert [(cell["training_quality"], cell["output_activation"]) for cell in narrowed.first_parameters()] == [
        (75, "none"),
        (75, "tanh"),
    ]


def test_what_depends_on_an_axis_is_its_case_or_else_the_usual() -> None:
    by = By("architecture", 1, {"unet": 2, "memnet": None})
    assert [by.of({"architecture": name}) for name in ("unet", "memnet", "jjnet")] == [2, None, 1]
    assert by.of({}) == 1
    assert resolve({"a": by, "b": 7}, {"architecture": "unet"}) == {"a": 2, "b": 7}


def test_what_depends_on_a_number_comes_back_from_json_with_its_cases() -> None:
    space = Space(
        "any",
        {"architecture": ("unet", "jjnet"), "training_quality": (50, "random")},
        sampled={"learning_rate": By("architecture", LogRange(0.1, 0.2), {"unet": (0.3, 0.4)})},
        fields={"crop_px": By("training_quality", 48, {"50": 32})},
    )
    again = space_from_facts(json.loads(json.dumps(space.as_facts())))
    assert again == space
    assert resolve(again.fields, {"training_quality": 50}) == {"crop_px": 32}
    assert resolve(again.fields, {"training_quality": "random"}) == {"crop_px": 48}


def test_for_natives_holds_for_every_native_network_and_no_other() -> None:
    by = for_natives("theirs", "usual")
    for name in ARCHITECTURES:
        assert by.of({"architecture": name}) == ("theirs" if name in NATIVE_SIZES else "usual")


def test_every_case_of_a_space_is_a_value_of_its_axis() -> None:
    for space in SPACES.values():
        for value in (*space.sampled.values(), *space.fields.values()):
            if isinstance(value, By):
                assert value.axis in space.axes


def test_only_losses_with_a_weight_of_ssim_are_given_one() -> None:
    for name in ("full", "native"):
        for spec in _specs(SPACES[name]):
            assert (spec.ssim_weight is not None) == (spec.loss in WEIGHTED_LOSSES)


def test_the_native_space_has_native_networks_alone_of_sizes_that_can_be_built() -> None:
    space = SPACES["native"]
    assert set(space.axes["architecture"]) == set(NATIVE_SIZES)
    for first in space.first_parameters():
        spec = _spec(space, SCALES[space.scale], first)
        assert spec.told_tables
        usual = _own(space, spec)
        for field in ("width", "depth", "kernel_px", "downscale"):
            values = space.sampled[field]
            for value in values.of(first) if isinstance(values, By) else values:
                drawn = {**usual, field: value}
                assert space.drawn_from(drawn) is not None
                assert TrialSpec(**drawn).size is not None


def test_more_values_of_an_axis_come_before_its_own() -> None:
    more = FULL.with_more("architecture", ["mine.wide", "jjnet"])
    assert more.axes["architecture"][:2] == ("mine.wide", "jjnet")
    assert set(more.axes["architecture"]) == {"mine.wide", *FULL.axes["architecture"]}


def test_tables_are_drawn_by_their_numbers_and_come_back_as_drawn() -> None:
    shapes = TableShapes(trellis=(True, False))
    radial = {
        "tables": "radial",
        "trellis": False,
        "chroma_scale": 1.5,
        "slope": 0.254,
        "exponent": 1.0,
        "chroma_slope": 0.1,
        "dc": 0.7,
    }
    cases = {
        "jpeg": {"tables": "scaled", "trellis": False, "chroma_scale": 1.0, "dc": 1.0},
        "jpeg-c0.6-trellis": {"tables": "scaled", "trellis": True, "chroma_scale": 0.6, "dc": 1.0},
        "jpeg-c1-dc0.7": {"tables": "scaled", "trellis": False, "chroma_scale": 1.0, "dc": 0.7},
        "jpeg-radial-a0.25-c1.5-ca0.1-dc0.7": radial,
        "jpeg-flat-trellis": {
            **radial,
            "trellis": True,
            "slope": 0.0,
            "chroma_slope": 0.0,
            "chroma_scale": 1.0,
            "dc": 1.0,
        },
    }
    for name, numbers in cases.items():
        drawn = {f"encoder: {number}": value for number, value in numbers.items()}
        assert suggest(optuna.trial.FixedTrial(drawn), "encoder", shapes) == name
        rounded = {key: value if isinstance(value, str) else round(value, 2) for key, value in drawn.items()}
        assert drawn_as("encoder", shapes, name) == rounded
    for other in ("jpeg-444", "jpeg-plain", "avif", "jpeg-c0.6-progressive", "none"):
        assert drawn_as("encoder", shapes, other) is None
    assert drawn_as("encoder", TableShapes(("scaled",)), "jpeg-flat") is None
    assert drawn_as("encoder", TableShapes(), "jpeg-trellis") is None


def test_shapes_of_a_run_before_there_was_a_trellis_are_read() -> None:
    assert values_from_facts({"tables": ["scaled"], "known": ["jpeg"]}) == TableShapes(("scaled",), ("jpeg",))
    drawn = TableShapes(trellis=(True, False))
    assert values_from_facts(json.loads(json.dumps(asdict(drawn)))) == drawn
