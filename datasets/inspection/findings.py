"""What a source folder holds that a pack should not: looked at image by image, and at all of them together."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import InputError
from datasets.grouping.duplicates import group_thumbnails, thumbnail
from datasets.inspection.jpeg_history import JpegHistory, describe, find_history
from datasets.prefetch import map_ahead
from datasets.sources.source import SourceImage, find_images, source_image, system_of
from datasets.sources.walk import Found

BLANK_LEVELS = 2.0  # standard deviation of grey levels below which an image shows nothing
CLIPPED_SHARE = 0.05  # of the pixels that are 0 or 255 in a channel: black frames, saturated light
PREVIEW_PX = 160
N_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """What was found of one image file. fault: why it cannot be packed, "" where it can; the rest is then unknown.

    height, width: pixels; clipped: share of pixels at an end of their range, 0..1; identical_to, near_duplicate_of:
    the name of the first image with the same pixels, or of the same field; preview: uint8 [h, w, 3].
    """

    name: str
    system: str
    fault: str = ""
    height: int = 0
    width: int = 0
    history: JpegHistory | None = None
    is_blank: bool = False
    clipped: float = 0.0
    is_odd_size: bool = False
    identical_to: str = ""
    near_duplicate_of: str = ""
    sha256: str = ""
    thumbnail: NDArray[np.uint8] | None = None
    preview: NDArray[np.uint8] | None = None

    @property
    def problems(self) -> list[str]:
        """Say what is wrong, the worst first; nothing where nothing is."""
        found = [self.fault] if self.fault else []
        if self.history and self.history.was_jpeg:
            found.append(f"was {describe(self.history)}")
        if self.is_blank:
            found.append("shows nothing")
        if self.identical_to:
            found.append(f"same pixels as {self.identical_to}")
        elif self.near_duplicate_of:
            found.append(f"same field as {self.near_duplicate_of}")
        if self.clipped > CLIPPED_SHARE:
            found.append(f"{self.clipped:.0%} clipped")
        if self.is_odd_size:
            found.append(f"{self.width} x {self.height}, unlike most of its system")
        return found


def inspect_source(
    folder: Path,
    n_threads: int,
    say: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Finding]:
    """Look at every image of a source folder. Raises InputError for what concerns the folder, not an image of it."""
    found = find_images(folder, say)
    n_outside = sum(not system_of(file) for file in found)
    if n_outside:
        say(f"{n_outside} images lie outside a camera system: to pack them, move them into sub-folders of {folder}")
    findings = []
    for done, finding in enumerate(
        map_ahead(partial(_inspect, folder.resolve().name), found, n_threads, 2 * n_threads), 1
    ):
        findings.append(finding)
        progress(done, len(found))
    return list(_compare(findings))


def look_for_history(images: Sequence[SourceImage], n_looked_at: int, n_threads: int) -> dict[str, JpegHistory]:
    """Return the history of a sample of images, evenly dealt from each system, by name. Raises InputError."""
    by_system: dict[str, list[SourceImage]] = {}
    for image in images:
        by_system.setdefault(image.system, []).append(image)
    n_each = max(1, n_looked_at // len(by_system))
    sample = [
        of_system[place]
        for of_system in by_system.values()
        for place in np.unique(np.linspace(0, len(of_system) - 1, min(n_each, len(of_system))).round().astype(int))
    ]
    histories = map_ahead(lambda image: find_history(image.read()), sample, n_threads, 2 * n_threads)
    return {image.name: history for image, history in zip(sample, histories, strict=True)}


def warn_of_history(histories: dict[str, JpegHistory], n_images: int) -> list[str]:
    """Return what to say of images that were JPEG before, a line at most. histories: of those that were looked at."""
    was_jpeg = {name: history for name, history in histories.items() if history.was_jpeg}
    if not was_jpeg:
        return []
    named = ", ".join(f"{name} ({describe(history)})" for name, history in list(was_jpeg.items())[:N_NAMED])
    of_all = "" if len(histories) == n_images else f" that were looked at, of {n_images}"
    return [
        f"{len(was_jpeg)} of {len(histories)} images{of_all} were JPEG before, so no ground truth: {named}"
        f"{', ...' if len(was_jpeg) > N_NAMED else ''}; `python -m datasets inspect SOURCE` looks at all"
    ]


def _inspect(without_system: str, found: Found) -> Finding:
    system = system_of(found) or without_system
    try:
        image = source_image(found, size_px=1).read()
    except InputError as error:
        return Finding(found.name, system, str(error).removeprefix(f"{found.path} "))
    preview = Image.fromarray(image)
    preview.thumbnail((PREVIEW_PX, PREVIEW_PX))
    small = thumbnail(image)
    return Finding(
        name=found.name,
        system=system,
        height=image.shape[0],
        width=image.shape[1],
        history=find_history(image),
        is_blank=bool(image.std(axis=(0, 1)).max() < BLANK_LEVELS),
        clipped=float(((image == 0) | (image == 255)).any(axis=2).mean()),
        sha256=sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest(),
        thumbnail=small,
        preview=np.asarray(preview),
    )


def _compare(findings: list[Finding]) -> Iterator[Finding]:
    """Complete findings by what only all images together tell: duplicates and odd sizes."""
    usable = [place for place, finding in enumerate(findings) if not finding.fault]
    first_of: dict[str, str] = {}
    common = _common_sizes([findings[place] for place in usable])
    near = _near_duplicates(findings, usable)
    for place, finding in enumerate(findings):
        if finding.fault:
            yield finding
            continue
        original = first_of.setdefault(finding.sha256, finding.name)
        yield replace(
            finding,
            identical_to="" if original == finding.name else original,
            near_duplicate_of=near.get(place, ""),
            is_odd_size=(finding.height, finding.width) != common[finding.system],
        )


def _near_duplicates(findings: list[Finding], usable: list[int]) -> dict[int, str]:
    thumbnails = [small for place in usable if (small := findings[place].thumbnail) is not None]
    if not thumbnails:
        return {}
    first = group_thumbnails(np.stack(thumbnails), [findings[place].system for place in usable])
    return {
        place: findings[usable[original]].name
        for place, original in zip(usable, first.tolist(), strict=True)
        if usable[original] != place
    }


def _common_sizes(findings: list[Finding]) -> dict[str, tuple[int, int]]:
    """Return the most frequent height and width of each system's images."""
    sizes: dict[str, Counter[tuple[int, int]]] = {}
    for finding in findings:
        sizes.setdefault(finding.system, Counter())[finding.height, finding.width] += 1
    return {system: counts.most_common(1)[0][0] for system, counts in sizes.items()}
