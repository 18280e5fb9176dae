"""Source images: lossless 8-bit RGB files, one sub-folder per camera system, found at once and read one at a time."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import InputError
from datasets.sources.image_fault import LOSS
from datasets.sources.image_file import check_image, read_image
from datasets.sources.walk import Found, find_files

SUFFIXES = (".bmp", ".png", ".tif", ".tiff")
LOSSY_SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".avif", ".heic", ".jxl", ".gif")
LOSSY_SUFFIXES += (".j2k", ".jpx", ".heif", ".mpo", ".jls")


@dataclass(frozen=True)
class SourceImage:
    """An image that is read when asked for: uint8 [H, W, 3]. The name is unique in its set.

    stamp: changes when the file does; "" where that cannot be told.
    """

    name: str
    system: str
    read: Callable[[], NDArray[np.uint8]]
    stamp: str = ""


def find_sources(folder: Path, size_px: int, say: Callable[[str], None] = lambda text: None) -> list[SourceImage]:
    """List the images under `folder`, by name, after looking at every file's header; say what was passed over.

    Raises InputError when the folder is missing or empty or a part of it cannot be read, when a file lies outside a
    sub-folder, when a sub-folder gives no image, or when a file is lossy, unreadable, not 8-bit RGB or smaller than
    size_px.
    """
    images = find_images(folder, say)
    for found in images:
        if "/" not in found.name:
            raise InputError(f"{found.path} lies outside a camera system: move it into a sub-folder of {folder}")
    return [source_image(found, size_px) for found in images]


def source_image(found: Found, size_px: int) -> SourceImage:
    """Return a found file as a source image, after looking at its header. Raises InputError."""
    if found.path.suffix.lower() in LOSSY_SUFFIXES:
        raise InputError(f"{found.path} is lossy: {LOSS}")
    stamp = check_image(found.path, size_px)
    return SourceImage(found.name, system_of(found), partial(read_image, found.path, size_px), stamp)


def system_of(found: Found) -> str:
    """Return the camera system of a found file: the sub-folder that it lies in, "" where it lies in none."""
    return found.name.split("/")[0] if "/" in found.name else ""


def find_images(folder: Path, say: Callable[[str], None] = lambda text: None, by_system: bool = True) -> list[Found]:
    """List the image files under `folder`, by name, none opened, lossy ones included; say what was passed over.

    by_system: whether each sub-folder is a camera system, and must hold images.

    Raises InputError as find_sources does, but for what is in the files.
    """
    if not folder.is_dir():
        raise InputError(
            f"the source must be a folder with a sub-folder of images per camera system, no folder {folder}"
        )
    walk = find_files(folder)
    images = [found for found in walk.files if _is_image(found)]
    others = [found for found in walk.files if not _is_image(found)]
    for found in images:
        if not _is_utf8(found.path):
            raise InputError(f"{str(found.path)!a} has a name that is not UTF-8: rename it")
    if not images:
        held = f"; it has {_by_suffix(others)}, which are not read" if others else ""
        raise InputError(
            f"{folder} holds no images: put BMP, PNG or TIFF files there, in one sub-folder per camera system{held}"
        )
    if by_system:
        _check_systems(folder, walk.systems, images, others)
    for system, of_system in _by_system(others).items():
        say(f"passed over: {_by_suffix(of_system)} in {system or folder.name}")
    for what in walk.passed_over:
        say(f"passed over: {what}")
    return images


def centre_crop(image: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Return the central size_px x size_px of an image [H, W, C] at least that large."""
    top, left = ((side - size_px) // 2 for side in image.shape[:2])
    return image[top : top + size_px, left : left + size_px]


def _is_image(found: Found) -> bool:
    return not found.is_hidden and found.path.suffix.lower() in SUFFIXES + LOSSY_SUFFIXES


def _check_systems(folder: Path, systems: Iterable[str], images: list[Found], others: list[Found]) -> None:
    """Raise InputError for a system that gives no image, and for two whose names some machines take for one."""
    with_images = {system_of(found) for found in images}
    for system in sorted(set(systems) - with_images):
        held = [found for found in others if system_of(found) == system]
        raise InputError(
            f"{folder / system} gives no image: {f'it has {_by_suffix(held)}' if held else 'it is empty'}; export its "
            f"images as BMP, PNG or TIFF, or move it out of {folder}"
        )
    spelt: dict[str, str] = {}
    for system in sorted(with_images):
        twin = spelt.setdefault(unicodedata.normalize("NFC", system).casefold(), system)
        if twin != system:
            raise InputError(
                f"{folder} has two camera systems of one name, {twin!a} and {system!a}, which differ in case "
                "or in how their letters are composed: rename one, or put their images together"
            )


def _by_system(files: list[Found]) -> dict[str, list[Found]]:
    """Return the files of each sub-folder; those that lie beside the sub-folders under ""."""
    by_system: dict[str, list[Found]] = {}
    for found in files:
        by_system.setdefault(system_of(found), []).append(found)
    return by_system


def _by_suffix(files: list[Found]) -> str:
    """Count files by suffix: "5 files (2 .svs, 2 .txt, 1 hidden)"."""
    counts = Counter(
        "hidden"
        if found.is_hidden
        else (found.path.suffix.strip() and f"{found.path.suffix!r}"[1:-1]) or "without suffix"
        for found in files
    )
    named = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())
    return f"{len(files)} file{'' if len(files) == 1 else 's'} ({named})"


def _is_utf8(path: Path) -> bool:
    return os.fsencode(path).decode(errors="ignore") == str(path)
