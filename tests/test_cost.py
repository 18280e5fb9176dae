"""What networks cost: the tables count what is built, fields reach as far as gradients, estimates hold what is used."""

import keras
import numpy as np
import pytest

from benchmarks.memory import measure
from models.build import build_model
from models.cli import main
from models.cost import count_footprint, receptive_field_px
from models.footprint import (
    CONTEXT_RESERVE_MB,
    FOOTPRINTS,
    GPU_MARGIN,
    VGG16_MB,
    gpu_memory_mb,
    restoring_memory_mb,
    training_memory_mb,
    trial_memory_mb,
)
from models.names import ARCHITECTURES, LOSSES

FIELDS_BY_HAND = {
    "linear": 2 + 4 * 2,
    "native1k": 2 + 2 * 2 + 4 * 2 + 2 * 2,  # a pixel and its neighbour, the head, a block, the last: 2 px apart
    "native10k": 2 + 2 * 2 + 3 * 4 * 2 + 2 * 2,
    # the branch: down, two convolutions 4 px apart, up between neighbours
    "native11k": 2 + 2 * 2 + 4 * 2 + (2 * 2 + 4 * 4 + 4) + 4 * 2 + 2 * 2,
    "native41k": 2 + 2 * 2 + 2 * 4 * 2 + 2 * 2,
    "resnet": 5 + 5 * (4 + 2) + 2,
    "jjnet": 5 + 5 * (4 + 2) + 2,
    "memnet": 3 + 4 * 4 * 2 * 2 + 2,
    "smallxception": 3 + 5 * 2 * 4 + 2,
    "densenet": 3 + 2 * 3 * 2 + 2,
    "resnetyuv": 5 + 2 * 6 + 2 + 4 + 5 * 6 + 2,  # chroma, through the restored luma
}


@pytest.mark.parametrize("architecture", FOOTPRINTS)
def test_a_footprint_is_counted_from_the_network_as_built(architecture: str) -> None:
    assert count_footprint(architecture) == FOOTPRINTS[architecture]


def test_every_network_that_trains_has_a_footprint() -> None:
    assert tuple(FOOTPRINTS) == tuple(name for name in ARCHITECTURES if name != "identity")


def test_the_feature_maps_of_resnet_by_hand() -> None:
    assert FOOTPRINTS["resnet"].kept_floats == 16 + 5 * (32 + 32 + 16 + 16) + 3 + 3
    assert FOOTPRINTS["resnet"].widest_floats == 32


@pytest.mark.parametrize("architecture", FIELDS_BY_HAND)
def test_a_receptive_field_is_that_reckoned_by_hand(architecture: str) -> None:
    assert receptive_field_px(architecture) == FIELDS_BY_HAND[architecture]


def test_the_receptive_field_of_unet_by_hand() -> None:
    down = 2 * 2 + 1 + 2 * 2 * 2 + 2  # two convolutions and a pooling, at distances of 1 and 2 px
    up = 2 * 2 * 4 + 4 * 2 * 2 + 4 * 2 + 2  # two convolutions at 4 px, four at 2 px, four and the last at 1 px
    assert receptive_field_px("unet") == 1 + down + up


@pytest.mark.parametrize("architecture", ["resnet", "smallxception", "densenet", "unet"])
def test_no_pixel_outside_the_receptive_field_changes_a_restored_pixel(architecture: str) -> None:
    field, side = receptive_field_px(architecture), 144
    model = build_model(architecture)
    images = np.random.default_rng(0).random((1, side, side, 3), np.float32)
    changed = images.copy()
    centre = side // 2
    changed[:, centre, centre] += 100.0
    before, after = (keras.ops.convert_to_numpy(model(x)) for x in (images, changed))
    rows = np.flatnonzero(np.any(before != after, axis=(0, 2, 3)))
    assert field // 2 <= rows[-1] - rows[0] + 1 <= field + 4  # pixels between the steps of a pooling reach further


# Of TensorFlow's kernels, by processor: none on some; on an AMD EPYC 20 to 260 MB, up to 1.1 times the estimate.
SCRATCH_MB, LEAST_COUNTED = 256, 0.4


# One of each kind: a process takes some eight seconds, and benchmarks/memory.py measures them all.
@pytest.mark.parametrize("architecture", ["linear", "native10k", "resnet", "memnet", "unet", "smallxception"])
def test_the_estimated_memory_is_what_a_fresh_process_takes(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):  # as a search has them, not as tests do
        monkeypatch.delenv(threads, raising=False)
    setting = (architecture, "mse", 4, 128)
    estimated, measured = training_memory_mb(*setting), measure(*setting)
    assert estimated / 1.3 <= measured <= min(estimated / 0.9 + SCRATCH_MB, estimated / LEAST_COUNTED)


def test_vgg16_is_counted_with_the_perceptual_loss_alone() -> None:
    mse, hf, perceptual = (training_memory_mb("resnet", loss, 8, 64) for loss in ("mse", "hf", "perceptual"))
    assert mse == hf
    assert perceptual > mse + VGG16_MB


@pytest.mark.parametrize("loss", LOSSES)
def test_more_pixels_take_more_memory_and_a_gpu_the_margin_more(loss: str) -> None:
    small, large = (training_memory_mb("memnet", loss, 8, crop_px) for crop_px in (96, 192))
    assert 3 < large / small < 4
    assert gpu_memory_mb("memnet", loss, 8, 96) == pytest.approx(GPU_MARGIN * small + CONTEXT_RESERVE_MB)


def test_describe_prints_every_network_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, network in FOOTPRINTS.items():
        row = next(line.split() for line in lines if line.startswith(f"{name} "))
        assert row[1:3] == [f"{network.parameters:,}", f"{network.macs_per_pixel * 192**2 / 1e9:.2f}"]
    assert sum("perceptual" in line for line in lines) == len(FOOTPRINTS)


def test_describe_prints_the_networks_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "unet"]) == 0
    printed = capsys.readouterr().out
    assert "unet" in printed
    assert "resnet" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["describe", "vgg"], "unknown network 'vgg'; known: linear, native1k, "),
        (["explain"], "invalid choice: 'explain'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lowq: ")
    assert message in line


def test_a_trial_needs_what_training_or_restoring_its_monitored_images_takes_whichever_is_more() -> None:
    # MemNet: three maps of 112 floats and twelve images, for four images of 192 px; 136 layers of graph
    restoring = 25.0 + 1.2 * 136 + 4 * 192**2 * (3 * 112 + 36) * 4 / 1e6
    assert restoring_memory_mb("memnet") == pytest.approx(restoring)
    assert trial_memory_mb("memnet", "mse", 1, 48) == pytest.approx(restoring)
    assert trial_memory_mb("memnet", "mse", 8, 192) == training_memory_mb("memnet", "mse", 8, 192)
