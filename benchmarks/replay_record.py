"""Train every cell of a space of small networks to its end, once: what benchmarks/efficiency.py replays.

It goes on where it was interrupted. Each line of benchmarks/results/replay.jsonl is a training: its cell, its seed, and
the monitored PSNR gain after each epoch. A few cells are trained with other seeds too, to see the noise between them.
"""

import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np

from datasets.batches import Batch, BatchSettings, training_batches
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import synthesize
from models.architectures.jjnet import jjnet
from models.architectures.resnet import resnet
from models.backend import prepare_backend
from models.build import build_restorer
from models.losses import make_loss
from models.training import Row, TrainingPlan, train
from search.records import append_line
from search.space.scale import Protocol
from search.trial.monitor import Monitor, read_monitor

AXES: dict[str, tuple[Any, ...]] = {
    "family": ("resnet", "jjnet"),
    "width": (3, 5),
    "depth": (1, 2),
    "loss": ("mse", "mae", "hf"),
    "training_quality": ("random", 75, 50, 25),
    "learning_rate": (2e-4, 5e-4, 1e-3, 2e-3),
}
FAMILIES = {"resnet": resnet, "jjnet": jjnet}
MOST_PARAMETERS = 10_000
SEEDS, RESEEDED = (0, 1, 2), 13  # every so many cells, one has all seeds
EPOCHS, EPOCH_IMAGES, BATCH_SIZE, CROP_PX = 27, 192, 8, 48
N_IMAGES = 120
PROTOCOL = Protocol(n_monitored=10, monitor_px=96, n_scored=None)
RECORDED = Path(__file__).resolve().parent / "results" / "replay.jsonl"


def trainings() -> list[dict[str, Any]]:
    """List every training, a dict of the axes and the seed: each cell once, then the further seeds of some."""
    cells = [dict(zip(AXES, values, strict=True)) for values in product(*AXES.values())]
    more = [{**cell, "seed": seed} for cell in cells[::RESEEDED] for seed in SEEDS[1:]]
    return [{**cell, "seed": SEEDS[0]} for cell in cells] + more


def measured(training: dict[str, Any], pack: PackedDataset, monitor: Monitor) -> dict[str, Any]:
    """Train and return the line: the training itself, parameters, seconds, PSNR gain in dB after each epoch."""
    started = time.monotonic()
    keras.utils.clear_session()
    keras.utils.set_random_seed(training["seed"])
    network = partial(FAMILIES[training["family"]], width=training["width"], n_blocks=training["depth"])
    model = build_restorer(network, start="near_identity")
    assert model.count_params() <= MOST_PARAMETERS
    settings = BatchSettings(
        training["training_quality"],
        BATCH_SIZE,
        CROP_PX,
        "random",
        augmentation="flips-brightness",
        seed=training["seed"],
    )
    n_steps = EPOCH_IMAGES // BATCH_SIZE
    plan = TrainingPlan(make_loss(training["loss"]), EPOCHS, n_steps, training["learning_rate"], "cosine")
    images = np.resize(pack.images_of("tiny", "train"), EPOCH_IMAGES)

    def batches(epoch: int) -> Iterator[Batch]:
        return training_batches(pack, images, settings, epoch)

    def watch(model: keras.Model) -> tuple[float, Row]:
        gain = monitor.read(model).psnr_gain_db
        return (-np.inf if gain is None else gain), {"psnr_gain_db": gain}

    *_, state = train(model, plan, batches, watch)
    gains = [row["psnr_gain_db"] for row in state.curve]
    return {
        **training,
        "parameters": model.count_params(),
        "seconds": round(time.monotonic() - started, 2),
        "psnr_gain_db": [None if gain is None else round(gain, 4) for gain in gains],
    }


def main() -> None:
    """Train what is not recorded yet."""
    RECORDED.parent.mkdir(exist_ok=True)
    lines = RECORDED.read_text().splitlines() if RECORDED.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    done = {tuple(row[name] for name in (*AXES, "seed")) for row in rows}
    waiting = [one for one in trainings() if tuple(one.values()) not in done]
    prepare_backend(1)
    data = Path("data", "replay-pack")
    if not data.exists():
        write_pack(synthesize(N_IMAGES, 0), data, PackSettings())
    pack = open_pack(data)
    monitor = read_monitor(pack, "tiny", PROTOCOL)
    for place, training in enumerate(waiting, 1):
        row = measured(training, pack, monitor)
        append_line(RECORDED, json.dumps(row))
        print(f"{place}/{len(waiting)} {row}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
