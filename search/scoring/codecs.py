"""Other codecs, the rivals of restoring: what they cost and show on the finalists' test images."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.codecs import CODECS, Codec, decode, encode, library, transcode, why_missing
from datasets.jpeg import decode_jpeg
from datasets.packed import PackedDataset
from models.evaluation import score_shown
from search.scoring.score_files import Row

JPEG = "jpeg"  # the pack's own files, JPEG as it is
TRANSCODED = "jpeg-xl-transcoded"  # these as JPEG XL, from which they come back to the byte
N_DECODES = 3  # of each file, after one that is not timed


class File(NamedTuple):
    """An image as a codec keeps it at a setting, and how to get it back."""

    codec: str
    setting: int
    library: str
    data: bytes | memoryview
    decode: Callable[[bytes | memoryview], NDArray[np.uint8]]


def score_codecs(pack: PackedDataset, images: Iterable[int], crop_px: int) -> list[Row]:
    """Return a row per image, codec, setting and region: bytes, decoding time and scores.

    A codec that this installation lacks has one row, whose not_run says why and whose numbers are None. Decoding time
    is the median of N_DECODES, from the bytes of the file to an array, with one thread after `use_one_thread`.
    """
    rows = [row for image in images for row in _score_image(pack, int(image), crop_px)]
    absent = dict.fromkeys(rows[0]) if rows else {}
    lacking = {name: why_missing(codec) for name, codec in (*CODECS.items(), (TRANSCODED, CODECS["jpeg-xl"]))}
    return rows + [{**absent, "codec": name, "not_run": why} for name, why in lacking.items() if rows and why]


def _score_image(pack: PackedDataset, image: int, crop_px: int) -> Iterator[Row]:
    original = np.asarray(pack.originals[image])
    facts = {"image": image, "name": pack.names[image], "system": pack.systems[image], "split": "test"}
    scored: dict[bytes, dict[str, dict[str, float]]] = {}  # JPEG and its variants decode to the same pixels
    for file in _files(pack, image):
        shown = file.decode(file.data)
        decode_ms = float(np.median([_milliseconds(file) for _ in range(N_DECODES)]))
        pixels = shown.tobytes()
        if pixels not in scored:
            scored[pixels] = score_shown(original, shown, crop_px)
        for region, scores in scored[pixels].items():
            measured = {"file_bytes": len(file.data), "decode_ms": decode_ms, **scores}
            kept = {"codec": file.codec, "setting": file.setting, "library": file.library, "not_run": None}
            yield {**facts, **kept, "region": region, "crop_px": crop_px, **measured}


def _files(pack: PackedDataset, image: int) -> Iterator[File]:
    encoder = f"libjpeg {pack.manifest['versions']['libjpeg']}"
    for quality in pack.qualities:
        data = pack.file_bytes(image, quality)
        yield File(JPEG, quality, encoder, data, decode_jpeg)
        if not why_missing(jpeg_xl := CODECS["jpeg-xl"]):
            yield File(TRANSCODED, quality, library(jpeg_xl), transcode(data), partial(decode, jpeg_xl))
    original = np.asarray(pack.originals[image])
    for name, codec in _usable().items():
        for setting in codec.settings:
            yield File(name, setting, library(codec), encode(codec, original, setting), partial(decode, codec))


def _usable() -> dict[str, Codec]:
    return {name: codec for name, codec in CODECS.items() if not why_missing(codec)}


def _milliseconds(file: File) -> float:
    started = time.perf_counter()
    file.decode(file.data)
    return 1000 * (time.perf_counter() - started)
