"""`python -m models safety`: the safety card of a model, measured on the test images of a pack, into a model file."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError, printable
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.jpeg_file import read_jpeg
from datasets.packed import open_pack
from datasets.sampling import deal_images
from datasets.tables import tables_of_quality
from models.restoring.model_file import SUFFIX, ModelFile, write_model_file

N_IMAGES, QUALITY, SPLIT = 12, 50, "data100"
SHOWN: tuple[str, ...] = (
    *("amplification", "least_contrast_of_jpeg75", "least_detectability_of_jpeg75", "least_right_sign"),
    *("least_slope", "worse_windows", "worst_window", "false_spots_above_jpeg75", "least_reproduced"),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m models`."""
    command = commands.add_parser("safety", help="measures what a restorer may do to what is looked for")
    command.add_argument("model", type=Path, metavar="FILE|RUN", help="a model file, or a run, whose pick is taken")
    command.add_argument("pack", type=Path, metavar="PACK", help="whose test images are looked at")
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help=f"the model file with its card ({SUFFIX})")
    command.add_argument("--quality", type=int, default=QUALITY, help="of the files that are restored (%(default)s)")
    command.add_argument("--images", type=int, default=N_IMAGES, metavar="N", help="how many (%(default)s)")
    command.add_argument("--split", default=SPLIT, help="whose test images (%(default)s)")
    command.add_argument("--plugin", type=Path, metavar="FILE", help="defines the model's network, if it is one's own")
    command.add_argument("--force", action="store_true", help="replaces what is there already")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and print the card, and write it into a model file."""
    if options.out and options.out.suffix != SUFFIX:
        raise InputError(f"a model file ends in {SUFFIX}, got {options.out}: name it so")
    if options.out and options.out.exists() and not options.force:
        raise InputError(f"{options.out} exists: name another file, or replace it with --force")
    if not 1 <= options.quality <= 100 or options.images < 1:
        raise InputError(f"--quality is 1..100 and --images at least 1, got {options.quality} and {options.images}")
    pack = open_pack(options.pack)
    if options.split not in pack.subsets:
        raise InputError(f"the pack has no split {options.split!r}; known: {', '.join(pack.subsets)}")
    images = deal_images(pack, pack.images_of(options.split, "test"), options.images)
    if not len(images):
        raise InputError(f"{options.split} has no test images in {options.pack}: name another --split")
    from models.restore import load, restore
    from models.restoring.safety import Chain, make_card

    restorer = load(options.model, options.plugin)
    chain = Chain(
        encode_jpeg,
        decode_jpeg,
        lambda data: restore(restorer, data),
        lambda data: restore(restorer, data, "narrow"),
        _luma,
    )
    originals = [np.asarray(pack.originals[image]) for image in images]
    card = make_card(chain, restorer.network.model, tables_of_quality(options.quality), originals, options.quality)
    card["pack"] = {
        "description": pack.manifest["description"],
        "fingerprint": pack.fingerprint,
        "split": options.split,
    }
    print(describe(card))
    if options.out:
        file = restorer.model_file
        write_model_file(options.out, ModelFile({**file.facts, "safety": card}, file.weights))
        print(f"written into {printable(str(options.out))}")
    return 0


def describe(card: dict[str, Any]) -> str:
    """Say a card in plain text, a line a measure, with the limit that is proposed."""
    lines = [
        f"JPEG-{card['quality']} restored, beside JPEG-75, on {card['n_images']} test images; limits are proposals:"
    ]
    for name in SHOWN:
        value, limit = card[name], card["proposed"].get(name)
        said = "none" if value is None else f"{value:.4g}"
        side = "at least" if name.startswith("least_") else "at most"
        beyond = "  BEYOND" if name in card["beyond_proposed"] else ""
        proposed = "" if limit is None else f"  ({side} {limit:g}){beyond}"
        lines.append(f"  {name.removeprefix('least_').replace('_', ' ')}: {said}{proposed}")
    return "\n".join(lines)


def _luma(data: bytes) -> tuple[NDArray[Any], NDArray[np.int64]]:
    jpeg = read_jpeg(data)
    return jpeg.planes[0], jpeg.steps[0]
