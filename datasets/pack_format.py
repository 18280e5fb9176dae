"""What a pack is made of: its files' names, the version of its format, its identity, and the manifest that says so."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from datasets.encoders.encoder import Encoder, encoder_from_facts
from datasets.errors import InputError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
INDEX = "index.parquet"
ORIGINALS = "originals.npy"
TODAY_OPTIMISED = "today_optimised_bytes"  # the column of what today's files would take with optimised Huffman tables


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_counts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_file(value: object) -> bool:
    return isinstance(value, dict) and _is_count(value.get("bytes")) and isinstance(value.get("sha256"), str)


def _is_today(value: object) -> bool:
    if not isinstance(value, dict):
        return value is None
    mean, optimised = value.get("mean_bytes"), value.get("mean_optimised_bytes")
    return (
        isinstance(value.get("encoder"), str)
        and isinstance(mean, int | float)
        and mean > 0
        and isinstance(optimised, int | float | None)
    )


KINDS: dict[str, Callable[[Any], bool]] = {  # what a manifest must say
    "size_px": lambda value: _is_count(value) and value > 0,
    "qualities": lambda value: isinstance(value, list) and bool(value) and all(map(_is_count, value)),
    "n_images": lambda value: _is_count(value) and value > 0,
    "systems": _are_counts,
    "subsets": lambda value: isinstance(value, dict) and all(map(_are_counts, value.values())),
    "description": lambda value: isinstance(value, str),
    "versions": lambda value: isinstance(value, dict) and {"pillow", "libjpeg"} <= value.keys(),
    "files": lambda value: isinstance(value, dict) and all(map(_is_file, value.values())),
    "fingerprint": lambda value: isinstance(value, str),
}
LATER_KINDS: dict[str, Callable[[Any], bool]] = {  # what it may say, and those of earlier versions do not
    "encoders": lambda value: isinstance(value, list),
    "today": _is_today,
}


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


def encoders_of(manifest: dict[str, Any]) -> tuple[Encoder, ...]:
    """Return the encoders of a pack; those of an earlier version have JPEG alone, as Pillow writes it by default."""
    plain = map(plain_jpeg, manifest["qualities"])
    return tuple(dict.fromkeys((*plain, *map(encoder_from_facts, manifest.get("encoders", ())))))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a pack. Raises InputError where there is none, or it is damaged or was edited."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no pack (it has no {MANIFEST}): make one with `python -m datasets pack`")
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is damaged: pack the sources again") from error
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder} has pack format {version!r:.20}, this lowq reads {FORMAT_VERSION}: pack the sources again"
        )
    if missing := KINDS.keys() - manifest.keys():
        raise InputError(f"{path} is damaged (it lacks {', '.join(sorted(missing))}): pack the sources again")
    known = {**KINDS, **{name: is_right for name, is_right in LATER_KINDS.items() if name in manifest}}
    if wrong := [name for name, is_right in known.items() if not is_right(manifest[name])]:
        raise InputError(f"{path} is damaged (its {', '.join(wrong)} cannot be): pack the sources again")
    expected = {INDEX, ORIGINALS, *map(encoded_file, encoders_of(manifest))}
    fingerprint = pack_fingerprint(manifest["files"], manifest["size_px"])
    if fingerprint != manifest["fingerprint"] or manifest["files"].keys() != expected:
        raise InputError(f"{path} was edited: it does not fit its files; pack the sources again")
    return manifest
