"""`python -m models safety`: the safety card of a model, measured on the test images of a pack, into a model file."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datasets.batches import centre_window
from datasets.encoders.compress import compress, described_tables
from datasets.encoders.encoder import Encoder
from datasets.encoders.family import EncoderFamily, find_family
from datasets.errors import InputError, printable
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.jpeg_file import read_jpeg
from datasets.packed import PackedDataset, open_pack
from datasets.sampling import deal_images
from models.restoring.model_file import FINALISTS_IN_RUN, SUFFIX, ModelFile, write_model_file

if TYPE_CHECKING:  # it loads Keras, which a mistake need not wait for
    from models.restore import Restorer

Image = NDArray[np.uint8]  # [H, W, 3]

N_IMAGES, QUALITY, SPLIT = 12, 50, "data100"  # of a model that does not tell its split
STAND_IN = "data101"  # whose test images tiny, which has none, never trains on
N_REMEMBERED = 64  # restored images: several measures look at the same
# Of a run's finalists, whose cards a search waits for: fewer images, and their centres.
N_FEW_IMAGES, CENTRE_PX = 4, 192
SHOWN: tuple[str, ...] = (
    *("amplification", "least_contrast_of_jpeg75", "least_detectability_of_jpeg75"),
    *("least_contrast_of_own_jpeg", "least_detectability_of_own_jpeg", "least_right_sign", "least_slope"),
    *("worse_windows", "worst_window", "false_spots_above_jpeg75", "least_reproduced"),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m models`."""
    command = commands.add_parser("safety", help="measures what a restorer may do to what is looked for")
    command.add_argument("model", type=Path, metavar="FILE|RUN", help="a model file, or a run, whose pick is taken")
    command.add_argument("pack", type=Path, nargs="?", metavar="PACK", help="whose test images are looked at")
    command.add_argument(
        "--finalists",
        action="store_true",
        help="of a run: of all its finalists, on a few of its own test images, into model files in the run",
    )
    command.add_argument("-o", "--out", type=Path, metavar="FILE", help=f"the model file with its card ({SUFFIX})")
    command.add_argument("--quality", type=int, default=QUALITY, help="of the files that are restored (%(default)s)")
    command.add_argument("--images", type=int, default=N_IMAGES, metavar="N", help="how many (%(default)s)")
    command.add_argument("--split", help="whose test images; left out, the one that the model was trained on")
    command.add_argument("--plugin", type=Path, metavar="FILE", help="defines the model's network, if it is one's own")
    command.add_argument("--force", action="store_true", help="replaces what is there already")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and print the card, and write it into a model file."""
    if options.finalists:
        for name, card in write_finalists(options.model, options.quality):
            print(f"{name}: {describe(card)}")
        return 0
    if options.pack is None:
        raise InputError("name the PACK whose test images are looked at, or --finalists of a run")
    if options.out and options.out.suffix != SUFFIX:
        raise InputError(f"a model file ends in {SUFFIX}, got {options.out}: name it so")
    if options.out and options.out.exists() and not options.force:
        raise InputError(f"{options.out} exists: name another file, or replace it with --force")
    if not 1 <= options.quality <= 100 or options.images < 1:
        raise InputError(f"--quality is 1..100 and --images at least 1, got {options.quality} and {options.images}")
    pack = open_pack(options.pack)
    if options.split:
        _test_images(pack, options.split, options.images)  # a mistake is told before a model is loaded
    from models.restore import load

    restorer = load(options.model, options.plugin)
    split = options.split or deciding_split(pack, str(restorer.model_file.facts["spec"].get("split", SPLIT)))
    originals, described = _test_images(pack, split, options.images)
    card = {**card_of(restorer, originals, options.quality), "pack": described}
    print(describe(card))
    if options.out:
        file = restorer.model_file
        write_model_file(options.out, ModelFile({**file.facts, "safety": card}, file.weights))
        print(f"written into {printable(str(options.out))}")
    return 0


def write_finalists(run: Path, quality: int = QUALITY) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write a model file with its safety card for each finalist of a run; yield their names and cards.

    Raises InputError or ModelFileError with one line.
    """
    from models.commands.export import NO_LICENCE, statistics_of_run
    from models.restore import restorer_of
    from models.restoring.from_run import dataset_of_run, finalists_of_run, model_of_run

    dataset = dataset_of_run(run)
    pack = open_pack(Path(str(dataset.get("path"))))
    if pack.fingerprint != dataset.get("fingerprint"):
        raise InputError(f"{pack.folder} is another pack than the run's: put that back into its place")
    statistics = statistics_of_run(dataset)
    for name in finalists_of_run(run):
        file = model_of_run(run, name, NO_LICENCE, statistics)
        originals, described = _test_images(pack, deciding_split(pack, str(file.facts["spec"]["split"])), N_FEW_IMAGES)
        originals = [image[centre_window(pack.size_px, min(CENTRE_PX, pack.size_px))] for image in originals]
        card = {**card_of(restorer_of(file), originals, quality), "pack": described}
        out = run / FINALISTS_IN_RUN / f"{name}{SUFFIX}"
        write_model_file(out, ModelFile({**file.facts, "safety": card}, file.weights))
        yield name, card


def deciding_split(pack: PackedDataset, split: str) -> str:
    """Return the split whose test images are new to what was trained on a split: itself, or what stands in for it."""
    return split if split not in pack.subsets or len(pack.images_of(split, "test")) else STAND_IN


def _test_images(pack: PackedDataset, split: str, n_images: int) -> tuple[list[Image], dict[str, Any]]:
    """Return some test images of a split, dealt over camera systems, and what is said of them."""
    if split not in pack.subsets:
        raise InputError(f"the pack has no split {split!r}; known: {', '.join(pack.subsets)}")
    images = deal_images(pack, pack.images_of(split, "test"), n_images)
    if not len(images):
        raise InputError(f"{split} has no test images in {pack.folder}: name another --split")
    described = {"description": pack.manifest["description"], "fingerprint": pack.fingerprint, "split": split}
    return [np.asarray(pack.originals[image]) for image in images], described


def card_of(restorer: "Restorer", originals: Sequence[Image], quality: int) -> dict[str, Any]:
    """Measure a restorer of files of a quality on original images uint8 [H, W, 3]."""
    from models.restore import restore
    from models.restoring.safety import REFERENCE_QUALITY, Chain, make_card

    def restored(consistent: str) -> Callable[[bytes], Image]:
        return lru_cache(N_REMEMBERED)(lambda data: restore(restorer, data, consistent))

    own = restorer.model_file.facts["encoder"].get("family")
    family = find_family(own) if own is not None else EncoderFamily(Encoder(quality=quality).plain())
    chain = Chain(
        lambda image, at: compress(image, family.at(at)),
        lambda image: encode_jpeg(image, REFERENCE_QUALITY),
        decode_jpeg,
        restored("wide"),
        restored("narrow"),
        restored("off"),
        _luma,
    )
    tables = described_tables(family.at(quality))
    return make_card(chain, restorer.network.model, tables, originals, quality)


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
    for quality, row in card["projection"].items():
        jpeg, off, wide = (row[f"psnr_db_{way}"] for way in ("jpeg", "off", "wide"))
        lines.append(f"  quality {quality}: {jpeg:.2f} dB, restored {off:.3f} dB, and projected {wide:.3f} dB")
    return "\n".join(lines)


def _luma(data: bytes) -> tuple[NDArray[Any], NDArray[np.int64]]:
    jpeg = read_jpeg(data)
    return jpeg.planes[0], jpeg.steps[0]
