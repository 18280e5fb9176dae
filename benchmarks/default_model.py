"""Train the model that comes with lowq, on the built-in synthetic smear, and write its file.

python benchmarks/default_model.py models/restoring/default.lowq

Its safety card is added by `python -m models safety FILE PACK -o FILE --force --images 6`, with the pack in --packs.

One thread, some minutes: native10k as a search trains it at the scale `small`, on more images and fewer epochs. The
same machine, versions and seed make the same file. What it restores are files that look like the smear: a model for
one's own camera is what a search makes.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.restorers import spec_of  # noqa: E402
from datasets.builtin import open_builtin  # noqa: E402
from datasets.packed import PackedDataset  # noqa: E402
from models.commands.export import export_run  # noqa: E402
from search.records import append_record  # noqa: E402
from search.space.scale import Protocol, TrialSetup  # noqa: E402
from search.trial.reporting import Progress, Verdict  # noqa: E402

SPLIT = "data100"
EPOCHS, EPOCH_IMAGES = 12, 4096
PROTOCOL = Protocol(n_monitored=24, monitor_px=128, n_scored=16)
LICENCE = "Apache-2.0"


def main() -> None:
    """Make the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--packs", type=Path, default=Path(tempfile.gettempdir()), help="where the smear is kept")
    options = parser.parse_args()
    from models.backend import prepare_backend

    prepare_backend(1)
    pack = open_builtin(options.packs)
    with tempfile.TemporaryDirectory() as folder:
        trial_id = train(pack, Path(folder))
        model_file = export_run(Path(folder), options.file, trial_id, LICENCE)
    print(json.dumps(model_file.facts["scores"], indent=1))


def train(pack: PackedDataset, run: Path) -> str:
    """Train and score a trial into a directory that is laid out as a run's; returns its name."""
    from search.scoring.score_files import scores_to_bytes
    from search.scoring.scores import score_images
    from search.trial.restorers import load_restorer
    from search.trial.store import SCORES, LocalStore
    from search.trial.trial import run_trial

    facts = {"dataset": {**pack.manifest, "path": str(pack.folder.resolve()), "split": SPLIT}}
    (run / "run.json").write_text(json.dumps(facts))
    spec = replace(spec_of("native10k", 0), split=SPLIT, epochs=EPOCHS, epoch_images=EPOCH_IMAGES)
    store, protocol = LocalStore(run), PROTOCOL.for_images(pack.size_px)
    started = time.process_time()

    def say(progress: Progress) -> Verdict:
        print(f"epoch {progress.epoch}/{progress.epochs}: {progress.psnr_gain_db} dB", file=sys.stderr, flush=True)
        return Verdict.GO_ON

    record = run_trial(spec, pack, store, say, TrialSetup(protocol, 1))
    if record is None or record.error:
        raise RuntimeError(record.error if record else "paused")
    print(f"{time.process_time() - started:.0f} s of a core", file=sys.stderr)
    append_record(run, record)
    images = protocol.images_to_score(pack, SPLIT, "test")
    rows = score_images(load_restorer(spec, store), pack, images, pack.qualities, protocol)
    store.save(spec.trial_id, spec.epochs, {SCORES: scores_to_bytes([{"split": "test", **row} for row in rows])})
    return spec.trial_id


if __name__ == "__main__":
    main()
