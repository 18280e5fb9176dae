"""The command line of this room: pack source images, inspect them or a pack, fetch public ones, draw smears."""

import argparse
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from PIL import Image

from datasets.console import OneLineParser, note, quiet_libraries, run_command
from datasets.cores import n_cores
from datasets.encoders.encoder import Encoder
from datasets.encoders.files import plan_files, write_files
from datasets.encoders.names import find_encoder, picked_encoder, read_encoders
from datasets.errors import InputError, printable, printable_lines
from datasets.grouping.labels import find_labels
from datasets.grouping.splits import GROUPED, RANDOM
from datasets.inspection.findings import inspect_source, look_for_history, warn_of_history
from datasets.inspection.report import make_table, worst, write_report
from datasets.pack import QUALITIES, TODAY_QUALITY, Packing, PackSettings, Prepare, prepare_in_threads, write_pack
from datasets.pack_format import MANIFEST, plain_jpeg
from datasets.packed import PackedDataset, open_pack
from datasets.progress import Progress
from datasets.public_sets.fetch import fetch_set
from datasets.public_sets.public_set import find_set, list_sets
from datasets.smear import synthesize
from datasets.sources.source import find_sources
from datasets.staging import check_apart, check_new, staged

N_SAMPLED = 32  # images that a pack looks at for an earlier compression: some seconds
N_PRINTED = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake is one line on standard error and exit code 2."""

    def run() -> None:
        options = _parser().parse_args(arguments)
        with warnings.catch_warnings(), quiet_libraries():
            warnings.simplefilter("ignore")  # a damaged file is one error line, with no warnings above
            options.run(options)

    return run_command(run)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m datasets", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="{pack,inspect,encode,fetch,synthesize}")
    pack = commands.add_parser("pack", help="turn a folder of lossless images into a packed dataset")
    pack.add_argument("source", type=Path, help="a sub-folder of BMP, PNG or TIFF images per camera system")
    pack.add_argument("out", type=Path, help="the pack to make; must not exist")
    pack.add_argument("--size", type=int, default=360, help="side of the centre crop in pixels (default: 360)")
    pack.add_argument("--qualities", type=int, nargs="+", default=QUALITIES, metavar="Q", help="JPEG qualities, 1..100")
    pack.add_argument(
        "--encoders",
        type=Path,
        metavar="FILE",
        help="pack the files of these encoders too, one a line: jpeg-flat12-c0.6",
    )
    pack.add_argument(
        "--today",
        metavar="NAME",
        help="what images are stored by today, as Pillow writes it by default (default: jpeg-q75)",
    )
    pack.add_argument(
        "--split",
        choices=(GROUPED, RANDOM),
        default=GROUPED,
        help="keep images of one group on one side, or divide them as the thesis did (default: %(default)s)",
    )
    pack.add_argument("--group-pattern", metavar="REGEX", help="group images by what it finds in their names")
    pack.add_argument("--group-table", type=Path, metavar="CSV", help="group images by a table with a column `name`")
    pack.add_argument("--group-column", metavar="COLUMN", help="the column of the table, such as patient or slide")
    pack.add_argument(
        "--address", help="of a Ray cluster whose nodes compress too (default: RAY_ADDRESS, or this machine alone)"
    )
    pack.set_defaults(run=_pack)
    inspect = commands.add_parser("inspect", help="say what a pack holds, or what a source folder should not")
    inspect.add_argument("folder", type=Path, metavar="PACK or SOURCE")
    inspect.add_argument("--hashes", action="store_true", help="of a pack: read every file and compare its SHA-256 too")
    inspect.add_argument(
        "--out", type=Path, help="of a source: make a folder with a row per image and the worst images"
    )
    inspect.set_defaults(run=_inspect)
    encode = commands.add_parser("encode", help="write images as an encoder does, from lossless files; pixels alone")
    encode.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="a BMP, PNG or TIFF file, or a folder")
    encode.add_argument("-o", "--out", type=Path, required=True, help="the folder to write into")
    encode.add_argument(
        "--encoder",
        required=True,
        metavar="NAME|RUN",
        help="such as jpeg-q50 or jpeg-flat12-c0.6, or the run of a search, whose pick says it",
    )
    encode.add_argument("--again", action="store_true", help="encode images that are lossy already, which loses more")
    encode.add_argument("--force", action="store_true", help="replace files that exist")
    encode.set_defaults(run=_encode)
    fetch = commands.add_parser("fetch", help="download a public set of images as a source folder for pack")
    fetch.add_argument("name", nargs="?", help="of the set, or a file SET.json that describes one; without: list them")
    fetch.add_argument("out", type=Path, nargs="?", help="the folder to make; must not exist (default: ./NAME)")
    fetch.set_defaults(run=_fetch)
    drawn = commands.add_parser("synthesize", help="draw synthetic smears as PNG files, a source folder for pack")
    drawn.add_argument("out", type=Path, help="the folder to make; must not exist")
    drawn.add_argument("--count", type=int, default=120, help="number of images (default: 120)")
    drawn.add_argument("--seed", type=int, default=0)
    drawn.set_defaults(run=_synthesize)
    return parser


def _pack(options: argparse.Namespace) -> None:
    settings = PackSettings(
        options.size,
        tuple(options.qualities),
        split=options.split,
        encoders=read_encoders(options.encoders) if options.encoders else (),
        today=find_encoder(options.today).plain() if options.today else plain_jpeg(TODAY_QUALITY),
    )
    check_apart(options.source, options.out)
    check_new(options.out)
    images = find_sources(options.source, options.size, note)
    labels = find_labels([image.name for image in images], *_grouping(options))
    for line in warn_of_history(look_for_history(images, N_SAMPLED, n_cores()), len(images)):
        note(line)
    source = options.source.resolve()
    settings = replace(settings, description=f"{source.name}, {len(images)} images")
    address = options.address or os.environ.get("RAY_ADDRESS")
    with _prepared_by(address) as prepare, Progress("packing", "images") as progress:
        write_pack(images, options.out, settings, Packing(str(source), labels, note, progress.tell, prepare))
    print(_summary(open_pack(options.out)))


@contextmanager
def _prepared_by(address: str | None) -> Iterator[Prepare]:
    """Give what prepares images: this machine's cores, or those of the Ray cluster at an address while it lasts."""
    if not address:
        yield prepare_in_threads
        return
    from datasets.on_cluster import join, leave, prepare_on_cluster  # loads Ray

    try:
        note(f"packing on the Ray cluster at {address}, {join(address)} cores")
        yield prepare_on_cluster
    finally:
        leave()


def _grouping(options: argparse.Namespace) -> tuple[str | None, Path | None, str | None]:
    return options.group_pattern, options.group_table, options.group_column


def _inspect(options: argparse.Namespace) -> None:
    is_source = options.folder.is_dir() and not (options.folder / MANIFEST).exists()
    if is_source and not options.hashes:
        _inspect_source(options.folder, options.out)
        return
    if options.out:
        raise InputError(f"--out is for a source folder, and {options.folder} is none: leave it out")
    print(_summary(open_pack(options.folder, check_hashes=options.hashes)))


def _inspect_source(folder: Path, out: Path | None) -> None:
    if out:
        check_apart(folder, out)
        check_new(out)
    with Progress("inspecting", "images") as progress:
        findings = inspect_source(folder, n_cores(), note, progress.tell)
    print(make_table(findings))
    for finding in worst(findings, N_PRINTED):
        print(printable(f"  {finding.name}: {'; '.join(finding.problems)}"))
    n_more = sum(bool(finding.problems) for finding in findings) - N_PRINTED
    if out:
        write_report(findings, out)
        print(f"a row per image and the worst images: {printable(str(out))}")
    elif n_more > 0:
        print(f"  and {n_more} more: --out FOLDER writes a row per image")


def _encode(options: argparse.Namespace) -> None:
    encoder = _encoder_of(options.encoder)
    planned = plan_files(options.images, options.out, encoder, options.force, note)
    with Progress("encoding", "images") as progress:
        n_bytes = write_files(planned, encoder, options.again, progress.tell)
    kb = n_bytes / len(planned) / 1000
    print(f"{len(planned)} images as {encoder.name}, {kb:.2f} kB an image, in {printable(str(options.out))}")


def _encoder_of(name: str) -> Encoder:
    """Return the encoder of a name, or that a run picked, whose folder may have such a name too."""
    try:
        return find_encoder(name)
    except InputError:
        if not os.path.isdir(name):
            raise
        return picked_encoder(Path(name))


def _fetch(options: argparse.Namespace) -> None:
    if options.name is None:
        for public in list_sets():
            print(printable_lines(public.describe()))
        return
    public = find_set(options.name)
    out = options.out or Path(public.name)
    check_new(out)
    print(printable_lines(public.describe()))
    with Progress("fetching", "bytes") as progress:
        fetch_set(public, out, progress.tell)
    print(f"{len(public.files)} files, each with the SHA-256 of the catalogue, in {printable(str(out))}")


def _synthesize(options: argparse.Namespace) -> None:
    images = synthesize(options.count, options.seed)
    with staged(options.out) as staging, Progress("drawing", "images") as progress:
        for n_drawn, image in enumerate(images, 1):
            path = staging.contents / image.name
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(image.read()).save(path)
            progress.tell(n_drawn, len(images))
    print(f"{options.count} images in {printable(str(options.out))}")


def _today(pack: PackedDataset) -> list[str]:
    """Say what images are stored by today, and what optimised Huffman tables alone would save."""
    today = pack.today
    if not today:
        return []
    if not today.get("mean_optimised_bytes"):
        return [f"  today {today['encoder']}: {today['mean_bytes'] / 1000:.2f} kB an image"]
    share = today["mean_optimised_bytes"] / today["mean_bytes"]
    return [f"  today {today['encoder']}; the same pixels with optimised Huffman tables take {share:.3f} of its bytes"]


def _summary(pack: PackedDataset) -> str:
    manifest = pack.manifest
    systems = ", ".join(f"{n} {system}" for system, n in manifest["systems"].items())
    lines = [
        f"{pack.folder}: {manifest['n_images']} images of {pack.size_px} x {pack.size_px} px ({systems})",
        *(
            f"  {split}: " + ", ".join(f"{n} {subset}" for subset, n in subsets.items() if n)
            for split, subsets in manifest["subsets"].items()
        ),
        *(
            f"  JPEG {quality}: {pack.offsets[quality][-1] / len(pack.names) / 1000:.2f} kB an image"
            for quality in pack.qualities
        ),
        *(
            f"  {encoder.name}: {files.offsets[-1] / len(pack.names) / 1000:.2f} kB an image"
            for encoder, files in pack.encoded.items()
        ),
        *_today(pack),
        f"  fingerprint {pack.fingerprint[:16]}, Pillow {manifest['versions']['pillow']}, "
        f"libjpeg {manifest['versions']['libjpeg']}",
    ]
    return printable_lines("\n".join(lines))
