"""Which restorer is best after equal time? Every network of the table, or every ingredient of the training, in one run.

python benchmarks/restorers.py networks PACK --seconds 60
python benchmarks/restorers.py ablations PACK --seconds 60

Each network and seed trains in a process of its own with one thread, two at a time, for as many steps as fit into the
time: how long a step takes is measured first. Time is the time of one core (CPU time of the process), so that what else
runs on the machine gives nobody fewer steps. What is scored are test images, dealt over camera systems, that no choice
saw. Restoring is timed afterwards, alone, with two threads.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from datasets.packed import PackedDataset, open_pack  # noqa: E402
from models.footprint import FOOTPRINTS  # noqa: E402
from models.names import ARCHITECTURES  # noqa: E402
from search.space.scale import SCALES, Protocol, TrialSetup  # noqa: E402
from search.space.spaces import SPACES  # noqa: E402
from search.space.spec import TrialSpec  # noqa: E402
from search.space.values import resolve  # noqa: E402

QUALITIES = (25, 40, 50, 60, 75)
SEEDS = (0, 1, 2)
EPOCHS = 4
N_TESTED = 12
PROBE_IMAGES = 64
TIMED_PX, TIMED_IMAGES = 360, 12
NATIVE = {"loss": "psnr-ssim", "training_quality": "20-80"}
ABLATED = "native10k"
ABLATIONS: dict[str, dict[str, Any]] = {  # what differs from the training of native networks
    "as it is": {},
    "average of weights": {"ema": 0.99},
    "no warm-up": {"warm_up": 0.0},
    "constant rate": {"schedule": "constant"},
    "no symmetries": {"augmentation": "none"},
    "crops anywhere": {"crop": "random"},
    "start of the thesis": {"start": "thesis"},
    "told no tables": {"told_tables": False},
    "MSE alone": {"loss": "mse", "ssim_weight": None},
    "MSE and SSIM": {"loss": "mse-ssim"},
    "half the rate": {"learning_rate": 1e-3},
    "twice the rate": {"learning_rate": 4e-3},
    "batches of 16": {"batch_size": 16},
    "crops of 64 px": {"crop_px": 64},
}


def spec_of(architecture: str, seed: int, **changes: Any) -> TrialSpec:
    """Return the spec of a network: natives as the search trains them, others in the way of the demo."""
    axes = {"architecture": architecture, "loss": "mse", "training_quality": "20-80"}
    axes |= NATIVE if architecture.startswith("native") else {}
    axes |= {name: value for name, value in changes.items() if name == "loss"}
    fields = resolve({**SCALES["small"].fields, **SPACES["full"].fields}, axes)
    epochs = 0 if architecture == "linear" else EPOCHS
    return TrialSpec(**{**fields, **axes, "epochs": epochs, "seed": seed, **changes})


def train(spec: TrialSpec, pack: PackedDataset, seconds: float) -> dict[str, Any]:
    """Train for about so many seconds, in this process, and return what was reached on test images."""
    from models.backend import prepare_backend
    from search.scoring.scores import score_images
    from search.trial.reporting import Verdict
    from search.trial.restorers import load_restorer
    from search.trial.store import LocalStore
    from search.trial.trial import run_trial

    prepare_backend(1)
    protocol = Protocol(n_monitored=8, monitor_px=96, n_scored=8, n_tested=N_TESTED).for_images(pack.size_px)
    setup = TrialSetup(protocol, 1)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        spec = sized(spec, pack, store, setup, seconds)
        started = time.process_time()
        record = run_trial(spec, pack, store, lambda progress: Verdict.GO_ON, setup)
        if record is None or record.error:
            raise RuntimeError(record.error if record else "paused")
        took = time.process_time() - started
        images = protocol.images_to_score(pack, spec.split, "test")
        rows = score_images(load_restorer(spec, store), pack, images, QUALITIES, protocol)
    scores = {}
    for quality in QUALITIES:
        for system in sorted(set(pack.systems)):
            own = [r for r in rows if (r["input_quality"], r["system"], r["region"]) == (quality, system, "full")]
            if own:
                scores[f"{system} {quality}"] = {
                    name: mean(row[name] for row in own) for name in ("psnr_db", "ssim", "mae")
                }
    steps = EPOCHS * -(-(spec.epoch_images or 0) // spec.batch_size) if spec.is_trained else 0
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"seconds": took, "steps": steps, "peak_mb": peak_mb, "scores": scores}


def sized(spec: TrialSpec, pack: PackedDataset, store: Any, setup: TrialSetup, seconds: float) -> TrialSpec:
    """Return a spec whose training takes about so many seconds of a core: how long an image takes is measured."""
    from search.trial.trial import run_trial

    if not spec.is_trained:
        return spec
    probe = replace(spec, epochs=2, epoch_images=PROBE_IMAGES)
    ends: list[float] = []
    record = run_trial(probe, pack, store, lambda progress: _note(ends), setup)
    if record is None or record.error:
        raise RuntimeError(record.error if record else "paused")
    per_image = (ends[-1] - ends[-2]) / PROBE_IMAGES  # the first epoch compiles
    return replace(spec, epoch_images=max(16, int(seconds / per_image / spec.epochs) // 16 * 16))


def _note(ends: list[float]) -> Any:
    from search.trial.reporting import Verdict

    ends.append(time.process_time())
    return Verdict.GO_ON


def images_per_second(architecture: str) -> float:
    """Time restoring whole images of 360 x 360 one at a time with two threads, from 8 bits to 8 bits."""
    import numpy as np

    from datasets.tables import tables_of_quality
    from models.backend import prepare_backend
    from models.build import build_model
    from models.evaluation import restore, to_8_bits

    prepare_backend(2)
    model = build_model(architecture, start="near_identity")
    image = np.random.default_rng(0).integers(0, 256, (1, TIMED_PX, TIMED_PX, 3), np.uint8)
    times = []
    for _ in range(TIMED_IMAGES + 2):
        started = time.perf_counter()
        to_8_bits(restore(model, image, tables_of_quality(50)))
        times.append(time.perf_counter() - started)
    return 1 / sorted(times[2:])[TIMED_IMAGES // 2]


def _child(*arguments: object) -> Any:
    command = [sys.executable, __file__, "child", *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"{arguments}: {answer.stderr[-2000:]}")
    return json.loads(answer.stdout.strip().splitlines()[-1])


def _jobs(question: str) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield name, network, seed and changes, seed by seed, so that whoever stops early has whole rounds."""
    for seed in SEEDS:
        if question == "networks":
            names = [name for name in ARCHITECTURES if name != "identity"]
            yield from ((name, name, seed, {}) for name in names if seed == 0 or name != "linear")
        else:
            yield from ((name, ABLATED, seed, changes) for name, changes in ABLATIONS.items())


def main() -> None:
    """Run the question and write results/restorers.json or results/ablations.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=("networks", "ablations", "child"))
    parser.add_argument("rest", nargs="+")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.question == "child":
        what, *rest = options.rest
        if what == "time":
            print(json.dumps(images_per_second(rest[0])))
        else:
            spec = spec_of(rest[1], int(rest[2]), **json.loads(rest[3]))
            print(json.dumps(train(spec, open_pack(Path(rest[0])), float(rest[4]))))
        return
    pack = Path(options.rest[0])
    jobs = list(_jobs(options.question))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda job: _run(job, pack, options.seconds), jobs))
    results: dict[str, Any] = {}
    for (name, architecture, _, _), answer in zip(jobs, found, strict=True):
        row = results.setdefault(name, {"network": architecture, "runs": []})
        row["runs"].append(answer)
    for name, row in results.items():
        row |= {
            "macs_per_pixel": FOOTPRINTS[row["network"]].macs_per_pixel,
            "weights": FOOTPRINTS[row["network"]].parameters,
        }
        if options.question == "networks":
            row["images_360px_per_s"] = _child("time", name)
    facts = {
        "pack": open_pack(pack).manifest["description"],
        "seconds": options.seconds,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        "results": results,
    }
    file = "restorers.json" if options.question == "networks" else "ablations.json"
    (ROOT / "benchmarks" / "results" / file).write_text(json.dumps(facts, indent=1) + "\n")
    for line in table(results):
        print(line)


def _run(job: tuple[str, str, int, dict[str, Any]], pack: Path, seconds: float) -> Any:
    name, architecture, seed, changes = job
    answer = _child("train", pack.resolve(), architecture, seed, json.dumps(changes), seconds)
    print(f"{name}, seed {seed}: {_short(answer['scores'])}", flush=True)
    return answer


def table(results: dict[str, Any]) -> Iterator[str]:
    """Yield a line per row: mean over seeds (and spread) of dB and SSIM at each system and quality."""
    for name, row in results.items():
        cells = []
        for key in row["runs"][0]["scores"]:
            db = [run["scores"][key]["psnr_db"] for run in row["runs"]]
            ssim = mean(run["scores"][key]["ssim"] for run in row["runs"])
            cells.append(f"{key}: {mean(db):.2f}{f' ±{stdev(db):.2f}' if len(db) > 1 else ''} {ssim:.4f}")
        speed = f", {row['images_360px_per_s']:.1f} images/s" if "images_360px_per_s" in row else ""
        yield f"{name}: {row['macs_per_pixel']} MACs/px{speed}; " + "; ".join(cells)


def _short(scores: dict[str, dict[str, float]]) -> str:
    return ", ".join(f"{key} {value['psnr_db']:.2f}/{value['ssim']:.4f}" for key, value in scores.items())


if __name__ == "__main__":
    main()
