"""Image files that an encoder writes: beside each other under their final names, each whole or not there."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from datasets.console import interruption_deferred
from datasets.encoders.compress import SUFFIXES, compress
from datasets.encoders.encoder import Encoder
from datasets.errors import InputError, explain
from datasets.sources.image_file import UNREADABLE, read_image
from datasets.sources.source import LOSSY_SUFFIXES, find_images
from datasets.whole_file import write_whole

LOSSY_COMPRESSIONS = ("jpeg", "tiff_jpeg", "webp")  # of TIFF
LOSSY_FORMATS = ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000", "GIF", "JXL")
WHY_NOT_AGAIN = (
    "is lossy already: its loss cannot be undone, encoding it adds to it, and a restorer is made for images that were "
    "encoded once; encode the original, or give --again to do so all the same"
)


@dataclass(frozen=True)
class ToEncode:
    """An image file and where its encoded file goes."""

    source: Path
    target: Path


def plan_files(
    sources: Sequence[Path], out: Path, encoder: Encoder, force: bool, say: Callable[[str], None] = lambda text: None
) -> list[ToEncode]:
    """Return what is to be written for image files and folders of them, whose sub-folders are kept.

    say: is told what of a folder is passed over.

    Raises InputError before anything is written: for two sources of one target, or a target that exists without force.
    """
    planned = []
    for source in sources:
        if source.is_dir():
            found = [(image.path, Path(image.name)) for image in find_images(source, say, by_system=False)]
        else:
            found = [(source, Path(source.name))]
        planned += [ToEncode(path, (out / name).with_suffix(SUFFIXES[encoder.codec])) for path, name in found]
    counts = Counter(item.target for item in planned)
    for item in planned:
        if counts[item.target] > 1:
            raise InputError(f"{item.target} would be written for several images, such as {item.source}: rename one")
        if os.path.lexists(item.target) and not force:
            raise InputError(f"{item.target} exists: name another folder, or give --force to replace it")
        if item.target.exists() and item.target.samefile(item.source):
            raise InputError(f"{item.target} is its own source: name another folder")
    return planned


def write_files(
    planned: Sequence[ToEncode],
    encoder: Encoder,
    again: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write the encoded files, pixels alone, and return their bytes in all.

    Raises InputError before any is written where one is lossy and not to be encoded again, and for an image that cannot
    be read, with the files before it whole.
    """
    for item in planned if not again else ():
        if _is_lossy(item.source):
            raise InputError(f"{item.source} {WHY_NOT_AGAIN}")
    n_bytes = 0
    for n_done, item in enumerate(planned, 1):
        try:
            data = compress(_read_pixels(item.source), encoder)
        except InputError:
            raise
        except (ValueError, RuntimeError, OSError) as error:  # as of an image that is too large for the format
            raise InputError(f"{item.source} cannot be written as {encoder.name}: {error}") from error
        try:
            with interruption_deferred():
                write_whole(item.target, data)
        except OSError as error:
            raise InputError(f"cannot write {item.target}: {explain(error)}") from error
        n_bytes += len(data)
        progress(n_done, len(planned))
    return n_bytes


def _read_pixels(path: Path) -> NDArray[np.uint8]:
    """Return an image as uint8 [H, W, 3], a lossless one judged as the sources of a pack are. Raises InputError."""
    if not _is_lossy(path):
        return read_image(path)
    try:
        with Image.open(path) as image:
            if image.mode != "RGB":
                raise InputError(f"{path} must be 8-bit RGB, found {image.mode}: convert it")
            return np.asarray(ImageOps.exif_transpose(image))  # pixels alone are written
    except UNREADABLE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read: export it again") from error


def _is_lossy(path: Path) -> bool:
    """Say whether a file is of a lossy format, by its bytes, or by its name where they say nothing."""
    try:
        with Image.open(path) as image:
            return image.format in LOSSY_FORMATS or image.info.get("compression") in LOSSY_COMPRESSIONS
    except OSError as error:
        if error.errno:
            raise InputError(f"{path} cannot be read: {explain(error)}") from error
    except UNREADABLE:
        pass
    return path.suffix.lower() in LOSSY_SUFFIXES
