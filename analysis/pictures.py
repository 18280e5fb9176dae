"""The pictures that a run keeps: samples of a trial, and the gallery of what belongs to no trial."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.checks import one_line
from analysis.records import RESUME, file_title

DAMAGED = (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Samples:
    """S images at Q qualities.

    original: uint8 [S, H, W, 3]; degraded, restored: uint8 [S, Q, H, W, 3].
    kinds: why an image is here, "fixed" or "worst" (by the MSE of its JPEG version). family: of encoders, that wrote
    the degraded ones; None is JPEG as Pillow writes it.
    """

    original: NDArray[np.uint8]
    degraded: NDArray[np.uint8]
    restored: NDArray[np.uint8]
    names: tuple[str, ...]
    qualities: tuple[int, ...]
    kinds: tuple[str, ...]
    family: str | None = None

    def title(self, quality: int) -> str:
        """Name the degraded images of a quality."""
        return file_title(self.family, quality)

    def versions(self, name: str, quality: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Return an image as original, as its JPEG file shows it, and restored: uint8 [H, W, 3] each."""
        image, place = self.names.index(name), self.qualities.index(quality)
        return self.original[image], self.degraded[image, place], self.restored[image, place]

    def nearest_quality(self, wanted: int) -> int:
        """Return the largest sampled quality up to the wanted one, the smallest where all are above it."""
        return max((quality for quality in self.qualities if quality <= wanted), default=min(self.qualities))


def read_samples(run: Path, trial_id: str, family: str | None = None) -> Samples | str:
    """Read the samples of a trial of a family; returns the reason where the file is missing, torn or misshapen."""
    path = run / "samples" / f"{trial_id}.npz"
    if not path.is_file():
        return f"{trial_id} has no sample pictures: there is no comparison of pixels."
    try:
        with np.load(path) as file:
            pictures = {name: file[name] for name in ("original", "degraded", "restored")}
            names, qualities, kinds = (file[name].tolist() for name in ("names", "qualities", "kinds"))
        numbers = tuple(map(int, qualities))
        samples = Samples(**pictures, names=_words(names), qualities=numbers, kinds=_words(kinds), family=family)
    except DAMAGED as error:
        return f"The sample pictures of {trial_id} cannot be read ({one_line(error)})."
    wrong = _what_does_not_fit(samples)
    return f"The sample pictures of {trial_id} {wrong}." if wrong else samples


def _what_does_not_fit(samples: Samples) -> str:
    """Say what is wrong with the shapes of samples, nothing where they fit."""
    n_images, n_qualities = len(samples.names), len(samples.qualities)
    if not n_images or not n_qualities:
        return f"must be of an image and a quality at least, found {n_images} and {n_qualities}"
    if len(samples.kinds) != n_images:
        return f"must say of each of {n_images} images why it is there, found {len(samples.kinds)} reasons"
    side_px = samples.original.shape[1:3]
    expected = [(n_images, *side_px, 3), *[(n_images, n_qualities, *side_px, 3)] * 2]
    parts = (samples.original, samples.degraded, samples.restored)
    if [part.shape for part in parts] != expected or any(part.dtype != np.uint8 for part in parts):
        found = ", ".join(f"{part.dtype} {part.shape}" for part in parts)
        return f"must be uint8 of shape {', '.join(map(str, expected))}, found {found}"
    return ""


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


def read_gallery(run: Path) -> Gallery | str:
    """Read the gallery of a run; returns the reason where it is missing, torn or of another shape."""
    path, again = run / GALLERY, f"remove it, and {RESUME} RUN makes it again."
    if not path.is_file():
        return LACKING
    try:
        with np.load(path) as file:
            parts: dict[str, Any] = {name: file[name] for name in ("sheet", "worst_original", "worst_degraded")}
            parts |= {name: file.get(name) for name in ("worst_restored", "maps")}
            names = ("sheet_names", "sheet_systems", "worst_names", "worst_systems")
            parts |= {name: _words(file[name].tolist()) for name in names}
            parts |= {name: int(file[name]) for name in ("quality", "crop_px")}
            parts["map_numbers"] = tuple(map(int, file.get("map_numbers", ())))
            gallery = Gallery(**parts, trial_id=str(file["trial_id"]) or None)
    except DAMAGED as error:
        return f"{GALLERY} cannot be read ({error}): {again}"
    return gallery if _fits(gallery) else f"The pictures of {GALLERY} do not fit their names: {again}"


def _words(names: list[Any]) -> tuple[str, ...]:
    return tuple(map(str, names))


def _fits(gallery: Gallery) -> bool:
    worst = [gallery.worst_original, gallery.worst_degraded]
    worst += [] if gallery.worst_restored is None else [gallery.worst_restored]
    maps, n_worst = gallery.maps, len(gallery.worst_names)
    return (
        all(part.dtype == np.uint8 and part.ndim == 4 for part in (gallery.sheet, *worst))
        and all(part.shape == worst[0].shape for part in worst)
        and len(gallery.sheet) == len(gallery.sheet_names) == len(gallery.sheet_systems)
        and len(worst[0]) == n_worst == len(gallery.worst_systems)
        and (maps is None or (maps.ndim == 4 and maps.shape[-1] == len(gallery.map_numbers) and 0 not in maps.shape))
        and (maps is None or n_worst > 0)
    )
