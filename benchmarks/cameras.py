"""What does a restorer do to a camera that it never saw, and is that recognised? Each camera is left out once.

python benchmarks/cameras.py PACK real --seconds 60

For each camera system of the pack a native network trains on the others for so many seconds of a core. Then test images
of the one left out are restored as `python -m models restore` does: how many are recognised (warned of), how many
become better, and what happens to the four means; beside them test images of the cameras it trained on.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "cameras.json"
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.restorers import sized, spec_of  # noqa: E402
from datasets.jpeg import decode_jpeg, encode_jpeg  # noqa: E402
from datasets.jpeg_file import read_jpeg  # noqa: E402
from datasets.packed import PackedDataset, open_pack  # noqa: E402
from datasets.sampling import deal_images  # noqa: E402
from models.names import METRIC_DIRECTIONS, METRICS  # noqa: E402
from search.space.scale import Protocol, TrialSetup  # noqa: E402

QUALITIES = (25, 50, 75)
WARNINGS = {"background": "looks like no camera", "colours": "do not bear out"}
SPLIT, NETWORK, EPOCHS, N_TESTED = "data100", "native10k", 4, 48


def without(pack: PackedDataset, system: str) -> PackedDataset:
    """Return a pack whose splits have no image of a camera system."""
    is_out = np.array(pack.systems) == system
    return replace(pack, subsets={split: np.where(is_out, "", subset) for split, subset in pack.subsets.items()})


def train(pack: PackedDataset, seconds: float) -> Any:
    """Train on a pack; return the restorer, as a model file makes it."""
    from models.commands.export import describe_training_images
    from models.restore import restorer_of
    from models.restoring.model_file import ModelFile
    from models.training import get_weights
    from search.trial.reporting import Verdict
    from search.trial.restorers import load_restorer
    from search.trial.store import LocalStore
    from search.trial.trial import run_trial

    setup = TrialSetup(Protocol(n_monitored=8, monitor_px=96, n_scored=8).for_images(pack.size_px), 1)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        spec = sized(replace(spec_of(NETWORK, 0), split=SPLIT, epochs=EPOCHS), pack, store, setup, seconds)
        record = run_trial(spec, pack, store, lambda progress: Verdict.GO_ON, setup)
        if record is None or record.error:
            raise RuntimeError(record.error if record else "paused")
        weights = tuple(get_weights(load_restorer(spec, store)))
    facts = {
        "name": spec.trial_id,
        "spec": asdict(spec),
        "encoder": {"codec": "JPEG", "subsampling": "4:2:0", "tables": "libjpeg", "quality": spec.training_quality},
        "training_data": {"statistics": describe_training_images(pack, SPLIT)},
        "scores": {},
        "licence": "",
        "versions": {},
    }
    return restorer_of(ModelFile(facts, weights))


def examine(restorer: Any, pack: PackedDataset, images: list[int]) -> dict[str, Any]:
    """Return by quality: the share of files warned of, of images improved in PSNR, and means before and after."""
    from models.metrics import measure
    from models.restore import doubts, restore
    from models.restore import examine as examine_file

    found: dict[str, Any] = {}
    for quality in QUALITIES:
        rows = []
        for image in images:
            original = np.asarray(pack.originals[image])
            data = encode_jpeg(original, quality)
            units = [
                np.divide(p, 255, dtype=np.float32)[None]
                for p in (original, decode_jpeg(data), restore(restorer, data))
            ]
            jpeg, restored = (
                {name: float(value[0]) for name, value in measure(units[0], shown, METRICS).items()}
                for shown in units[1:]
            )
            file = read_jpeg(data)
            said = " ".join(doubts(restorer, file, examine_file(restorer, file)))
            rows.append((WARNINGS["background"] in said, WARNINGS["colours"] in said, jpeg, restored))
        means = {name: (mean(r[-2][name] for r in rows), mean(r[-1][name] for r in rows)) for name in METRICS}
        found[str(quality)] = {
            "recognised_share": mean(row[0] or row[1] for row in rows),
            "recognised_by_background": mean(row[0] for row in rows),
            "improved_share": mean(row[-1]["psnr_db"] > row[-2]["psnr_db"] for row in rows),
            "psnr_gain_db": means["psnr_db"][1] - means["psnr_db"][0],
            "worst_psnr_gain_db": min(row[-1]["psnr_db"] - row[-2]["psnr_db"] for row in rows),
            "means": {name: {"jpeg": before, "restored": after} for name, (before, after) in means.items()},
            "harmed_means": [n for n, (b, a) in means.items() if METRIC_DIRECTIONS[n] * (a - b) < 0],
        }
    return found


def main() -> None:
    """Leave each camera out, print, and write what a kind of pack gave into results/cameras.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("kind", choices=("real", "synthetic"))
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    from models.backend import prepare_backend

    prepare_backend(1)
    pack = open_pack(options.pack)
    results: dict[str, Any] = {}
    for system in sorted(set(pack.systems)):
        restorer = train(without(pack, system), options.seconds)
        tested = [i for i in deal_images(pack, pack.images_of(SPLIT, "test"), 2 * N_TESTED).tolist()]
        for whose, images in (
            ("left_out", [i for i in tested if pack.systems[i] == system][:N_TESTED]),
            ("trained_on", [i for i in tested if pack.systems[i] != system][:N_TESTED]),
        ):
            results.setdefault(system, {})[whose] = {"n_images": len(images), **examine(restorer, pack, images)}
        print(system, json.dumps(results[system], indent=1), flush=True)
    facts = {
        "pack": pack.manifest["description"],
        "network": NETWORK,
        "seconds": options.seconds,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        "results": results,
    }
    kinds = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    RESULT.write_text(json.dumps({**kinds, options.kind: facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
