"""Networks for encoders, trained from the start or fine-tuned from one that was trained on files of all of them.

python benchmarks/fine_tuning.py PACK [--steps 400] [--encoders jpeg jpeg-trellis ...]

At the same number of steps in all: S for each encoder from the start, or half of all on files of all encoders in turn,
told their tables, and then S / 2 on each one's own. Both are held against 4 S for each from the start. Prints bytes at
parity on monitored validation images, and how either way ranks the encoders as long training does.
"""

import argparse
import json
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import keras
from scipy.stats import spearmanr

from datasets.batches import Batch, BatchSettings, training_batches
from datasets.encoders.family import find_family
from datasets.packed import PackedDataset, open_pack
from models.losses import LossOptions, make_loss
from models.sizes import rate_factor
from models.training import TrainingPlan, get_weights, set_weights, train
from search.space.scale import NATIVE_TRAINING, SCALES
from search.space.spec import TrialSpec
from search.trial.monitor import read_monitor
from search.trial.restorers import build_to_train

ENCODERS = ("jpeg-trellis", "jpeg", "jpeg-c1.1-dc0.5", "jpeg-c2-dc0.7")
SPEC = TrialSpec(
    "native11k", loss="psnr-ssim", training_quality="20-80", start="near_identity", ssim_weight=2.0, told_tables=True
)
CROP_PX, SLOWER = 96, 0.5  # of the learning rate, for fine-tuning


class Trainer:
    """Trains SPEC's network on files of families of encoders, and reads it on monitored images."""

    def __init__(self, pack: PackedDataset) -> None:
        self.pack, self.protocol = pack, SCALES["small"].protocol.for_images(pack.size_px)

    def start(self, encoder: str) -> keras.Model:
        return build_to_train(SPEC, self.pack.written_by(find_family(encoder)))

    def train(self, model: keras.Model, encoders: tuple[str, ...], n_steps: int, share_of_rate: float = 1.0) -> None:
        rate = share_of_rate * NATIVE_TRAINING["learning_rate"] * rate_factor(SPEC.size)
        told = {name: NATIVE_TRAINING[name] for name in ("schedule", "clip_norm", "warm_up")}
        loss = make_loss("psnr-ssim", LossOptions(ssim_weight=SPEC.ssim_weight))
        plan = TrainingPlan(loss, epochs=1, n_steps=n_steps, learning_rate=rate, **told)
        for state in train(model, plan, lambda epoch: self._batches(encoders, n_steps), lambda model: (0.0, {})):
            set_weights(model, state.weights)

    def parity(self, model: keras.Model, encoder: str) -> float:
        monitor = read_monitor(self.pack.written_by(find_family(encoder)), SPEC.split, self.protocol)
        return monitor.read(model).bytes_at_parity or float("nan")

    def _batches(self, encoders: tuple[str, ...], n_steps: int) -> Iterator[Batch]:
        in_turn = cycle([self._endless(encoder) for encoder in encoders])
        return islice((next(batches) for batches in in_turn), n_steps)

    def _endless(self, encoder: str) -> Iterator[Batch]:
        pack = self.pack.written_by(find_family(encoder))
        names = ("batch_size", "crop", "augmentation")
        told = {name: NATIVE_TRAINING[name] for name in names}
        settings = BatchSettings(quality=SPEC.training_quality, crop_px=CROP_PX, seed=0, tables=True, **told)
        images = pack.images_of(SPEC.split, "train")
        for epoch in range(1, 10_000):
            yield from training_batches(pack, images, settings, epoch, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--steps", type=int, default=400, metavar="S", help="for each encoder (default: 400)")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    options = parser.parse_args()
    trainer, encoders, n_steps = Trainer(open_pack(options.pack)), tuple(options.encoders), options.steps
    began = time.monotonic()
    found: dict[str, dict[str, float]] = {"from the start": {}, "fine-tuned": {}, "four times as long": {}}

    def tell(way: str, encoder: str, model: keras.Model) -> None:
        found[way][encoder] = trainer.parity(model, encoder)
        print(f"[{time.monotonic() - began:.0f} s] {way:20} {encoder:20} {found[way][encoder]:.4f}", flush=True)

    for way, n in (("from the start", n_steps), ("four times as long", 4 * n_steps)):
        for encoder in encoders:
            model = trainer.start(encoder)
            trainer.train(model, (encoder,), n)
            tell(way, encoder, model)
        if way == "from the start":
            shared = trainer.start(encoders[0])
            trainer.train(shared, encoders, n_steps * len(encoders) // 2)
            weights = get_weights(shared)
            for encoder in encoders:
                set_weights(shared, weights)
                trainer.train(shared, (encoder,), n_steps // 2, SLOWER)
                tell("fine-tuned", encoder, shared)
    ranks = {
        way: spearmanr(list(own.values()), list(found["four times as long"].values())).statistic
        for way, own in found.items()
    }
    print(json.dumps({"steps": n_steps, "bytes_at_parity": found, "rank_correlation": ranks}))


if __name__ == "__main__":
    main()
