"""Specs: checked when built, and named the same everywhere."""

from dataclasses import asdict, fields, replace

import pytest

from datasets import batches
from models import names, training
from models.build import ARCHITECTURES
from models.losses import LOSSES
from models.metrics import METRICS
from models.names import WEIGHTED_LOSSES
from models.sizes import NATIVE_SIZES, NetworkSize
from search.space.spec import AUGMENTATIONS, BASELINE, CROPS, FILTER, SCHEDULES, TrialSpec

SPEC = TrialSpec("jjnet", loss="mse", training_quality=75)


def test_a_trial_id_names_the_axes_and_ends_in_a_hash_of_the_whole_spec() -> None:
    assert SPEC.trial_id.startswith("jjnet-mse-none-q75-s0-")
    assert len(SPEC.trial_id.rsplit("-", 1)[1]) == 8


def test_a_trial_id_is_the_same_in_every_version_for_the_same_spec() -> None:
    assert BASELINE.trial_id == "identity-e727685b"
    assert TrialSpec("jjnet").trial_id == "jjnet-mse-none-q75-s0-17c119f4"


def test_what_predicts_the_image_itself_is_named_direct() -> None:
    assert replace(SPEC, global_residual=False).trial_id.startswith("jjnet-direct-mse-none-q75-s0-")


def test_only_the_perceptual_loss_needs_a_crop_of_32_px() -> None:
    assert replace(SPEC, crop_px=16).crop_px == 16
    assert replace(SPEC, loss="perceptual", crop_px=32).crop_px == 32


CHANGES = (
    {"learning_rate": 2e-3},
    {"crop_px": 48},
    {"restore_best": False},
    {"seed": 1},
    {"parent": "a-trial"},
    {"ema": 0.9},
    {"warm_up": 0.1},
)


@pytest.mark.parametrize("change", CHANGES)
def test_any_field_changes_the_trial_id(change: dict[str, object]) -> None:
    assert replace(SPEC, **change).trial_id != SPEC.trial_id  # type: ignore[arg-type]


def test_a_spec_survives_being_written_as_plain_fields() -> None:
    assert TrialSpec(**asdict(SPEC)) == SPEC


def test_a_random_quality_is_a_quality() -> None:
    assert TrialSpec("resnet", training_quality="random").trial_id.startswith("resnet-mse-none-qrandom-")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architecture": "resmet"},
            r"unknown network 'resmet'; known: identity, linear, native1k, .+, resnet, jjnet, ",
        ),
        ({"loss": "l3"}, r"unknown loss 'l3'; known: mae, mse, hf, perceptual, mse-ssim, "),
        ({"output_activation": "relu"}, r"unknown output activation 'relu'; known: none, tanh"),
        ({"split": "all"}, r"unknown split 'all'; known: tiny, data100, data101"),
        ({"crop": "left"}, r"unknown crop 'left'; known: centre, random, chroma-grid"),
        ({"augmentation": "blur"}, r"unknown augmentation 'blur'; known: none, flips-brightness, symmetries"),
        ({"schedule": "step"}, r"unknown schedule 'step'; known: constant, cosine"),
        ({"start": "zero"}, r"unknown start 'zero'; known: thesis, near_identity"),
        ({"training_quality": 0}, r"a training quality must be 1..100, 'random' or a range such as '20-80', got 0"),
        ({"training_quality": 101}, r"a training quality must be 1..100, 'random' or a range .+, got 101"),
        ({"training_quality": "any"}, r"a training quality must be 1..100, 'random' or a range .+, got 'any'"),
        ({"training_quality": "80-20"}, r"a training quality must be 1..100, 'random' or a range .+, got '80-20'"),
        ({"batch_size": 0}, r"batch_size must be a whole number of at least 1, got 0"),
        ({"epochs": 0}, r"epochs must be a whole number of at least 1, got 0"),
        ({"epochs": True}, r"epochs must be a whole number of at least 1, got True"),
        ({"epoch_images": 0}, r"epoch_images must be a whole number of at least 1, got 0"),
        ({"crop_px": 8}, r"crop_px must be a whole number of at least 16, got 8"),
        ({"seed": -1}, r"seed must be a whole number of at least 0, got -1"),
        ({"learning_rate": 0.0}, r"learning_rate must be between 0 and 1, got 0.0"),
        ({"learning_rate": float("nan")}, r"learning_rate must be between 0 and 1, got nan"),
        ({"precision": "float16"}, r"unknown precision 'float16'; known: float32, mixed_float16"),
        ({"patience": 0}, r"patience must be a whole number of at least 1, got 0"),
        ({"loss": "perceptual", "crop_px": 24}, r"the perceptual loss needs a crop_px of 32 or more, got 24"),
        ({"clip_norm": 0.0}, r"clip_norm must be positive or None, got 0.0"),
        ({"normalisation": "batch"}, r"unknown normalisation 'batch'; known: moving, re-estimated"),
        ({"width": 24}, r"jjnet has no width; networks that have: native1k, native10k, .+; leave width out"),
        ({"depth": 2}, r"jjnet has no depth; networks that have: native1k, "),
        ({"kernel_px": 3}, r"jjnet has no kernel_px; networks that have: native1k, "),
        ({"downscale": 2}, r"jjnet has no downscale; networks that have: native1k, "),
        ({"told_tables": True}, r"jjnet has no told_tables; networks that have: native1k, "),
        ({"architecture": "native1k", "width": 0}, r"width must be a whole number of at least 1, got 0"),
        ({"architecture": "native1k", "kernel_px": 4}, r"kernel_px must be one of 3, 5, got 4"),
        ({"ssim_weight": 1.0}, r"ssim_weight belongs to the losses mse-ssim, .+ alone, got 1.0 with mse"),
        ({"loss": "mse-ssim"}, "the loss mse-ssim needs an ssim_weight, such as 2.0"),
        ({"loss": "mse-ssim", "ssim_weight": 0.0}, r"ssim_weight must be positive or None, got 0.0"),
        ({"warm_up": 1.0}, r"warm_up must be a share of the steps from 0 to below 1, got 1.0"),
        ({"warm_up": -0.1}, r"warm_up must be a share of the steps from 0 to below 1, got -0.1"),
        ({"ema": 0.0}, r"ema must be between 0 and 1 or None, got 0.0"),
        ({"ema": 1.0}, r"ema must be between 0 and 1 or None, got 1.0"),
    ],
)
def test_a_spec_that_cannot_be_run_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **change)  # type: ignore[arg-type]


def test_names_are_those_of_the_tables_of_functions() -> None:
    assert tuple(ARCHITECTURES) == names.ARCHITECTURES
    assert tuple(LOSSES) == names.LOSSES
    assert tuple(METRICS) == names.REPORTED_METRICS


def test_every_field_has_a_default_but_the_network() -> None:
    assert asdict(TrialSpec("resnet")).keys() == {field.name for field in fields(TrialSpec)}


def test_the_choices_of_a_spec_are_those_of_the_tables_of_functions_that_serve_them() -> None:
    assert tuple(batches.CROPS) == CROPS
    assert tuple(batches.AUGMENTATIONS) == AUGMENTATIONS
    assert tuple(training.SCHEDULES) == SCHEDULES


def test_the_linear_filter_is_named_by_its_quality_and_is_not_trained() -> None:
    assert FILTER.trial_id.startswith("linear-q75-s0-")
    assert replace(FILTER, training_quality="20-80").trial_id.startswith("linear-q20-80-s0-")
    assert replace(FILTER, seed=4).trial_id.startswith("linear-q75-s4-")
    assert not FILTER.is_trained
    assert not FILTER.is_baseline
    assert not BASELINE.is_trained
    assert BASELINE.is_baseline
    assert SPEC.is_trained


def test_only_what_is_trained_needs_epochs() -> None:
    assert (FILTER.epochs, BASELINE.epochs) == (0, 0)
    with pytest.raises(ValueError, match="epochs must be a whole number of at least 1, got 0"):
        TrialSpec("native1k", epochs=0)


@pytest.mark.parametrize("name", NATIVE_SIZES)
def test_a_native_network_has_the_size_of_its_name_but_for_what_the_spec_says(name: str) -> None:
    spec = TrialSpec(name)
    assert spec.size == NATIVE_SIZES[name]
    changed = replace(spec, width=12, depth=4, kernel_px=5, downscale=4)
    branch_width = NATIVE_SIZES[name].branch_width
    assert changed.size == NetworkSize(12, 4, kernel_px=5, downscale=4, branch_width=branch_width)
    assert changed.trial_id != spec.trial_id
    assert SPEC.size is None


@pytest.mark.parametrize("loss", WEIGHTED_LOSSES)
def test_a_weight_of_ssim_changes_the_trial_id_of_the_losses_that_have_one(loss: str) -> None:
    light, heavy = (TrialSpec("native10k", loss=loss, ssim_weight=weight) for weight in (0.5, 2.0))
    assert light.trial_id != heavy.trial_id
