"""What a pack is made of: its files' names, the version of its format, and its identity."""

import hashlib
import json
from typing import Any

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
INDEX = "index.parquet"
ORIGINALS = "originals.npy"


def jpeg_file(quality: int) -> str:
    """Return the name of the file that holds every image's JPEG bytes at a quality."""
    return f"jpeg_q{quality}.bin"


def pack_fingerprint(files: dict[str, dict[str, Any]], size_px: int) -> str:
    """Return the identity of a pack: a hash over the SHA-256 of its files."""
    facts = json.dumps([size_px, sorted((name, file["sha256"]) for name, file in files.items())])
    return hashlib.sha256(facts.encode()).hexdigest()
