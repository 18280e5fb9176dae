"""Train every cell of a space of small networks to its end, once: what benchmarks/efficiency.py replays.

Each line of benchmarks/results/replay.jsonl is a training by the code of a search's trials: its cell, its seed, and the
bytes at parity after each epoch. The best cells are trained with two more seeds, some with a constant rate. It takes
hours of a core and goes on where it was interrupted: lines are in replay.part.jsonl until all are there.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import synthesize
from models import build
from models.architectures import densenet, denseunet, memnet, resnetyuv, smallxception, unet
from models.architectures.jjnet import jjnet
from models.architectures.resnet import resnet
from models.backend import prepare_backend
from models.names import WEIGHTED_LOSSES
from search.records import TrialRecord, append_line
from search.space.scale import SCALES, Protocol, TrialSetup
from search.space.spec import TrialSpec
from search.space.values import resolve
from search.trial.reporting import Progress, Verdict
from search.trial.trial import run_trial

# Fields by which native networks are smaller than those of their names.
NATIVES: Mapping[str, Mapping[str, Any]] = {
    "native1k": {},
    "native10k": {"width": 12, "depth": 2},
    "native11k": {"width": 8, "depth": 1},
    "native41k": {"width": 16, "depth": 1, "downscale": 4},
}
NETWORKS = ("resnet", "jjnet", "memnet", "unet", "denseunet", "smallxception", "densenet", "resnetyuv", *NATIVES)
RATES = (1.0, 3.0)  # times the usual learning rate of the network
AXES: dict[str, tuple[Any, ...]] = {
    "architecture": NETWORKS,
    "loss": ("mse", "psnr-ssim", "mae", "mse-ssim", "hf"),
    "training_quality": (50, "20-80"),
    "rate": RATES,
}
SEEDS, N_RESEEDED = (0, 1, 2), 24  # the best cells have all seeds
EPOCHS = 18
SPLIT = "data100"
# How much narrower these networks are than those of their names: constants of their files, or arguments.
NARROWED: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
    "memnet": (memnet, {"WIDTH": 6, "N_BLOCKS": 2, "N_UNITS": 2}),
    "unet": (unet, {"DOWN_WIDTHS": (6, 12), "BOTTOM_WIDTH": 16}),
    "denseunet": (denseunet, {"HEAD_WIDTH": 8, "GROWTH": 4, "N_LAYERS": 2}),
    "smallxception": (smallxception, {"WIDTH": 8, "N_BLOCKS": 2}),
    "densenet": (densenet, {"HEAD_WIDTH": 8, "N_BLOCKS": 1}),  # its layers are denseunet's
    "resnetyuv": (resnetyuv, {"LUMA_BLOCKS": 1, "LUMA_WIDTH": 4, "CHROMA_BLOCKS": 1, "CHROMA_WIDTH": 4}),
}
WITH_ARGUMENTS = {
    "resnet": partial(resnet, width=4, n_blocks=2),
    "jjnet": partial(jjnet, width=4, n_blocks=2),
}
SIZE_PX, N_IMAGES = 96, 200
PROTOCOL = Protocol(n_monitored=8, monitor_px=96, n_scored=1, n_stopped=1)
RECORDED = Path(__file__).resolve().parent / "results" / "replay.jsonl"
PART = RECORDED.with_name("replay.part.jsonl")
DATA = Path("data", "replay-pack")

Training = dict[str, Any]  # a value for each of AXES, the schedule and the seed


class Memory:
    """A store that keeps nothing: trainings are short."""

    def load(self, trial_id: str) -> None:
        return None

    def save(self, trial_id: str, epoch: int, files: Mapping[str, bytes]) -> None: ...


def spec_of(training: Mapping[str, Any]) -> TrialSpec:
    """Return the spec of a training: the demo's settings, and the few images of this benchmark."""
    architecture, loss = training["architecture"], training["loss"]
    fields = {
        **resolve(SCALES["demo"].fields, training),
        **NATIVES.get(architecture, {}),
        "architecture": architecture,
        "loss": loss,
        "ssim_weight": 2.0 if loss in WEIGHTED_LOSSES else None,
        "training_quality": training["training_quality"],
        "split": SPLIT,
        "epochs": EPOCHS,
        "epoch_images": 128,
        "crop_px": 48,
        "schedule": training["schedule"],
        "seed": training["seed"],
    }
    return TrialSpec(**{**fields, "learning_rate": fields["learning_rate"] * training["rate"]})


def cell_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values of AXES."""
    return tuple(row[name] for name in AXES)


def first_trainings() -> list[Training]:
    """List every cell once, with the rate that falls, loss by loss."""
    axes = {name: AXES[name] for name in ("loss", *(name for name in AXES if name != "loss"))}
    cells = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return [{**{name: cell[name] for name in AXES}, "schedule": "cosine", "seed": SEEDS[0]} for cell in cells]


def further_seeds(rows: list[dict[str, Any]]) -> list[Training]:
    """List the best cells again with the other seeds, the best first."""
    finals = {cell_of(row): min(_finite(row)) for row in rows if row["seed"] == SEEDS[0] and _finite(row)}
    best = [dict(zip(AXES, cell, strict=True)) for cell in sorted(finals, key=lambda cell: finals[cell])[:N_RESEEDED]]
    return [{**cell, "schedule": "cosine", "seed": seed} for cell in best for seed in SEEDS[1:]]


def constant_rates() -> list[Training]:
    """List trainings at a constant rate: the thesis' networks at the usual rate, whose schedules a search draws."""
    return [
        {"architecture": name, "loss": loss, "training_quality": 50, "rate": 1.0, "schedule": "constant", "seed": 0}
        for loss in ("mse", "psnr-ssim")
        for name in NETWORKS
        if name not in NATIVES
    ]


def trained(training: Training, pack: PackedDataset) -> dict[str, Any]:
    """Train and return the line: the training itself, parameters, seconds of a core, bytes at parity by epoch."""
    started = time.process_time()
    with ExitStack() as stack:
        for module, constants in NARROWED.values():
            stack.enter_context(patch.multiple(module, **constants))
        stack.enter_context(patch.dict(build.ARCHITECTURES, WITH_ARGUMENTS))
        record = run_trial(spec_of(training), pack, Memory(), _go_on, TrialSetup(PROTOCOL))
    assert isinstance(record, TrialRecord)
    assert not record.error, record.error
    shares = [row["bytes_at_parity"] for row in record.curve]
    return {
        **training,
        "status": str(record.status),
        "parameters": record.parameters,
        "cpu_s": round(time.process_time() - started, 1),
        "bytes_at_parity": [None if share is None else round(share, 4) for share in shares],
    }


def waiting(rows: list[dict[str, Any]]) -> Iterator[Training]:
    """Yield the trainings that rows lack, as rows grow: each cell once, then the further seeds, then constant rates."""
    done = defaultdict[tuple[Any, ...], set[Any]](set)
    for row in rows:
        done[cell_of(row)].add((row["schedule"], row["seed"]))
    for trainings in (first_trainings, lambda: further_seeds(rows), constant_rates):
        for training in trainings():
            if (training["schedule"], training["seed"]) not in done[cell_of(training)]:
                yield training


def _go_on(progress: Progress) -> Verdict:
    return Verdict.GO_ON


def _finite(row: Mapping[str, Any]) -> list[float]:
    return [share for share in row["bytes_at_parity"] if share is not None]


def main() -> None:
    """Train what is not recorded yet."""
    lines = PART.read_text().splitlines() if PART.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    prepare_backend(1)
    if not DATA.exists():
        write_pack(synthesize(N_IMAGES, 0), DATA, PackSettings(size_px=SIZE_PX, split="random"))
    pack = open_pack(DATA)
    for training in waiting(rows):
        row = trained(training, pack)
        append_line(PART, json.dumps(row))
        rows.append(row)
        print(f"{len(rows)} {row}", flush=True)
    PART.replace(RECORDED)


if __name__ == "__main__":
    sys.exit(main())
