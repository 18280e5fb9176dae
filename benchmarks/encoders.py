"""How many bytes do files need for JPEG-75's quality, by encoder, with and without a filter that restores them?

python benchmarks/encoders.py FOLDER --network-minutes 40 --codec-minutes 10

FOLDER holds a sub-folder of lossless images per camera. Each camera stands alone: near-duplicates are on one side of
its division into training, validation and test images; filters are fitted to training images and regularised on
validation images, which the search over quantisation tables chooses on too; what is reported is of test images. The
standard's tables with the scale of chroma and the DC that suit the filter, and a few others, get a network as well: a
short training of each says whose validation images need least, and that one is trained for so many minutes. For each
other codec the network so trained is trained on for some minutes with that codec's files.
Bytes are those at which the means of MAE, MSE, PSNR and SSIM all reach those of JPEG-75 as Pillow writes it by default,
as a share of its bytes. Each camera has a process of its own, with one thread.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import optuna  # noqa: E402
from encoder_cameras import SEED, Camera, Level, LinearRestorer, degrade_all, read_cameras  # noqa: E402
from encoder_network import NETWORK, WIDTH, NetworkRestorer  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from datasets.codecs import library, use_one_thread, why_missing  # noqa: E402
from datasets.encoders.compress import as_codec  # noqa: E402
from datasets.encoders.encoder import Encoder  # noqa: E402
from datasets.encoders.family import EncoderFamily, find_family  # noqa: E402
from datasets.encoders.names import find_encoder  # noqa: E402
from datasets.encoders.step_tables import BOUNDS, RadialTables, ScaledTables  # noqa: E402
from datasets.pack_format import plain_jpeg  # noqa: E402
from models.backend import prepare_backend  # noqa: E402

STARTS = (0.3, 0.6)  # coarseness, of 0..1
N_STEPS = 2  # towards parity, after the starts
LADDER = (-0.14, -0.07, 0.0, 0.07, 0.14)  # of coarseness, around parity
SCALES = (4, 60)  # of radial tables
LOWEST_QUALITY, HIGHEST_QUALITY = 15, 95
NETWORK_FAMILIES = ("jpeg", "jpeg-c1.1-dc0.5", "jpeg-c2-dc0.7")  # beside the one that the filter chooses
N_SCREENING, N_SPEED = 800, 50  # steps of training by which a network chooses, and by which it is timed
CODECS = {"webp": "webp", "avif": "avif", "jpeg xl": "jxl"}  # other than JPEG that a network is trained for
BELOW, ABOVE = 28, 8  # qualities of that training, around the first at which the filter reaches parity
RESULT = Path(__file__).resolve().parent / "results" / "encoders.json"

FAMILIES: Mapping[str, tuple[Callable[[int], Encoder], tuple[int, ...]]] = {  # of quality; the qualities to try
    "jpeg default": (plain_jpeg, (40, 48, 55, 62, 68, 75, 82)),
    "jpeg optimised": (lambda q: Encoder(quality=q), (40, 48, 55, 62, 68, 75, 82)),
    "jpeg trellis": (lambda q: Encoder(quality=q, trellis=True), (40, 48, 55, 62, 68, 75, 82)),
    "jpeg progressive": (lambda q: Encoder(quality=q, progressive=True), (40, 48, 55, 62, 68, 75, 82)),
    "jpeg 4:4:4": (lambda q: Encoder(quality=q, subsampling="4:4:4"), (40, 50, 60, 66, 72, 80)),
    "webp": (lambda q: Encoder("webp", q), (55, 65, 73, 80, 85, 90)),
    "avif": (lambda q: Encoder("avif", q), (40, 48, 54, 60, 66, 72, 80)),
    "jpeg xl": (lambda q: Encoder("jxl", q), (45, 55, 64, 72, 79, 86)),
}


def compare_codecs(camera: Camera, linear: LinearRestorer) -> dict[str, Any]:
    """Return each family's bytes at parity on test images, alone and with a filter fitted at each quality."""
    found: dict[str, Any] = {}
    for family, (make, qualities) in FAMILIES.items():
        codec = as_codec(make(qualities[0]))
        if lack := why_missing(codec):
            found[family] = {"not_run": lack}
            continue
        alone, with_linear = [], []
        for encoder in map(make, qualities):
            degraded = degrade_all(camera.images["test"], encoder)
            alone.append(camera.level("test", degraded))
            with_linear.append(camera.level("test", degraded, linear.restore(camera, "test", degraded, encoder)))
        shares = (round(camera.share("test", levels), 4) for levels in (alone, with_linear))
        found[family] = {**dict(zip(("alone", "with_linear"), shares, strict=True)), "library": library(codec)}
        found[family]["quality_with_linear"] = next(
            (quality for quality, level in zip(qualities, with_linear, strict=True) if level.margin >= 0), qualities[-1]
        )
        print(f"  {camera.name}, {family}: {found[family]}", flush=True)
    return found


def encoder_at(shape: Mapping[str, float], coarseness: float) -> Encoder:
    """Return JPEG with tables of a shape at a coarseness of 0..1; kind 0 scales the standard's, 1 is radial."""
    numbers = {name: value for name, value in shape.items() if name != "kind"}
    if shape["kind"]:
        low, high = SCALES
        return Encoder(tables=RadialTables(low * (high / low) ** coarseness, **numbers))
    quality = round(HIGHEST_QUALITY - (HIGHEST_QUALITY - LOWEST_QUALITY) * coarseness)
    return Encoder(tables=ScaledTables(quality, **numbers))


def approach(level_at: Callable[[float], Level]) -> tuple[list[Level], float]:
    """Return levels around parity, and the coarseness where the margin is 0 by the two that are nearest to it."""
    levels = {coarseness: level_at(coarseness) for coarseness in STARTS}
    for _ in range(N_STEPS):
        levels.setdefault(crossing := _crossing(levels), level_at(crossing))
    return list(levels.values()), _crossing(levels)


def _crossing(levels: Mapping[float, Level]) -> float:
    (one, first), (other, second) = sorted(levels.items(), key=lambda item: abs(item[1].margin))[:2]
    slope = (second.margin - first.margin) / (other - one)
    return min(max(one - first.margin / slope, 0.0), 1.0) if slope else one


def propose(trial: optuna.Trial) -> dict[str, float]:
    """Return a shape of tables."""
    shape: dict[str, float] = {"kind": trial.suggest_categorical("kind", (0, 1))}
    shape["chroma_scale"] = trial.suggest_float("chroma_scale", *BOUNDS["chroma_scale"], log=True)
    for name in ("slope", "exponent", "chroma_slope", "dc") if shape["kind"] else ("dc",):
        shape[name] = trial.suggest_float(name, *BOUNDS[name])
    return shape


KINDS = ("scaled", "radial")
KNOWN: tuple[dict[str, float], ...] = (  # tried first: the standard's tables, chroma finer or DC, flat
    {"kind": 0, "chroma_scale": 1, "dc": 1},
    {"kind": 0, "chroma_scale": 0.9, "dc": 0.7},
    {"kind": 0, "chroma_scale": 0.6, "dc": 1},
    {"kind": 1, "chroma_scale": 1, "slope": 0, "exponent": 1, "chroma_slope": 0, "dc": 1},
)


class Search:
    """Searches shapes of quantisation tables for fewest bytes at parity on a camera's validation images."""

    def __init__(self, camera: Camera, linear: LinearRestorer) -> None:
        self.camera, self.linear = camera, linear

    def level(self, shape: Mapping[str, float], coarseness: float, with_filter: bool) -> Level:
        """Return what validation images reach."""
        encoder = encoder_at(shape, coarseness)
        degraded = degrade_all(self.camera.images["validation"], encoder)
        if not with_filter:
            return self.camera.level("validation", degraded)
        restored = self.linear.restore(self.camera, "validation", degraded, encoder, fast=True)
        return self.camera.level("validation", degraded, restored)

    def parity(self, shape: Mapping[str, float], with_filter: bool) -> tuple[float, float]:
        """Return the bytes at parity of a shape, as a share of JPEG-75's, and the coarseness where it lies."""
        levels, at = approach(partial(self.level, shape, with_filter=with_filter))
        return self.camera.share("validation", levels), at

    def run(self, n_trials: int, with_filter: bool, first: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
        """Return the shapes tried with their shares, the best first."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=SEED, multivariate=True, group=True)
        study = optuna.create_study(sampler=sampler)
        for shape in first:
            study.enqueue_trial(dict(shape))
        tried = []
        for _ in range(n_trials):
            trial = study.ask()
            shape = propose(trial)
            share, at = self.parity(shape, with_filter)
            study.tell(trial, share)
            tried.append({"shape": shape, "share": share, "at": at})
        return sorted(tried, key=lambda item: float(item["share"]))

    def on_test(self, item: Mapping[str, Any], with_filter: bool) -> dict[str, Any]:
        """Return a shape's bytes at parity on test images, and how its files look there without a restorer."""
        camera, levels = self.camera, []
        for at in sorted({min(max(item["at"] + step, 0.0), 1.0) for step in LADDER}):
            encoder = encoder_at(item["shape"], at)
            degraded = degrade_all(camera.images["test"], encoder)
            restored = self.linear.restore(camera, "test", degraded, encoder) if with_filter else None
            levels.append(camera.level("test", degraded, restored))
        encoder = encoder_at(item["shape"], item["at"])
        undecorated = camera.level("test", degrade_all(camera.images["test"], encoder))
        return {
            "encoder": encoder.name,
            "validation": round(item["share"], 4),
            "test": round(camera.share("test", levels), 4),
            "file_psnr_db": round(undecorated.means["psnr_db"], 2),
            "file_ssim": round(undecorated.means["ssim"], 4),
        }


def search_tables(camera: Camera, linear: LinearRestorer, n_alone: int, n_linear: int) -> dict[str, Any]:
    """Search alone, then with the filter from the best of these on, and compare how both rank the same shapes."""
    search = Search(camera, linear)
    alone = search.run(n_alone, False, KNOWN)
    first = [*KNOWN, *(item["shape"] for item in alone[:3])]
    restored = search.run(n_linear, True, first)
    by_alone = [search.parity(item["shape"], False)[0] for item in restored]
    ways = {"alone": (alone, False), "with_linear": (restored, True)}
    found: dict[str, Any] = {way: _best_by_kind(search, tried, filtered) for way, (tried, filtered) in ways.items()}
    found |= {
        "n_trials": {"alone": n_alone, "with_linear": n_linear},
        "rank_correlation": round(float(spearmanr(by_alone, [item["share"] for item in restored]).statistic), 3),
    }
    print(f"  {camera.name}, tables: {json.dumps(found)}", flush=True)
    return found


def _best_by_kind(search: Search, tried: Sequence[Mapping[str, Any]], with_filter: bool) -> dict[str, Any]:
    """Return what the best of each kind of tables reaches on test images, the one first that validation chooses."""
    best = {KINDS[item["shape"]["kind"]]: item for item in reversed(tried)}
    chosen = sorted(best, key=lambda kind: float(best[kind]["share"]))
    return {kind: search.on_test(best[kind], with_filter) for kind in chosen}


def with_network(camera: Camera, encoder: str, seconds: float) -> tuple[dict[str, Any], NetworkRestorer]:
    """Return what test images need where a network restores them, and that network.

    Of the families that a search tries first, and that of an encoder, it takes the one whose validation images need
    least after a short training, and trains on that for so many seconds of a core.
    """
    families = [EncoderFamily(find_encoder(encoder)), *map(find_family, NETWORK_FAMILIES)]
    tried, step_s = {}, 0.0
    for family in {family.name: family for family in families}.values():
        restorer = NetworkRestorer(camera, family)
        step_s = restorer.fit(N_SCREENING)
        tried[family.name] = round(camera.share("validation", restorer.levels("validation")), 4)
        print(f"  {camera.name}, {family.name}, {N_SCREENING} steps: {tried[family.name]} of validation", flush=True)
    restorer = NetworkRestorer(camera, find_family(min(tried, key=lambda name: tried[name])))
    n_steps = int(seconds / step_s)
    restorer.fit(n_steps)
    screened = {"n_steps": N_SCREENING, "validation": tried}
    found = {"screened": screened, "n_steps": n_steps, **reached(camera, restorer)}
    print(f"  {camera.name}, network: {found}", flush=True)
    return found, restorer


def for_codec(camera: Camera, codec: str, quality: int, trained: NetworkRestorer, seconds: float) -> dict[str, Any]:
    """Return what test images need where a network restores files of another codec: one trained, and trained on."""
    restorer = NetworkRestorer(camera, find_family(codec), range(quality - BELOW, quality + ABOVE + 1))
    step_s = restorer.fit(N_SPEED)
    restorer.start = trained.model.get_weights()
    n_steps = int(seconds / step_s)
    restorer.fit(n_steps)
    found = {"n_steps": n_steps, **reached(camera, restorer)}
    print(f"  {camera.name}, {codec}, network: {found}", flush=True)
    return found


def reached(camera: Camera, restorer: NetworkRestorer) -> dict[str, Any]:
    """Return the bytes at parity of a network that was trained, and its margins by quality on test images."""
    levels = {subset: restorer.levels(subset) for subset in ("validation", "test")}
    shares = {subset: round(camera.share(subset, found), 4) for subset, found in levels.items()}
    margins = {quality: round(level.margin, 3) for quality, level in zip(restorer.ladder, levels["test"], strict=True)}
    return {"network": NETWORK, "family": restorer.family.name, "width": WIDTH, **shares, "margins": margins}


def measure(camera: Camera, n_alone: int, n_linear: int, network_s: float, codec_s: float) -> dict[str, Any]:
    """Return all that is found of a camera."""
    prepare_backend(1)
    use_one_thread()
    started = time.process_time()
    linear = LinearRestorer()
    bytes_75, means_75, _ = camera.reference("test")
    found = {
        **camera.facts,
        "jpeg_75": {"mean_bytes": round(bytes_75, 1), **{name: round(value, 6) for name, value in means_75.items()}},
        "codecs": compare_codecs(camera, linear),
        "tables": search_tables(camera, linear, n_alone, n_linear),
    }
    if network_s:
        encoder = found["tables"]["with_linear"]["scaled"]["encoder"]
        found["network"], trained = with_network(camera, encoder, network_s)
        for family, codec in CODECS.items() if codec_s else ():
            if "not_run" not in (row := found["codecs"][family]):
                row["with_network"] = for_codec(camera, codec, row["quality_with_linear"], trained, codec_s)
    return {**found, "processor_s": round(time.process_time() - started)}


def main() -> None:
    """Measure, print and write benchmarks/results/encoders.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=60, help="shapes of tables tried without a restorer")
    parser.add_argument("--linear-trials", type=int, default=30, help="with the linear restorer")
    parser.add_argument("--network-minutes", type=float, default=0.0, help="of a core, to train a network for a camera")
    parser.add_argument("--codec-minutes", type=float, default=0.0, help="to train it on for each other codec")
    options = parser.parse_args()
    found = read_cameras(options.folder)
    with ProcessPoolExecutor(len(found), get_context("spawn")) as processes:
        asked = {"n_alone": options.trials, "n_linear": options.linear_trials}
        asked |= {"network_s": 60 * options.network_minutes, "codec_s": 60 * options.codec_minutes}
        numbers = processes.map(partial(measure, **asked), found)
        cameras = {camera.name: of_camera for camera, of_camera in zip(found, numbers, strict=True)}
    result = {
        "machine": {"processor": platform.machine(), "system": platform.system(), "n_cpus": os.cpu_count()},
        "versions": {name: version(name) for name in ("numpy", "pillow", "optuna", "keras")},
        "settings": {
            **{"seed": SEED, "ladder": LADDER, "qualities": {name: q for name, (_, q) in FAMILIES.items()}},
            **{"network_minutes": options.network_minutes, "codec_minutes": options.codec_minutes},
        },
        "cameras": cameras,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for name, of_camera in cameras.items():
        print(f"{name}: bytes at parity with JPEG-75 in all four means, alone, with linear and with a network")
        tables = {way: next(iter(of_camera["tables"][way].values()))["test"] for way in ("alone", "with_linear")}
        rows = {**of_camera["codecs"], "jpeg, tables found": tables}
        for family, row in rows.items():
            network = f"  {row['with_network']['test']:.3f}" if "with_network" in row else ""
            print(f"  {family:20}", row.get("not_run") or f"{row['alone']:.3f}  {row['with_linear']:.3f}{network}")
        if network := of_camera.get("network"):
            print(f"  {network['family']:20} restored by {network['network']}: {network['test']:.3f}")


if __name__ == "__main__":
    main()
