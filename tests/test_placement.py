"""Placement: trials ask for the memory they need, in few sizes, and a search that no node can run does not start."""

from dataclasses import replace

import pytest

from datasets.errors import InputError
from datasets.packed import PackedDataset
from models.backend import prepare_backend
from models.footprint import CONTEXT_RESERVE_MB, gpu_memory_mb, trial_memory_mb
from search.cluster.placement import (
    GPU_MEMORY,
    LEAST_ASK_MB,
    WORKER_MB,
    describe_unplaceable,
    fits,
    gpu_limit_mb,
    memory_mb,
    needs,
    require_placeable,
)
from search.space.plan import Machine
from search.space.scale import SCALES
from search.space.spaces import SPACES
from search.space.spec import TrialSpec
from search.task import Task

LAPTOP = Machine(n_slots=2, n_threads=1, memory_mb=16_000)
CARDS = Machine(n_slots=5, n_threads=4, n_gpus=5, gpu_mem_mb=6_000)
SMALL = TrialSpec("resnet", crop_px=48)
LARGE = TrialSpec("memnet", crop_px=192)


def test_a_trial_asks_for_its_threads_and_more_memory_than_it_needs() -> None:
    for spec in (SMALL, LARGE):
        asked = needs(spec, LAPTOP)
        assert asked["CPU"] == 1
        assert memory_mb(spec, LAPTOP) <= asked["memory"] / 1e6 <= 2 * max(memory_mb(spec, LAPTOP), LEAST_ASK_MB)


def test_the_trials_of_a_demo_ask_for_the_same_so_that_they_share_workers() -> None:
    asks = {needs(replace(SMALL, architecture=name), LAPTOP)["memory"] for name in ("resnet", "unet", "memnet")}
    assert asks == {LEAST_ASK_MB * 1e6}


def test_on_a_gpu_a_trial_asks_for_a_card_and_its_memory() -> None:
    asked = needs(SMALL, CARDS)
    assert (asked["CPU"], asked["GPU"]) == (4, 1)
    assert asked[GPU_MEMORY] == pytest.approx(gpu_memory_mb("resnet", "mse", 8, 48), abs=1)


def test_memory_that_no_node_tells_is_not_asked_for() -> None:
    assert needs(SMALL, replace(LAPTOP, memory_mb=0)) == {"CPU": 1}
    assert needs(SMALL, replace(CARDS, gpu_mem_mb=0)) == {"CPU": 4, "GPU": 1}


def test_without_a_gpu_a_worker_is_counted_too() -> None:
    assert memory_mb(SMALL, LAPTOP) == WORKER_MB + trial_memory_mb("resnet", "mse", 8, 48)


def test_a_search_with_a_trial_that_no_node_can_hold_does_not_start() -> None:
    require_placeable([SMALL, LARGE], LAPTOP)
    require_placeable([SMALL, LARGE], replace(LAPTOP, memory_mb=0))
    message = r"memnet with loss mse, batches of 16 and crops of 192 px needs \d+ MB, and the largest card offers 6000"
    with pytest.raises(InputError, match=message):
        require_placeable([SMALL, replace(LARGE, batch_size=16)], CARDS)


def test_what_can_never_be_placed_is_listed_once_for_each_network_and_loss() -> None:
    large = [replace(LARGE, batch_size=16), replace(LARGE, batch_size=32), replace(LARGE, batch_size=16, loss="mae")]
    lines = describe_unplaceable([SMALL, *large], CARDS)
    assert sorted(line.split(" needs")[0] for line in lines) == [
        "memnet with loss mae, batches of 16 and crops of 192 px",
        "memnet with loss mse, batches of 32 and crops of 192 px",
    ]


@pytest.mark.parametrize(("card_mb", "batch_size"), [(2_000, 8), (1_400, 4), (1_200, 2)])
def test_on_a_small_card_a_network_starts_with_batches_that_fit_it(
    card_mb: float, batch_size: int, small_pack: PackedDataset
) -> None:
    """MemNet needs about 1,800 MB for the usual 8 crops of 96 px, 1,320 MB for 4 and 1,130 MB for 2."""
    machine = replace(CARDS, gpu_mem_mb=card_mb)
    task = Task(SPACES["full"], SCALES["small"], small_pack, 0, machine, 1, "", {})
    cell = {"architecture": "memnet", "loss": "mse", "training_quality": 75, "output_activation": "none"}
    spec = task.make_spec(cell)
    assert spec.batch_size == batch_size
    assert fits(spec, machine)
    asked_for = task.make_spec({**cell, "batch_size": 8})
    assert (asked_for.batch_size, task.fits(asked_for)) == (8, batch_size == 8)
    require_placeable(
        [spec for spec in task.smallest_specs if (spec.architecture, spec.loss) == ("memnet", "mse")], machine
    )


def test_trials_that_share_a_card_ask_for_a_part_of_it_and_are_kept_to_their_memory() -> None:
    shared = replace(CARDS, trials_per_gpu=3)
    asked = needs(SMALL, shared)
    assert asked["GPU"] == pytest.approx(1 / 3)
    assert gpu_limit_mb(SMALL, shared) == pytest.approx(asked[GPU_MEMORY] - CONTEXT_RESERVE_MB, abs=1)
    assert gpu_limit_mb(SMALL, CARDS) is None


def test_on_a_shared_card_tensorflow_is_kept_to_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    limits, growing = [], []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a card"])
    monkeypatch.setattr(
        tf.config, "set_logical_device_configuration", lambda card, parts: limits.append(parts[0].memory_limit)
    )
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda card, grows: growing.append(grows))
    for name in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, name, lambda n: None)
    prepare_backend(1, gpu_limit_mb=1048.576)
    assert (limits, growing) == ([1000.0], [])
    prepare_backend(1)
    assert (limits, growing) == ([1000.0], [True])
