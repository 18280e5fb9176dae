"""Is what a search of the native networks finds better than a fixed recipe? On test images that neither has seen.

python benchmarks/native_search.py RUN PACK

RUN: of `search/run.py --space native --data PACK`. Its first finalist stands beside native10k as it would be trained
without a search: 8,000 steps of 16 crops of 96 px, 1000 MSE + 0.3 (1 - SSIM), a rate of 1.5e-3 that warms up for 500
steps and falls to zero, not told the file's tables. One core, a quarter of an hour.
"""

import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import pandas as pd  # noqa: E402
from restorers import spec_of  # noqa: E402

from analysis.run import open_run  # noqa: E402
from datasets.packed import open_pack  # noqa: E402
from models.backend import prepare_backend  # noqa: E402
from search.scoring.scores import score_images  # noqa: E402
from search.space.scale import SCALES, TrialSetup  # noqa: E402
from search.trial.reporting import Progress, Verdict  # noqa: E402
from search.trial.restorers import load_restorer  # noqa: E402
from search.trial.store import LocalStore  # noqa: E402
from search.trial.trial import run_trial  # noqa: E402

STEPS, BATCH, WARM_UP_STEPS, EPOCHS = 8000, 16, 500, 20
RECIPE: dict[str, Any] = {
    "loss": "mse-ssim",
    "ssim_weight": 0.3 / 5,  # of 5 (1 - SSIM), as `models/losses.py` has it
    "told_tables": False,
    "learning_rate": 1.5e-3,
    "warm_up": WARM_UP_STEPS / STEPS,
    "batch_size": BATCH,
    "crop_px": 96,
    "epochs": EPOCHS,
    "epoch_images": STEPS * BATCH // EPOCHS,
    "restore_best": False,  # the last weights, when the rate has fallen to zero
}
QUALITIES = (25, 40, 50, 60, 75)
SCORES = ["psnr_db", "ssim", "mae"]
RESULT = ROOT / "benchmarks" / "results" / "native_search.json"


def _go_on(progress: Progress) -> Verdict:
    print(f"epoch {progress.epoch}/{progress.epochs}, loss {progress.loss:.4f}", flush=True)
    return Verdict.GO_ON


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean scores of whole test images of each camera system at each quality."""
    chosen = rows[(rows["split"] == "test") & (rows["region"] == "full") & rows["input_quality"].isin(QUALITIES)]
    return chosen.groupby(["system", "input_quality"], observed=True)[SCORES].mean()


def recipe_scores(pack_folder: Path) -> pd.DataFrame:
    """Train by the recipe and return the scores of all test images."""
    pack = open_pack(pack_folder)
    protocol = SCALES["small"].protocol.for_images(pack.size_px)
    spec = spec_of("native10k", 0, **RECIPE)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        record = run_trial(spec, pack, store, _go_on, TrialSetup(protocol))
        if record is None or record.error:
            raise RuntimeError(record.error if record else "paused")
        images = protocol.images_to_score(pack, spec.split, "test")
        rows = score_images(load_restorer(spec, store), pack, images, QUALITIES, protocol)
    return pd.DataFrame(rows).assign(split="test")


def main() -> None:
    """Train, compare, print and write benchmarks/results/native_search.json."""
    run, pack = open_run(Path(sys.argv[1])), Path(sys.argv[2])
    prepare_backend(1)
    found = run.finalists[0]
    searched = means(run.scores[run.scores["trial_id"] == found.trial_id])
    by_recipe = means(recipe_scores(pack))
    rows = []
    for (system, quality), one in searched.iterrows():  # type: ignore[misc]
        other = by_recipe.loc[(system, quality)]
        rows.append(
            {"system": system, "quality": int(quality)}
            | {f"{name}_of_search": round(one[name], 5) for name in SCORES}
            | {f"{name}_of_recipe": round(other[name], 5) for name in SCORES}
        )
        print(f"{system} {quality}: {one['psnr_db'] - other['psnr_db']:+.3f} dB, {one['ssim'] - other['ssim']:+.5f}")
    facts = {
        "pack": open_pack(pack).manifest["description"],
        "trial": found.trial_id,
        "recipe": RECIPE,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        "means": rows,
    }
    RESULT.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
