"""Copy what a run's report says into docs/results: its decision, chosen tables and figures, its command and versions.

python benchmarks/publish.py RUN docs/results/NAME [--camera SYSTEM] [--restorer]

Nothing is worked out here: all files but run.json, crops.png and the picked restorer, restorer.lowq, are the report's
own. Pictures of images are left out, but for small crops of one camera system, whose licence must allow it.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from analysis.findings import find
from analysis.pictures import read_samples
from analysis.run import open_run

TABLES = (
    *("evidence", "strict_steps", "codecs", "bytes_at_parity_test", "quality_test_full", "conclusions", "encoders"),
    *("luma_and_chroma", "networks", "safety", "trials", "splits", "suspects"),
)
FIGURES = ("quality_and_bytes", "quality_curve")
FACTS = (*("command", "space", "scale", "seed", "created", "git_commit", "versions", "dataset", "left_out"),)
ROOT = Path(__file__).resolve().parent.parent
LICENCE = "Apache-2.0"  # as lowq's own
CROP_PX, ENLARGED, GAP_PX = 72, 3, 6


def publish(run: Path, out: Path, camera: str | None, with_restorer: bool) -> None:
    """Write the folder anew."""
    report = run / "report"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    shutil.copy(report / "pick.json", out)
    for table in TABLES:
        for file in sorted((report / "tables").glob(f"{table}.*")):
            if file.suffix in (".csv", ".md"):
                shutil.copy(file, out)
    for figure in FIGURES:
        if (report / "figures" / f"{figure}.svg").is_file():
            shutil.copy(report / "figures" / f"{figure}.svg", out)
    facts = json.loads((run / "run.json").read_text())
    pack = facts["dataset"].pop("path")  # where it lies is nobody's business
    facts["command"] = facts["command"].replace(pack, "PACK").replace(str(run), "RUN")
    told = {name: facts[name] for name in FACTS if name in facts}
    (out / "run.json").write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")
    if with_restorer:
        export = ("export", run.resolve(), "-o", (out / "restorer.lowq").resolve(), "--licence", LICENCE)
        subprocess.run([sys.executable, "-m", "models", *export], cwd=ROOT, check=True)
    if camera:
        write_crops(run, camera, out / "crops.png")


def write_crops(run: Path, camera: str, path: Path) -> None:
    """Draw a crop of the first sample of a camera: JPEG-75, the picked file, what it was restored to, the original."""
    findings = find(open_run(run))
    if findings.best is None or findings.pick.quality is None:
        return
    samples = read_samples(run, findings.best.trial_id, findings.best.spec.encoder)
    if isinstance(samples, str):
        raise SystemExit(samples)
    name = next(name for name in samples.names if name.startswith(f"{camera}/"))
    original, low, restored = samples.versions(name, samples.nearest_quality(findings.pick.quality))
    today = samples.versions(name, samples.nearest_quality(findings.run.reference_quality))[1]
    top, left = ((side - CROP_PX) // 2 for side in original.shape[:2])
    crops = [image[top : top + CROP_PX, left : left + CROP_PX] for image in (today, low, restored, original)]
    large = [crop.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1) for crop in crops]
    gap = np.full((len(large[0]), GAP_PX, 3), 255, np.uint8)
    tiles = [tile for image in large for tile in (image, gap)][:-1]
    Image.fromarray(np.concatenate(tiles, axis=1)).save(path, optimize=True)


def main() -> None:
    """Publish a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--camera", help="the system whose crops may be shown")
    parser.add_argument("--restorer", action="store_true", help="publish the picked restorer too")
    options = parser.parse_args()
    publish(options.run, options.out, options.camera, options.restorer)
    print(f"{len(list(options.out.iterdir()))} files in {options.out}")


if __name__ == "__main__":
    main()
