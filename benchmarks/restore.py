"""Restoring as it is used: how fast, in how much memory, how much better, and does anything crash it? In one run.

python benchmarks/restore.py PACK [--model FILE] [--parts speed quality int8 memory mutated]

speed: whole JPEG files of 360 x 360 in memory to 8 bits restored (decoding, network, projection; nothing is written),
one at a time with the threads of two cores, beside the networks of the thesis, whose weights do not matter for that.
quality: means over the pack's test images, with and without projection, beside other decoders that are installed.
int8: the same network in 8 bits by onnxruntime and by TFLite, beside itself in 32. memory: the peak of a process that
restores 100 megapixels. mutated: 10,000 damaged files, each of which must end as a picture or a reason.
"""

import argparse
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as python -m models has it
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.peers import find_peers  # noqa: E402
from datasets.cores import n_cores  # noqa: E402
from datasets.jpeg import decode_jpeg, encode_jpeg  # noqa: E402
from datasets.jpeg_file import JpegError, read_jpeg  # noqa: E402
from datasets.packed import PackedDataset, open_pack  # noqa: E402
from datasets.sampling import deal_images  # noqa: E402

QUALITIES = (25, 40, 50, 60, 75)
SPLIT, N_TESTED, N_CALIBRATED = "data100", 24, 8
TIMED_PX, N_TIMED, N_THREADS = 360, 15, 2
MEGAPIXELS_PX = 10_000
N_MUTATED = 10_000
THESIS = ("resnet", "jjnet", "memnet", "unet", "denseunet", "smallxception", "densenet", "resnetyuv")


def speed(pack: PackedDataset, model: Path | None) -> dict[str, Any]:
    """Time restoring a file by the model and by each network of the thesis, and the parts of the former."""
    from models.build import build_model
    from models.restore import Restorer, load, restore, restore_pixels
    from models.restoring.consistency import Stored, project
    from models.restoring.reach import find_reach
    from models.restoring.tiles import Network

    own = load(model)
    original = np.resize(np.asarray(pack.originals[0]), (TIMED_PX, TIMED_PX, 3))
    data = encode_jpeg(original, 50)
    jpeg = read_jpeg(data)
    as_floats = np.divide(jpeg.pixels, 255, dtype=np.float32)
    stored = Stored(jpeg.planes, jpeg.steps, jpeg.frame.factors)
    found = {"model": _rates(lambda: restore(own, data))}
    found["parts_ms"] = {
        "decoding": _rates(lambda: read_jpeg(data))["cpu_ms"],
        "network": _rates(lambda: restore_pixels(own, jpeg, "off"))["cpu_ms"],
        "projection": _rates(lambda: project(as_floats, stored))["cpu_ms"],
    }
    for name in THESIS:
        network = build_model(name)
        restorer = Restorer(own.model_file, Network(network), find_reach(network))
        found[name] = _rates(lambda restorer=restorer: restore(restorer, data))  # type: ignore[misc]
    return found


def _rates(function: Callable[[], Any]) -> dict[str, float]:
    """Return images a second by the clock, and milliseconds of a core, each the median of several."""
    walls, cores = [], []
    for _ in range(N_TIMED + 3):  # the first compile
        wall, core = time.perf_counter(), time.process_time()
        function()
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return {"images_per_s": 1 / median(walls[3:]), "cpu_ms": 1000 * median(cores[3:])}


def quality(pack: PackedDataset, model: Path | None, dncnn3: Path | None = None) -> dict[str, Any]:
    """Return mean PSNR and SSIM of JPEG as it is, restored in each way, and other decoders, by quality."""
    from models.metrics import measure
    from models.restore import load, restore

    own = load(model)
    ways: dict[str, Callable[[bytes], Any]] = {"jpeg": decode_jpeg}
    for cells in ("off", "wide", "narrow"):
        ways[f"restored, consistency {cells}"] = lambda data, cells=cells: restore(own, data, cells)  # type: ignore[misc]
    peers, skipped = find_peers(dncnn3)
    ways |= peers
    images = deal_images(pack, pack.images_of(SPLIT, "test"), N_TESTED).tolist()
    found: dict[str, Any] = {}
    for quality_ in QUALITIES:
        scores: dict[str, list[dict[str, float]]] = {}
        for image in images:
            original = np.asarray(pack.originals[image])
            data = encode_jpeg(original, quality_)
            for name, show in ways.items():
                pair = (np.divide(pixels, 255, dtype=np.float32)[None] for pixels in (original, show(data)))
                row = {metric: float(value[0]) for metric, value in measure(*pair, ("psnr_db", "ssim")).items()}
                scores.setdefault(name, []).append(row)
        found[str(quality_)] = {
            name: {metric: mean(row[metric] for row in rows) for metric in ("psnr_db", "ssim")}
            for name, rows in scores.items()
        }
    return {"n_images": len(images), "means": found, "skipped": skipped}


def int8(pack: PackedDataset, model: Path | None) -> dict[str, Any]:
    """Return what 8 bits cost in dB and bring in time, against 32 bits in the same runtime, both with two threads."""
    from benchmarks.int8 import in_onnxruntime, in_tflite
    from models.restore import load

    def floats(image: int) -> Any:
        shown = decode_jpeg(encode_jpeg(np.asarray(pack.originals[image]), 50))
        return np.divide(shown, 255, dtype=np.float32)[None]

    network = load(model).network.model
    training, images = (
        deal_images(pack, pack.images_of(SPLIT, subset), n).tolist()
        for subset, n in (("train", N_CALIBRATED), ("test", N_TESTED))
    )
    ways = in_onnxruntime(network, [floats(image) for image in training], N_THREADS) | in_tflite(network, N_THREADS)
    found: dict[str, Any] = {}
    for name, (n_bytes, run) in ways.items():
        errors = [np.square(255.0 * np.clip(run(floats(i))[0], 0, 1) - pack.originals[i]) for i in images]
        psnr_db = mean(float(10 * np.log10(255**2 / error.mean())) for error in errors)
        given = floats(images[0])
        found[name] = {"bytes": n_bytes, "psnr_db": psnr_db, **_rates(lambda run=run, given=given: run(given))}  # type: ignore[misc]
    for runtime in ("onnxruntime", "tflite"):
        whole, small = found[f"{runtime} 32 bits"], found[f"{runtime} 8 bits"]
        small["db_lost"] = whole["psnr_db"] - small["psnr_db"]
        small["speedup"] = small["images_per_s"] / whole["images_per_s"]
        small["speedup_of_a_core"] = whole["cpu_ms"] / small["cpu_ms"]
    return found


def memory(pack: PackedDataset, model: Path | None) -> dict[str, Any]:
    """Return the peak memory of a process that restores 100 megapixels, and of one that restores a small image."""
    original = np.asarray(pack.originals[0])
    n_times = -(-MEGAPIXELS_PX // original.shape[0])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in (("small", original), ("100_megapixels", np.tile(original, (n_times, n_times, 1)))):
            source = Path(folder) / f"{name}.jpg"
            source.write_bytes(encode_jpeg(pixels[:MEGAPIXELS_PX, :MEGAPIXELS_PX], 50))
            command = ["-m", "models", "restore", str(source), "-o", f"{folder}/{name}.png"]
            command += ["--model", str(model)] if model else []
            script = (
                "import resource, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True); "
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
            )
            started = time.perf_counter()
            answer = subprocess.run(
                [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True, cwd=ROOT
            )
            peak_mb = int(answer.stdout.split()[-1]) * 1024 / 1e6
            found[name] = {"peak_mb": peak_mb, "seconds": time.perf_counter() - started}
    return found


def mutated(pack: PackedDataset, model: Path | None) -> dict[str, Any]:
    """Return how 10,000 damaged files end; anything but a picture or a reason raises."""
    from models.restore import CannotRestoreError, load, restore
    from tests.test_jpeg_file import mutated as damage

    own = load(model)
    original = np.asarray(pack.originals[0])[:48, :56]
    sources = [
        encode_jpeg(original, 50),
        *(_saved(original, **options) for options in ({"progressive": True}, {"subsampling": 0})),
    ]
    ends, slowest = Counter[str](), 0.0
    for seed in range(N_MUTATED):
        started = time.process_time()
        try:
            restore(own, damage(sources[seed % len(sources)], seed))
            ends["restored"] += 1
        except (JpegError, CannotRestoreError) as error:
            ends[re.sub(r"[0-9.]+", "N", str(error).split(" (")[0].split(":")[0])] += 1
        slowest = max(slowest, time.process_time() - started)
    return {"ends": dict(ends.most_common()), "slowest_s": slowest}


def _saved(image: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=50, **options)
    return buffer.getvalue()


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "speed": speed,
    "quality": quality,
    "int8": int8,
    "memory": memory,
    "mutated": mutated,
}


def main() -> None:
    """Run the parts and write results/restore.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--dncnn3", type=Path, metavar="FILE", help="weights of DnCNN-3 as .npz")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "restore.json")
    options = parser.parse_args()
    from models.backend import prepare_backend
    from models.restore import open_model

    prepare_backend(N_THREADS)
    pack = open_pack(options.pack)
    results = {}
    for part in options.parts:
        more = {"dncnn3": options.dncnn3} if part == "quality" else {}
        results[part] = PARTS[part](pack, options.model, **more)
        print(part, json.dumps(results[part], indent=1), flush=True)
    facts = {
        "pack": pack.manifest["description"],
        "model": open_model(options.model).name,
        "machine": f"{n_cores()} cores, {platform.machine()}",
        "load_average": os.getloadavg(),  # of what else ran meanwhile: by the clock, numbers above 2 are too slow
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        "results": results,
    }
    options.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
