"""What a pack is made of: its files' names, the version of its format, and its identity."""

import hashlib
import json
from functools import cache
from typing import Any

from datasets.encoders.encoder import Encoder

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
INDEX = "index.parquet"
ORIGINALS = "originals.npy"
TODAY_OPTIMISED = "today_optimised_bytes"  # the column of what today's files would take with optimised Huffman tables


def jpeg_file(quality: int) -> str:
    """Return the name of the file that holds every image's JPEG bytes at a quality."""
    return f"jpeg_q{quality}.bin"


def encoded_file(encoder: Encoder) -> str:
    """Return the name of the file that holds every image's file of an encoder."""
    quality = plain_quality(encoder)
    return f"{encoder.name}.bin" if quality is None else jpeg_file(quality)


def bytes_column(encoder: Encoder) -> str:
    """Return the column of the index that says how many bytes each image takes."""
    quality = plain_quality(encoder)
    return f"bytes_{encoder.name}" if quality is None else f"jpeg_bytes_q{quality}"


def plain_quality(encoder: Encoder) -> int | None:
    """Return the quality of an encoder that is JPEG as Pillow writes it by default; None of any other."""
    return encoder.quality if encoder.quality and encoder == plain_jpeg(encoder.quality) else None


@cache
def plain_jpeg(quality: int) -> Encoder:
    """Return JPEG of a quality as Pillow writes it by default."""
    return Encoder(quality=quality).plain()


def pack_fingerprint(files: dict[str, dict[str, Any]], size_px: int) -> str:
    """Return the identity of a pack: a hash over the SHA-256 of its files."""
    facts = json.dumps([size_px, sorted((name, file["sha256"]) for name, file in files.items())])
    return hashlib.sha256(facts.encode()).hexdigest()
