"""The gallery of a run: a sheet of sample images, the inputs that JPEG treats worst, VGG16's maps of one of them."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import RunError
from analysis.records import RESUME

GALLERY = "gallery.npz"
LACKING = f"The run has no {GALLERY}, so there is no sheet of samples and no view of the worst inputs. {RESUME} RUN "
LACKING += "makes it when the search has come to its end."


@dataclass(frozen=True)
class Gallery:
    """N images on the sheet, M worst inputs, K feature maps.

    sheet: uint8 [N, H, W, 3]; worst_original, worst_degraded, worst_restored: uint8 [M, H, W, 3], at a quality and
    restored by the trial; restored and trial_id are None where no trial could. crop_px: side of the centre crop that is
    scored. maps: float32 [V, h, w, K] of the first worst input: original, JPEG picture, restored one if there is one;
    None where the run had no VGG16 weights. map_numbers: which of VGG16's maps these are.
    """

    sheet: NDArray[np.uint8]
    sheet_names: tuple[str, ...]
    sheet_systems: tuple[str, ...]
    worst_original: NDArray[np.uint8]
    worst_degraded: NDArray[np.uint8]
    worst_restored: NDArray[np.uint8] | None
    worst_names: tuple[str, ...]
    worst_systems: tuple[str, ...]
    quality: int
    crop_px: int
    trial_id: str | None
    maps: NDArray[np.float32] | None
    map_numbers: tuple[int, ...]


def read_gallery(run: Path) -> Gallery:
    """Read the gallery of a run. Raises RunError when it is missing, torn or of another shape."""
    path = run / GALLERY
    if not path.is_file():
        raise RunError(LACKING)
    try:
        with np.load(path) as file:
            gallery = _gallery(file)
    except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(f"{GALLERY} cannot be read ({error}): remove it, and {RESUME} RUN makes it again.") from error
    if not _fits(gallery):
        raise RunError(f"The pictures of {GALLERY} do not fit their names: remove it, and {RESUME} RUN makes it again.")
    return gallery


def _gallery(file: Mapping[str, NDArray[Any]]) -> Gallery:
    return Gallery(
        sheet=file["sheet"],
        sheet_names=tuple(map(str, file["sheet_names"])),
        sheet_systems=tuple(map(str, file["sheet_systems"])),
        worst_original=file["worst_original"],
        worst_degraded=file["worst_degraded"],
        worst_restored=file.get("worst_restored"),
        worst_names=tuple(map(str, file["worst_names"])),
        worst_systems=tuple(map(str, file["worst_systems"])),
        quality=int(file["quality"]),
        crop_px=int(file["crop_px"]),
        trial_id=str(file["trial_id"]) or None,
        maps=file.get("maps"),
        map_numbers=tuple(map(int, file["map_numbers"])) if "map_numbers" in file else (),
    )


def _fits(gallery: Gallery) -> bool:
    worst = [gallery.worst_original, gallery.worst_degraded]
    worst += [] if gallery.worst_restored is None else [gallery.worst_restored]
    return (
        all(part.dtype == np.uint8 for part in (gallery.sheet, *worst))
        and gallery.sheet.ndim == 4
        and len(gallery.sheet) == len(gallery.sheet_names) == len(gallery.sheet_systems)
        and all(part.ndim == 4 and part.shape == worst[0].shape for part in worst)
        and len(worst[0]) == len(gallery.worst_names) == len(gallery.worst_systems)
        and (gallery.maps is None or _maps_fit(gallery.maps, gallery))
    )


def _maps_fit(maps: NDArray[np.float32], gallery: Gallery) -> bool:
    return (
        maps.ndim == 4 and maps.shape[-1] == len(gallery.map_numbers) and min(maps.shape) > 0 < len(gallery.worst_names)
    )
