"""The sample pictures of a trial: a few originals, their JPEG versions, and what the trial made of them."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import RunError, one_line


@dataclass(frozen=True)
class Samples:
    """S images at Q qualities.

    original: uint8 [S, H, W, 3]; degraded, restored: uint8 [S, Q, H, W, 3].
    kinds: why an image is here, "fixed" or "worst" (by the MSE of its JPEG version).
    """

    original: NDArray[np.uint8]
    degraded: NDArray[np.uint8]
    restored: NDArray[np.uint8]
    names: tuple[str, ...]
    qualities: tuple[int, ...]
    kinds: tuple[str, ...]

    def versions(self, name: str, quality: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Return an image as original, as its JPEG file shows it, and restored: uint8 [H, W, 3] each."""
        image, place = self.names.index(name), self.qualities.index(quality)
        return self.original[image], self.degraded[image, place], self.restored[image, place]

    def nearest_quality(self, wanted: int) -> int:
        """Return the largest sampled quality up to the wanted one, the smallest where all are above it."""
        return max((quality for quality in self.qualities if quality <= wanted), default=min(self.qualities))


def read_samples(run: Path, trial_id: str) -> Samples:
    """Read the samples of a trial. Raises RunError when the file is missing, torn or of another shape."""
    path = run / "samples" / f"{trial_id}.npz"
    if not path.is_file():
        raise RunError(f"{trial_id} has no sample pictures: there is no comparison of pixels.")
    try:
        with np.load(path) as file:
            samples = Samples(
                original=file["original"],
                degraded=file["degraded"],
                restored=file["restored"],
                names=tuple(str(name) for name in file["names"]),
                qualities=tuple(int(quality) for quality in file["qualities"]),
                kinds=tuple(str(kind) for kind in file["kinds"]),
            )
    except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"The sample pictures of {trial_id} cannot be read ({one_line(error)}).") from error
    if wrong := _what_does_not_fit(samples):
        raise RunError(f"The sample pictures of {trial_id} {wrong}.")
    return samples


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
