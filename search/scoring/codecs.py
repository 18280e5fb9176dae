"""Other codecs, the rivals of restoring: what they cost and show on the finalists' test images."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.codecs import CODECS, Codec, decode, encode, library, transcode, why_missing
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.packed import PackedDataset
from models.evaluation import score_shown
from search.scoring.score_files import Row
from search.scoring.scores import timed

JPEG = "jpeg"  # the pack's own files, JPEG as it is
OPTIMISED = "jpeg-optimised"  # their pixels in fewer bytes, by which restorers are compared with other codecs
TRANSCODED = "jpeg-xl-transcoded"  # these as JPEG XL, from which they come back to the byte
N_DECODES = 3  # of each file, after one that is not timed


class File(NamedTuple):
    """An image as a codec keeps it at a setting, and how to get it back."""

    codec: str
    setting: int
    library: str
    data: bytes | memoryview
    encode_ms: float
    decode: Callable[[bytes | memoryview], NDArray[np.uint8]]


def score_codecs(pack: PackedDataset, images: Iterable[int], crop_px: int) -> list[Row]:
    """Return a row per image, codec, setting and region: bytes, times and scores.

    A codec that this installation lacks has one row, whose not_run says why and whose numbers are None. Encoding is
    timed once, from an array to the bytes of the file, decoding back is the median of N_DECODES; with one thread after
    `use_one_thread`.
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
        decode_ms = float(np.median([timed(file.decode, file.data)[1] for _ in range(N_DECODES)]))
        pixels = shown.tobytes()
        if pixels not in scored:
            scored[pixels] = score_shown(original, shown, crop_px)
        for region, scores in scored[pixels].items():
            measured = {"file_bytes": len(file.data), "encode_ms": file.encode_ms, "decode_ms": decode_ms, **scores}
            kept = {"codec": file.codec, "setting": file.setting, "library": file.library, "not_run": None}
            yield {**facts, **kept, "region": region, "crop_px": crop_px, **measured}


def _files(pack: PackedDataset, image: int) -> Iterator[File]:
    encoder = f"libjpeg {pack.manifest['versions']['libjpeg']}"
    original = np.asarray(pack.originals[image])
    for quality in pack.qualities:
        data = pack.file_bytes(image, quality)
        _, spent = timed(encode_jpeg, original, quality)
        yield File(JPEG, quality, encoder, data, spent, decode_jpeg)
        if not why_missing(jpeg_xl := CODECS["jpeg-xl"]):
            smaller, spent = timed(transcode, data)
            yield File(TRANSCODED, quality, library(jpeg_xl), smaller, spent, partial(decode, jpeg_xl))
    for name, codec in _usable().items():
        for setting in sorted({*codec.settings, *(pack.qualities if name == OPTIMISED else ())}):
            data, spent = timed(encode, codec, original, setting)
            yield File(name, setting, library(codec), data, spent, partial(decode, codec))


def _usable() -> dict[str, Codec]:
    return {name: codec for name, codec in CODECS.items() if not why_missing(codec)}
