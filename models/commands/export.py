"""`python -m models export`: a run's restorer as a model file."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError, printable
from datasets.packed import PackedDataset, open_pack
from datasets.sampling import deal_images
from models.restoring.model_file import SUFFIX, ModelFile, write_model_file

N_DESCRIBED = 256  # training images, dealt over camera systems: some seconds

NO_LICENCE = "not stated: ask who trained it"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m models`."""
    command = commands.add_parser("export", help="makes a model file of a run's restorer")
    command.add_argument("run_folder", type=Path, metavar="RUN", help="a directory that a search wrote")
    command.add_argument("--trial", metavar="ID", help="which restorer (default: the pick's)")
    command.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help=f"ends in {SUFFIX}")
    command.add_argument("--licence", default=NO_LICENCE, help="of the weights, as the file says it")
    command.add_argument("--force", action="store_true", help="replaces what is there already")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export a restorer, and say what was written."""
    if options.out.suffix != SUFFIX:
        raise InputError(f"a model file ends in {SUFFIX}, got {options.out}: name it so")
    if options.out.exists() and not options.force:
        raise InputError(f"{options.out} exists: name another file, or replace it with --force")
    model_file = export_run(options.run_folder, options.out, options.trial, options.licence)
    print(f"{model_file.name}: {options.out.stat().st_size:,} bytes in {printable(str(options.out))}")
    return 0


def export_run(run: Path, file: Path, trial_id: str | None = None, licence: str = NO_LICENCE) -> ModelFile:
    """Write a trial's restorer as a model file, the pick's unless one is named; returns what was written.

    Where the run's pack is still in its place the file tells what its training images look like. It appears when it is
    whole, in the place of an earlier one. Raises ModelFileError with one line where the run has no pick, no such trial
    or no weights of it.
    """
    from models.restoring.from_run import dataset_of_run, model_of_run  # loads Keras

    dataset = dataset_of_run(run)
    model_file = model_of_run(run, trial_id, licence, _statistics(dataset))
    write_model_file(file, model_file)
    return model_file


def describe_training_images(pack: PackedDataset, split: str) -> dict[str, Any]:
    """Return the statistics of a split's training images, as a model file has them."""
    from models.restoring.likeness import statistics_of

    images = deal_images(pack, pack.images_of(split, "train"), N_DESCRIBED)
    systems: dict[str, list[NDArray[np.uint8]]] = {}
    for image in images.tolist():
        systems.setdefault(pack.systems[image], []).append(pack.originals[image])  # of a mapped file: not yet read
    return statistics_of(systems)


def _statistics(dataset: dict[str, Any]) -> dict[str, Any] | None:
    try:
        pack = open_pack(Path(str(dataset["path"])))
        is_same = pack.fingerprint == dataset["fingerprint"]
        return describe_training_images(pack, str(dataset["split"])) if is_same else None
    except (InputError, LookupError):
        return None
