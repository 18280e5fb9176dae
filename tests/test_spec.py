"""Specs: checked when built, and named the same everywhere."""

from dataclasses import asdict, fields, replace

import pytest

from models import names
from models.build import ARCHITECTURES
from models.losses import LOSSES
from models.metrics import METRICS
from search.spec import BASELINE, TrialSpec

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


CHANGES = ({"learning_rate": 2e-3}, {"crop_px": 48}, {"restore_best": False}, {"seed": 1}, {"parent": "a-trial"})


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
        ({"architecture": "resmet"}, r"unknown network 'resmet'; known: identity, resnet, jjnet, memnet, unet, "),
        ({"loss": "l3"}, r"unknown loss 'l3'; known: mae, mse, hf, perceptual"),
        ({"output_activation": "relu"}, r"unknown output activation 'relu'; known: none, tanh"),
        ({"split": "all"}, r"unknown split 'all'; known: tiny, data100, data101"),
        ({"crop": "left"}, r"unknown crop 'left'; known: centre, random"),
        ({"augmentation": "blur"}, r"unknown augmentation 'blur'; known: none, flips-brightness"),
        ({"schedule": "step"}, r"unknown schedule 'step'; known: constant, cosine"),
        ({"start": "zero"}, r"unknown start 'zero'; known: thesis, near_identity"),
        ({"training_quality": 0}, r"training_quality must be a whole number of at least 1, got 0"),
        ({"training_quality": 101}, r"training_quality must be 1..100 or 'random', got 101"),
        ({"training_quality": "any"}, r"training_quality must be a whole number of at least 1, got 'any'"),
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
