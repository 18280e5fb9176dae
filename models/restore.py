"""Restore JPEG files with a trained model.

from models.restore import load, restore

pixels = restore(load(), Path("smear.jpg").read_bytes())
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.encoders.family import find_family
from datasets.jpeg_file import JpegFile, read_jpeg, upright
from datasets.qualities import HIGHEST, LOWEST, quality_range
from datasets.tables import describe_tables
from models.evaluation import to_8_bits
from models.names import is_of_plugin
from models.plugins import read_plugin, use_plugin
from models.restoring.consistency import CELLS, Stored, project
from models.restoring.from_run import model_of_run
from models.restoring.likeness import FAR, distance
from models.restoring.model_file import IN_RUN, SUFFIX, ModelFile, ModelFileError, read_model_file
from models.restoring.network import load_network
from models.restoring.reach import Reach, ReachError, find_reach
from models.restoring.tiles import Network, Tile, samples_of, tiles_of
from models.restoring.trust import UNLIKE, Trust, find_trust

DEFAULT_MODEL = Path(__file__).parent / "restoring" / f"default{SUFFIX}"
CONSISTENT = (*CELLS, "off")
GREY = np.array([0.299, 0.587, 0.114], np.float32)
UNTILED_PIXELS = 4_000_000  # of a network whose reach is not known: larger images would need too much memory
LEAST_PX = 16  # a smaller side is continued to this by reflection: networks halve images and filter across borders


class CannotRestoreError(ValueError):
    """A file can be read, but this model cannot restore it; the words follow its name."""


@dataclass(frozen=True)
class Restorer:
    """A loaded model: what its file says, its network, and how far a restored pixel sees (None: not known)."""

    model_file: ModelFile
    network: Network
    reach: Reach | None


def load(model: Path | str | None = None, plugin: Path | str | None = None) -> Restorer:
    """Load a model file, the pick of a run, or without a name the model that comes with lowq.

    plugin: the file of Python that the model's network is defined in, where it is not built in. Raises ModelFileError
    or PluginError with one line.
    """
    if plugin is not None:
        use_plugin(read_plugin(Path(plugin)))
    return restorer_of(open_model(Path(model) if model is not None else None))


def restorer_of(model_file: ModelFile) -> Restorer:
    """Build the restorer of an opened model file. Raises ModelFileError with one line."""
    encoder, statistics = model_file.facts["encoder"], model_file.facts["training_data"].get("statistics")
    try:
        quality_range(encoder.get("quality", "1-100"))
        if encoder.get("family") is not None:
            find_family(encoder["family"]).at(HIGHEST).steps()
        distance(np.zeros((1, 1, 3), np.uint8), statistics or {})
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelFileError(
            f"{model_file.name}: what it says of its encoder or of its training images cannot be: {error}"
        ) from error
    keras_model = load_network(model_file)
    try:
        reach = find_reach(keras_model, not is_of_plugin(model_file.facts["spec"]["architecture"]))
    except ReachError:
        reach = None
    return Restorer(model_file, Network(keras_model), reach)


def open_model(path: Path | None) -> ModelFile:
    """Open a model file, that of a run, or without a path the one that comes with lowq. Raises ModelFileError."""
    if path is None:
        return read_model_file(DEFAULT_MODEL)
    if path.is_dir():
        return read_model_file(path / IN_RUN) if (path / IN_RUN).is_file() else model_of_run(path)
    return read_model_file(path)


def restore(restorer: Restorer, data: bytes, consistent: str = "wide") -> NDArray[np.uint8]:
    """Restore a JPEG file: its bytes -> uint8 [H, W, 3], upright as its EXIF orientation says; grey stays grey.

    consistent: "wide" moves the result onto the images that the file could have come from, with cells that hold the
    original; "narrow" so that compressing it again gives the file's own coefficients; "off" leaves it as the network
    gives it. Raises JpegError where the file is no JPEG that is read here, CannotRestoreError where the network cannot.
    """
    jpeg = read_jpeg(data)
    return upright(restore_pixels(restorer, jpeg, consistent, in_place=True), jpeg.turn)


@dataclass(frozen=True)
class Examined:
    """What a restorer makes of a file, before it is believed: how far the file bears it out.

    whole: the whole image as the network gives it, of a small one, which need not be computed twice.
    """

    trust: Trust
    whole: NDArray[np.float32] | None = None


def examine(restorer: Restorer, jpeg: JpegFile) -> Examined:
    """Restore a small image, or samples of a large one, and compare them with what the file stores.

    Raises CannotRestoreError.
    """
    height, width = jpeg.pixels.shape[:2]
    if restorer.reach is None and height * width > UNTILED_PIXELS:
        raise CannotRestoreError(
            f"is {width} x {height} px: of this network it is not known how far it sees, so images of more than "
            f"{UNTILED_PIXELS // 1_000_000} million pixels, which need tiles, cannot be restored by it"
        )
    stored, tables = _stored(restorer, jpeg), describe_tables(jpeg.tables)
    parts = [
        (_by_network(restorer, jpeg, tile, tables), stored.part(*tile.core))
        for tile in samples_of(height, width, restorer.reach)
    ]
    whole = parts[0][0] if parts[0][0].shape[:2] == (height, width) else None
    return Examined(find_trust(parts), whole)


def restore_pixels(
    restorer: Restorer,
    jpeg: JpegFile,
    consistent: str = "wide",
    core_px: int | None = None,
    in_place: bool = False,
    examined: Examined | None = None,
) -> NDArray[np.uint8]:
    """Restore a decoded file: uint8 [H, W, 3], not turned. core_px: of its tiles, as `tiles_of` has it.

    in_place: put what is restored where the file's pixels were, as soon as no tile needs them any more. examined: what
    `examine` returned of the file, where it is there.
    """
    if consistent not in CONSISTENT:
        raise ValueError(f"unknown consistency {consistent!r}; known: {', '.join(CONSISTENT)}")
    height, width = jpeg.pixels.shape[:2]
    examined = examined or examine(restorer, jpeg)
    stored, tables = _stored(restorer, jpeg), describe_tables(jpeg.tables)
    shares, share = examined.trust.shares, np.float32(examined.trust.share_of_all)
    shown = jpeg.pixels if in_place else np.empty_like(jpeg.pixels)
    done: deque[tuple[slice, NDArray[np.uint8]]] = deque()  # rows of tiles that tiles below may look into
    for tile in tiles_of(height, width, restorer.reach, core_px):
        rows, columns = tile.core
        if columns.start == 0:
            while done and done[0][0].stop <= tile.window[0].start:
                _put(shown, done)
            done.append((rows, np.empty((rows.stop - rows.start, width, 3), np.uint8)))
        if examined.whole is not None:
            restored = examined.whole[rows, columns]
        else:
            restored = _by_network(restorer, jpeg, tile, tables)
        if consistent != "off" and jpeg.planes:
            restored = project(restored, stored.part(*tile.core), consistent, shares)
            if share < 1:
                degraded = np.divide(jpeg.pixels[tile.core], 255, dtype=np.float32)
                restored = degraded + share * (restored - degraded)
        if jpeg.is_grey:
            restored = np.repeat((restored @ GREY)[..., None], 3, axis=2)
        done[-1][1][:, columns] = to_8_bits(restored)
    while done:
        _put(shown, done)
    return shown


def _by_network(restorer: Restorer, jpeg: JpegFile, tile: Tile, tables: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a tile as the network gives it. Raises CannotRestoreError where that is no picture."""
    missing = [(0, max(0, LEAST_PX - side)) for side in jpeg.pixels.shape[:2]]
    restored = restorer.network(np.pad(jpeg.pixels[tile.window], (*missing, (0, 0)), "symmetric"), tables)[tile.inner]
    if not np.isfinite(restored).all():
        raise CannotRestoreError("cannot be restored: what this network makes of it are no numbers; take another model")
    return restored


def _stored(restorer: Restorer, jpeg: JpegFile) -> Stored:
    """Return what a file stores; how it was rounded is known of libjpeg's tables and of the model's own encoder."""
    own = restorer.model_file.facts["encoder"].get("family")
    if own is not None and find_family(own).middle.trellis:
        is_known = False  # a trellis prefers zeros
    else:
        is_known = jpeg.quality is not None or (own is not None and _quality_in(own, jpeg) is not None)
    return Stored(jpeg.planes, jpeg.steps, jpeg.frame.factors, is_known)


def _put(shown: NDArray[np.uint8], done: deque[tuple[slice, NDArray[np.uint8]]]) -> None:
    rows, restored = done.popleft()
    shown[rows] = restored


def doubts(restorer: Restorer, jpeg: JpegFile, examined: Examined | None = None) -> list[str]:
    """Say in which ways a file is other than what a model was trained for; nothing where it is not.

    examined: what `examine` returned of the file, for what only restoring shows.
    """
    encoder, frame = restorer.model_file.facts["encoder"], jpeg.frame
    found = []
    if frame.subsampling != encoder.get("subsampling", frame.subsampling):
        found.append(f"its chroma is stored as {frame.subsampling}, the model's was as {encoder['subsampling']}")
    own = encoder.get("family")
    quality = jpeg.nearest_quality if own is None else _quality_in(own, jpeg)
    if own is not None and quality is None:
        found.append(f"its tables are none of {own}'s, which the model was trained for")
    if own is None and jpeg.quality is None:
        found.append(f"its tables are not libjpeg's (nearest: quality {jpeg.nearest_quality})")
    low, high = quality_range(encoder.get("quality", "1-100"))
    if quality is not None and not low <= quality <= high:
        trained = f"{low}" if low == high else f"{low} to {high}"
        found.append(f"its quality is {quality}, the model's was {trained}")
    far = distance(jpeg.pixels, restorer.model_file.facts["training_data"].get("statistics") or {})
    if far > FAR:
        found.append(f"it looks like no camera of the training images ({far:.0f} standard deviations off)")
    if examined and examined.trust.colour_excess > UNLIKE:
        found.append(
            "its coefficients do not bear out what the model makes of its colours: it may be of no camera of the "
            f"training images ({examined.trust.colour_excess:.0f} times the variance that there can be)"
        )
    return found


def _quality_in(family: str, jpeg: JpegFile) -> int | None:
    """Return the quality of a family of encoders whose tables a file has, None where none has them."""
    return _qualities_of(family).get(str([jpeg.tables[0], jpeg.tables.get(1, jpeg.tables[0])]))


@cache
def _qualities_of(family: str) -> Mapping[str, int]:
    """Return the quality that has each pair of tables, in rows; of those that share theirs the lowest."""
    own = find_family(family)
    return {str(own.at(quality).steps().tolist()): quality for quality in range(HIGHEST, LOWEST - 1, -1)}
