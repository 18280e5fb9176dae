"""Packing: source images become one folder with originals, the files of every encoder, an index and a manifest."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datasets.codecs import why_missing
from datasets.cores import n_cores
from datasets.encoders.compress import as_codec, compress
from datasets.encoders.encoder import JPEG, Encoder
from datasets.errors import InputError
from datasets.grouping.duplicates import Thumbnails, thumbnail
from datasets.grouping.groups import by_key, find_groups
from datasets.grouping.splits import GROUPED, RANDOM, SPLITS, SUBSETS, split_images
from datasets.jpeg import SUBSAMPLING, codec_versions
from datasets.pack_files import PackFiles, Prepared, Row, write_durably
from datasets.pack_format import (
    FORMAT_VERSION,
    INDEX,
    MANIFEST,
    TODAY_OPTIMISED,
    bytes_column,
    pack_fingerprint,
    plain_jpeg,
)
from datasets.prefetch import map_ahead
from datasets.sources.source import SourceImage, centre_crop
from datasets.staging import Staging, staged

JOURNAL = "journal.jsonl"
QUALITIES = (10, 25, 40, 50, 60, 75, 80, 90)  # the thesis' section 3.2
TODAY_QUALITY = 75
LEAST_SIZE_PX = 16


@dataclass(frozen=True)
class PackSettings:
    """How to pack: the side of the centre crop, the JPEG qualities, what is said of the images' origin, how to split.

    split: "grouped", where images of one group stand on one side, or "random", as in the thesis. encoders: others than
    JPEG of the qualities as Pillow writes it by default. today: what images are stored by today, which savings are
    counted against; where it is not said, JPEG-75 if that is among the qualities.
    """

    size_px: int = 360
    qualities: tuple[int, ...] = QUALITIES
    description: str = ""
    split: str = GROUPED
    encoders: tuple[Encoder, ...] = ()
    today: Encoder | None = None

    def __post_init__(self) -> None:
        if self.size_px < LEAST_SIZE_PX:
            raise InputError(f"the size must be at least {LEAST_SIZE_PX} px, got {self.size_px}")
        for quality in self.qualities:
            if not 1 <= quality <= 100:
                raise InputError(f"a JPEG quality must be 1..100, got {quality}")
        if not self.qualities or len(set(self.qualities)) < len(self.qualities):
            raise InputError(f"name each JPEG quality once, got {list(self.qualities)}")
        if self.split not in (GROUPED, RANDOM):
            raise InputError(f"a split is {GROUPED} or {RANDOM}, got {self.split}")
        for encoder in self.all_encoders:
            if lack := why_missing(as_codec(encoder)):
                raise InputError(f"{encoder.name} cannot be packed here: {lack}")

    @property
    def all_encoders(self) -> tuple[Encoder, ...]:
        """Every encoder once: JPEG of the qualities, the others, and today's."""
        plain = map(plain_jpeg, self.qualities)
        return tuple(dict.fromkeys((*plain, *self.encoders, *([self.today_encoder] if self.today_encoder else []))))

    @property
    def today_encoder(self) -> Encoder | None:
        """What images are stored by today; None where that is not said."""
        return self.today or (plain_jpeg(TODAY_QUALITY) if TODAY_QUALITY in self.qualities else None)


class Crop(NamedTuple):
    """A source image's sides, and the crop of it that is packed: uint8 [size, size, 3]."""

    height: int
    width: int
    pixels: NDArray[np.uint8]


class Encoded(NamedTuple):
    """What is made of a crop: a file for each encoder, its thumbnail, and the bytes of today's file if optimised."""

    files: tuple[bytes, ...]
    thumbnail: NDArray[np.uint8]
    today_optimised_bytes: int | None


def read_crop(settings: PackSettings, image: SourceImage) -> Crop:
    """Read and crop a source image. Raises InputError where it is not what it was when it was found."""
    pixels = image.read()
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < settings.size_px:
        raise InputError(
            f"{image.name} was changed while it was packed (now {pixels.dtype} {list(pixels.shape)}): pack it again"
        )
    height, width = pixels.shape[:2]
    return Crop(height, width, np.ascontiguousarray(centre_crop(pixels, settings.size_px)))


def encode_crop(settings: PackSettings, crop: NDArray[np.uint8]) -> Encoded:
    """Compress a crop by every encoder."""
    files = tuple(compress(crop, encoder) for encoder in settings.all_encoders)
    today, optimised = settings.today_encoder, None
    if today and today.codec == JPEG:
        optimised = len(compress(crop, replace(today, optimised=True)))
    return Encoded(files, thumbnail(crop), optimised)


def prepare(settings: PackSettings, image: SourceImage) -> Prepared:
    """Read, crop and compress a source image. Raises InputError where it is not what it was when it was found."""
    crop = read_crop(settings, image)
    return Prepared(*crop, *encode_crop(settings, crop.pixels))


def prepare_in_threads(images: Sequence[SourceImage], settings: PackSettings) -> Iterator[Prepared]:
    """Yield the images prepared, in order, by all cores of this machine."""
    return map_ahead(partial(prepare, settings), images, n_cores(), 4 * n_cores())


Prepare = Callable[[Sequence[SourceImage], PackSettings], Iterator[Prepared]]  # of all images, in order


@dataclass(frozen=True)
class Packing:
    """How the work is done. source: identifies the images; an unfinished pack of the same source is gone on with.

    labels: what of each image its group is known by, such as its patient; progress: told the images done and in all.
    """

    source: str = ""
    labels: Sequence[str] | None = None
    say: Callable[[str], None] = lambda text: None
    progress: Callable[[int, int], None] = lambda done, total: None
    prepare: Prepare = prepare_in_threads


def write_pack(images: Sequence[SourceImage], out: Path, settings: PackSettings, how: Packing | None = None) -> None:
    """Pack the images into the folder `out`, which appears whole or not at all.

    Raises InputError when out exists, an image cannot be used, or the disk is full; BusyError while another process
    makes it. The error says what was kept, where the same command goes on from.
    """
    how = how or Packing()
    # Too few images, or groups that cannot be divided, are refused before any work.
    split_images(len(images), by_key(how.labels) if how.labels and settings.split == GROUPED else None)
    named = [encoder.name for encoder in settings.all_encoders]
    today = settings.today_encoder.name if settings.today_encoder else None
    command = json.dumps([how.source, FORMAT_VERSION, settings.size_px, named, today, codec_versions()])
    with staged(out, command if how.source else "") as staging:
        for folder in staging.left:
            how.say(
                f"{folder} is in the way, perhaps an unfinished pack of other images: delete it if you can spare it"
            )
        _write_files(images, staging, settings, how)


def _write_files(images: Sequence[SourceImage], staging: Staging, settings: PackSettings, how: Packing) -> None:
    with PackFiles(staging.contents, staging.folder / JOURNAL, settings.size_px, settings.all_encoders) as pack_files:
        try:
            thumbnails = _append_all(images, pack_files, settings, how)
            files = pack_files.finish()
            manifest = _describe(pack_files.rows, thumbnails, files, staging, settings, how)
            write_durably(staging.contents / MANIFEST, json.dumps(manifest, indent=1).encode())
        except BaseException as error:
            if how.source and pack_files.n_kept:
                staging.keep = True
                error.add_note(
                    f"{pack_files.n_kept} of {len(images)} images are kept in {staging.folder}, where the same command "
                    "goes on from"
                )
            raise


def _append_all(images: Sequence[SourceImage], files: PackFiles, settings: PackSettings, how: Packing) -> Thumbnails:
    thumbnails = [thumbnail(pixels) for pixels in files.start(images)]
    n_there = len(thumbnails)
    if n_there:
        how.say(f"going on behind {n_there} of {len(images)} images that an earlier run had packed")
    todo = images[n_there:]
    for done, (image, prepared) in enumerate(zip(todo, how.prepare(todo, settings), strict=True), n_there + 1):
        files.append(image, prepared)
        thumbnails.append(prepared.thumbnail)
        how.progress(done, len(images))
    return np.stack(thumbnails)


def _describe(
    rows: list[Row],
    thumbnails: Thumbnails,
    files: dict[str, dict[str, Any]],
    staging: Staging,
    settings: PackSettings,
    how: Packing,
) -> dict[str, Any]:
    """Group and split the images, write the index, and return the manifest."""
    groups = find_groups(rows, thumbnails, how.labels)
    for found in groups.notes:
        how.say(found)
    splits = split_images(len(rows), groups.first if settings.split == GROUPED else None)
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0] if name not in ("stamp", "check")}
    columns |= {"group": groups.first.tolist(), **splits}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    files = {**files, INDEX: write_durably(staging.contents / INDEX, sink.getvalue().to_pybytes())}
    return {
        "format_version": FORMAT_VERSION,
        "description": settings.description,
        "size_px": settings.size_px,
        "qualities": sorted(settings.qualities),
        "subsampling": SUBSAMPLING,
        "encoders": [encoder.as_facts() for encoder in settings.all_encoders[len(settings.qualities) :]],
        "today": _today(columns, settings.today_encoder),
        "split": settings.split,
        "split_seeds": SPLITS,
        "n_images": len(rows),
        "systems": dict(sorted(Counter(columns["system"]).items())),
        "subsets": {split: {part: splits[split].count(part) for part in SUBSETS} for split in SPLITS},
        "grouping": groups.facts(),
        "split_table": {split: _split_table(columns, split) for split in SPLITS},
        "versions": codec_versions(),
        "files": files,
        "fingerprint": pack_fingerprint(files, settings.size_px),
    }


def _today(columns: dict[str, Any], today: Encoder | None) -> dict[str, Any] | None:
    """Return the mean bytes of today's files, and what they would be if only their Huffman tables were optimised."""
    if today is None:
        return None
    optimised = columns.get(TODAY_OPTIMISED)
    return {
        "encoder": today.name,
        "mean_bytes": float(np.mean(columns[bytes_column(today)])),
        "mean_optimised_bytes": float(np.mean(optimised)) if optimised else None,
    }


def _split_table(columns: dict[str, Any], split: str) -> dict[str, Any]:
    """Return how many images and groups, and how many images of each system, a split has in each subset."""
    table = {}
    for subset in SUBSETS:
        places = [place for place, found in enumerate(columns[split]) if found == subset]
        if places:
            table[subset] = {
                "n_images": len(places),
                "n_groups": len({columns["group"][place] for place in places}),
                "systems": dict(sorted(Counter(columns["system"][place] for place in places).items())),
            }
    return table
