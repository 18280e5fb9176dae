"""`python -m models export`: a run's restorer as a model file, as other programs read it, or as a page."""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError, printable
from datasets.packed import PackedDataset, open_pack
from datasets.sampling import deal_images
from datasets.whole_file import write_whole
from models.restoring.model_file import (
    FINALISTS_IN_RUN,
    SUFFIX,
    ModelFile,
    read_model_file,
    write_model_file,
)

N_DESCRIBED = 256  # training images, dealt over camera systems: some seconds

ONNX, TFLITE, SAVED_MODEL, PAGE = ".onnx", ".tflite", ".savedmodel", ".html"
NAMED = f"a model file ends in {SUFFIX}, an ONNX file in {ONNX}, a TFLite file in {TFLITE}, a SavedModel's folder in "
NAMED += f"{SAVED_MODEL}, a page in {PAGE}"
NO_LICENCE = "not stated: ask who trained it"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m models`."""
    command = commands.add_parser("export", help="makes a model file of a run's restorer, or what other programs read")
    command.add_argument("source", type=Path, metavar="RUN|FILE", help="a directory that a search wrote, a model file")
    command.add_argument("--trial", metavar="ID", help="which restorer (default: the pick's)")
    command.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help=NAMED)
    command.add_argument("--int8", action="store_true", help="of a TFLite file: its weights in 8 bits")
    command.add_argument("--plugin", type=Path, metavar="FILE", help="defines the model's network, if it is one's own")
    command.add_argument("--runtime", type=Path, metavar="FILE", help="for a page: npm's package of onnxruntime-web")
    command.add_argument("--licence", default=NO_LICENCE, help="of the weights, as the file says it")
    command.add_argument("--force", action="store_true", help="replaces what is there already")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export a restorer, and say what was written."""
    out = options.out
    if out.suffix not in (SUFFIX, ONNX, TFLITE, SAVED_MODEL, PAGE):
        raise InputError(f"{NAMED}, got {out}: name it so")
    if out.suffix == PAGE and not options.runtime:
        raise InputError("a page needs --runtime FILE, the package of onnxruntime-web: `npm pack onnxruntime-web`")
    if options.int8 and out.suffix != TFLITE:
        raise InputError(f"--int8 is for a file that ends in {TFLITE}, got {out}: name it so, or leave --int8 out")
    if out.suffix == SUFFIX and options.source.is_file():
        raise InputError(
            f"{options.source} is a file: {SUFFIX} is made of a run; name one, or an output of another kind"
        )
    if out.exists() and not options.force:
        raise InputError(f"{out} exists: name another file, or replace it with --force")
    if out.is_dir() != (out.suffix == SAVED_MODEL) and out.exists():
        raise InputError(f"{out} is {'a folder' if out.is_dir() else 'a file'}, which is not replaced: name another")
    if out.suffix == SUFFIX:
        name = export_run(options.source, out, options.trial, options.licence).name
    else:
        name = _export_elsewhere(options)
    files = [file for file in out.rglob("*") if file.is_file()] if out.is_dir() else [out]
    print(f"{name}: {sum(file.stat().st_size for file in files):,} bytes in {printable(str(out))}")
    return 0


def export_run(run: Path, file: Path, trial_id: str | None = None, licence: str = NO_LICENCE) -> ModelFile:
    """Write a trial's restorer as a model file, the pick's unless one is named; returns what was written.

    Where the run's pack is still in its place the file tells what its training images look like. It appears when it is
    whole, in the place of an earlier one. Raises ModelFileError with one line where the run has no pick, no such trial
    or no weights of it.
    """
    from models.restoring.from_run import dataset_of_run, model_of_run  # loads Keras

    dataset = dataset_of_run(run)
    model_file = model_of_run(run, trial_id, licence, statistics_of_run(dataset))
    model_file = _with_card(model_file, run / FINALISTS_IN_RUN / f"{model_file.name}{SUFFIX}")
    write_model_file(file, model_file)
    return model_file


def _with_card(model_file: ModelFile, finalist: Path) -> ModelFile:
    """Return a model file with the safety card that the search left of the same trial, if it did."""
    if not finalist.is_file():
        return model_file
    facts = read_model_file(finalist).facts
    card = {"safety": facts["safety"]} if "safety" in facts else {}
    return ModelFile({**model_file.facts, **card}, model_file.weights)


def _export_elsewhere(options: argparse.Namespace) -> str:
    """Write a model, or a run's restorer, as another program reads it; returns its name."""
    out = options.out
    if out.suffix in (ONNX, PAGE) and not importlib.util.find_spec("onnx"):
        raise InputError("there is no onnx here: pip install 'lowq[export]'")
    from models.restore import load, open_model
    from models.restoring.from_run import model_of_run
    from models.restoring.network import load_network
    from models.restoring.onnx_file import ExportError, to_onnx
    from models.restoring.tensorflow_file import to_tflite, write_saved_model
    from models.restoring.web_page import RuntimeFileError, make_page

    if options.trial:
        model_file = model_of_run(options.source, options.trial)
        model = load_network(model_file)
    else:
        model_file = open_model(options.source)
        model = load(options.source, options.plugin).network.model
    try:
        if out.suffix == SAVED_MODEL:
            write_saved_model(out, model)
        elif out.suffix == TFLITE:
            write_whole(out, to_tflite(model, options.int8))
        else:
            made = to_onnx(model)
            write_whole(out, make_page(model_file, made, options.runtime) if out.suffix == PAGE else made)
    except (ExportError, RuntimeFileError) as error:
        raise InputError(f"{model_file.name}: {error}") from error
    return model_file.name


def describe_training_images(pack: PackedDataset, split: str) -> dict[str, Any]:
    """Return the statistics of a split's training images, as a model file has them."""
    from models.restoring.likeness import statistics_of

    images = deal_images(pack, pack.images_of(split, "train"), N_DESCRIBED)
    systems: dict[str, list[NDArray[np.uint8]]] = {}
    for image in images.tolist():
        systems.setdefault(pack.systems[image], []).append(pack.originals[image])  # of a mapped file: not yet read
    return statistics_of(systems)


def statistics_of_run(dataset: dict[str, Any]) -> dict[str, Any] | None:
    """Return the statistics of the images that a run trained on; None where its pack is no more in its place."""
    try:
        pack = open_pack(Path(str(dataset["path"])))
        is_same = pack.fingerprint == dataset["fingerprint"]
        return describe_training_images(pack, str(dataset["split"])) if is_same else None
    except (InputError, LookupError):
        return None
